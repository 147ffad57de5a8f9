"""How far two detectors agree on the same pictures: one on torch, one on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.serving.detector import Finder, Found

TOLERANCE = 1e-3  # of a score, and of a box's side as a share of the picture's long side
FAR = 1e-2  # a detection without another this close has no counterpart
MOST_WITHOUT = 0.01  # share of detections that may lack one: those whose overlap is at the limit of suppression


@dataclass(frozen=True)
class Agreement:
    """The comparison of two detectors.

    pictures, detections: how many of the first were compared. difference: the largest of detections with a counterpart,
    in scores and in shares of the picture's long side. without: how many of either have no counterpart.
    """

    pictures: int
    detections: int
    difference: float
    without: int

    @property
    def equal(self) -> bool:
        """Whether both are the same detector for any use."""
        return self.difference <= TOLERANCE and self.without <= MOST_WITHOUT * self.detections

    def __str__(self) -> str:
        text = f"largest difference {self.difference:.1e} over {self.detections} detections on {self.pictures} pictures"
        return f"{text}; {self.without} without a counterpart" if self.without else text


def agreement(first: Finder, second: Finder, pictures: Sequence[np.ndarray]) -> Agreement:
    """Compare what two detectors find on `pictures`, each (H, W, 3) uint8 RGB. They have the facts of the first."""
    threshold, most = first.facts["score_threshold"], first.facts["max_detections"]
    apart, detections = [np.zeros(0)], 0
    for picture, one, other in zip(pictures, first.detect(pictures), second.detect(pictures), strict=True):
        side = max(picture.shape[:2])
        full = [float(found.scores.min()) for found in (one, other) if len(found.scores) == most]
        limit = max([threshold, *full])
        apart += [distances(one, other, side, limit), distances(other, one, side, limit)]
        detections += len(apart[-2])
    all_apart = np.concatenate(apart)
    near = all_apart <= FAR
    return Agreement(len(pictures), detections, float(all_apart[near].max(initial=0)), int((~near).sum()))


def distances(found: Found, others: Found, side: float, limit: float) -> np.ndarray:
    """How far each detection is from the nearest of `others` with its label, (n,); infinite where there is none.

    The distance is the larger of the differences in score and in box, the latter as a share of `side`. limit: the score
    where a list ends, by threshold or by number; a detection this close to it may be on one list alone and is left out.
    """
    kept = found.scores > limit + TOLERANCE
    boxes, scores, labels = found.boxes[kept], found.scores[kept], found.labels[kept]
    apart = np.maximum(
        np.abs(scores[:, None] - others.scores),
        np.abs(boxes[:, None] - others.boxes).max(axis=2, initial=0) / side,
    )
    return np.where(labels[:, None] == others.labels, apart, np.inf).min(axis=1, initial=np.inf)
