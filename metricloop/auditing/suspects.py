"""The list of suspects: the most suspicious labels of each kind of error, each with the model's own box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from metricloop.auditing.facts import GLIMPSED, HERE, holds, unlabelled
from metricloop.auditing.label_errors import Kind
from metricloop.auditing.ranking_quality import percentiles
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.study.judged import Right

ModelBox = tuple[tuple[float, float, float, float], int, float]  # a prediction: xyxy, label, score
Entry = tuple[int, int, int, ModelBox | None]  # row, box, more and model of a Suspect
LEAST = 0.5  # probability from which on a finding is listed: more likely wrong than right
TOLD = 0.005  # probability from which on it is told: shares of wrong labels are careful, and may be far too low


@dataclass(frozen=True)
class Suspect:
    """One line of the list: something that is probably wrong, and what is known of it.

    kind: of KINDS or PICTURE_KINDS. row: of the image in `Audit.data`. box: row of the label there, -1 for a picture.
    suspicion: 0 to 1, its place among the labels of its kind, and no probability. more: other boxes of this image that
    would also make the list. model: what the model sees instead; None for pictures. split: of its image. probability:
    that it is wrong, None where nothing could be estimated. minutes: of a person, to look at it and put it right.
    order: its place in the one list of all kinds, from 1; 0 before there is one. other: the file of the picture that
    this one repeats, for PICTURE_KINDS.
    """

    kind: str
    row: int
    box: int
    suspicion: float
    more: int
    model: ModelBox | None
    split: str = "pool"
    probability: float | None = None
    minutes: float = 0.5
    order: int = 0
    other: str | None = None

    @property
    def told(self) -> float | None:
        """The probability that people are shown; None if it is unknown, or below TOLD.

        A lower one is no evidence that the label is right: it only says that no labels stood out as planted errors do.
        """
        return None if self.probability is None or self.probability < TOLD else self.probability

    @property
    def probable(self) -> bool:
        """Whether the finding may be called probable: its probability is LEAST or more, or it is about two pictures.

        Two pictures count whatever the probability: that they are equal, or look alike, was measured.
        """
        return self.other is not None or (self.probability is not None and self.probability >= LEAST)


def suspects(
    kinds: Sequence[Kind],
    by_kind: Mapping[str, np.ndarray],
    pool: Dataset,
    predictions: Mapping[int, Detections] | None,
    most: int,
    probabilities: Mapping[str, np.ndarray] | None = None,
    least: float = 0.0,
    right: Right | None = None,
) -> dict[str, list[Suspect]]:
    """For each kind the `most` entries with the highest probability, one per image, the most probable first.

    Only what has the fact of its kind (`facts.holds`) is listed. Where a label is not probably wrong (a probability
    below LEAST, or none), a box of the model counts against "no object here" from the low score GLIMPSED on. A box is
    listed once, under the kind for which it is most probable, or most suspicious. An image may be listed for a missing
    label as well. by_kind: suspicion of the boxes (m,) or images (n,). probabilities: the same, that the label is
    wrong; a kind without them lists by suspicion. least: probability from which on an entry is listed; 0: the most
    suspicious ones, whatever the evidence. right: what a person judged right; it is not listed again.
    """
    known = probabilities or {}
    boxed = [kind for kind in kinds if kind.unit == "box"]
    ranks = np.array([percentiles(by_kind[kind.name], "worse") for kind in boxed]).reshape(len(boxed), -1)
    wrong = np.array([known.get(kind.name, np.zeros(len(pool.boxes))) for kind in boxed]).reshape(len(boxed), -1)
    facts = np.array([holds(kind, pool, predictions) for kind in boxed], bool).reshape(len(boxed), -1)
    glimpsed = [holds(kind, pool, predictions, GLIMPSED) for kind in boxed]
    facts &= (wrong >= LEAST) | np.array(glimpsed, bool).reshape(len(boxed), -1)
    ranks, wrong = np.where(facts, ranks, -1.0), np.where(facts, wrong, -1.0)  # a false fact gives way to a true one
    strongest = np.lexsort((-ranks, -wrong), axis=0)[0] if len(boxed) else np.zeros(0, int)
    found = {}
    for kind in kinds:
        scores, probable = by_kind[kind.name], known.get(kind.name)
        if kind.unit == "image":
            open_ = np.full(len(scores), True)
        else:
            open_ = facts[boxed.index(kind)] & (strongest == boxed.index(kind))
        if least > 0:
            open_ &= (0.0 if probable is None else probable) >= least
        elif kind.unit == "box":
            open_ &= scores > 0.5
        if right is not None and kind.unit == "box":
            open_ &= ~right.boxes
        candidates = np.flatnonzero(open_)
        order = candidates[np.lexsort((-scores[candidates], -_or_zero(probable, scores)[candidates]))]
        if kind.unit == "image":
            listed = _images(order, pool, predictions, right)
        else:
            listed = _boxes(kind, order, pool, predictions, most)
        found[kind.name] = [
            Suspect(
                kind.name,
                row,
                box,
                float(scores[at := box if box >= 0 else row]),
                more,
                model,
                split=str(pool.split[row]),
                probability=None if probable is None else float(probable[at]),
            )
            for row, box, more, model in islice(listed, most)
        ]
    return found


def _or_zero(values: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    return np.zeros(len(like)) if values is None else values


def _images(
    order: np.ndarray, pool: Dataset, predictions: Mapping[int, Detections] | None, right: Right | None
) -> Iterator[Entry]:
    """The images in which the model sees an object without a label. order: rows of images, the worst first."""
    for row in order.tolist():
        model = _unlabelled(pool, row, predictions)
        if model is not None and not (right and right.at(row, model[0])):
            yield row, -1, 0, model


def _boxes(
    kind: Kind, order: np.ndarray, pool: Dataset, predictions: Mapping[int, Detections] | None, most: int
) -> Iterator[Entry]:
    """The worst box of each image, at most `most`. order: rows of boxes, the worst first."""
    _, place = np.unique(pool.box_row[order], return_index=True)
    place = np.sort(place)[:most]
    of_image = np.bincount(pool.box_row[order[: place[-1] + 1 if len(place) else 0]], minlength=len(pool))
    for box in order[place].tolist():
        row = int(pool.box_row[box])
        yield row, box, int(of_image[row]) - 1, _instead(kind, pool, box, predictions)


def _instead(kind: Kind, pool: Dataset, box: int, predictions: Mapping[int, Detections] | None) -> ModelBox | None:
    """What the model sees in a label's place: the prediction with the highest score * IoU. Where the class is in
    doubt, only predictions of other classes count that lie HERE, as in the fact of that kind."""
    found = (predictions or {}).get(int(pool.image_id[pool.box_row[box]]))
    if found is None or not len(found.scores):
        return None
    overlap = iou(pool.boxes[box : box + 1], found.boxes)[0]
    support = overlap * found.scores
    if kind.name == "class":
        support = np.where((found.labels == pool.labels[box]) | (overlap < HERE), 0.0, support)
    return _strongest(found, support)


def _unlabelled(pool: Dataset, row: int, predictions: Mapping[int, Detections] | None) -> ModelBox | None:
    """The object that the model sees and no label covers: the prediction with the highest score * (1 - best IoU) among
    those that are `unlabelled`."""
    found = (predictions or {}).get(int(pool.image_id[row]))
    if found is None or not len(found.scores):
        return None
    covered = iou(pool.boxes[pool.slice(row)], found.boxes).max(axis=0, initial=0.0)
    return _strongest(found, (1 - covered) * found.scores * unlabelled(pool.boxes[pool.slice(row)], found))


def _strongest(found: Detections, support: np.ndarray) -> ModelBox | None:
    """The prediction with the highest support (k,); None where that is zero."""
    best = int(support.argmax())
    if support[best] <= 0:
        return None
    x1, y1, x2, y2 = (float(value) for value in found.boxes[best])
    return (x1, y1, x2, y2), int(found.labels[best]), float(found.scores[best])
