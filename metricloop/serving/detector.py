"""What the server asks of a detector. One built on torch and one on onnxruntime answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

UNKNOWN_SCORE = 0.3  # the least score of a detector whose facts name none


@dataclass(frozen=True)
class Found:
    """The detections on one picture, best first.

    boxes: (n, 4) float32 xyxy in pixels of the picture; scores: (n,) float32 from 0 to 1; labels: (n,) int64, places
    in the detector's list of classes, from 0.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def usual_score(facts: Mapping[str, Any]) -> float:
    """The least score where a person gives none: from it detections agreed best with labels (`best_score`).

    >>> usual_score({"best_score": 0.2371}), usual_score({})
    (0.24, 0.3)
    """
    best = facts.get("best_score")
    return UNKNOWN_SCORE if best is None else round(min(max(float(best), 0.0), 1.0), 2)


class Finder(Protocol):
    """Finds objects in pictures that are read already."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content of detector.json: name, version, classes, image_size, study, arm, verdict, subset, search, test,
        made and more. The server needs `classes` alone: the names, in the order of the labels. best_score: see
        usual_score.
        """

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        """The detections on each picture, in order."""


class Detector(Finder, Protocol):
    """Reads pictures and finds objects in them."""

    def read(self, data: bytes) -> np.ndarray:
        """A picture file as (H, W, 3) uint8 RGB. Errors: ValueError that says what is wrong with the file."""
