"""The fact that a finding of each kind rests on, by which a person sees at once what is meant.

A finding without its fact is not listed, however suspicious its label is: a label is not doubled where no second label
of its class overlaps it, and no object lacks a label where every box of the model has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from metricloop.auditing.label_errors import Kind
from metricloop.auditing.planted import RIGHT
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections

HERE = 0.5  # IoU from which on a box of the model is in the place of a label
SEEN = 0.5  # score from which on the model sees an object of the label's class: more likely than not
GLIMPSED = 0.1  # score from which on such a box counts against a finding that is not shown to be probable


def holds(
    kind: Kind, data: Dataset, predictions: Mapping[int, Detections] | None, seen_from: float = SEEN
) -> np.ndarray:
    """Whether the fact of a kind is true of each label, (m,) bool.

    - spurious: no box of the model with the label's class and a score of `seen_from` or more lies HERE.
    - class: of the boxes HERE, that with the highest score * IoU is of another class.
    - placed: the model's box, which is that with the highest score * IoU, differs: its IoU is below RIGHT.
    - doubled: another label of the same class overlaps it.

    Without predictions, only what labels tell is held against them. True of all labels for a kind of pictures, and for
    missing labels: `unlabelled` picks the boxes of the model that they rest on.
    """
    found = np.full(len(data.boxes), True)
    if kind.name == "doubled":
        for own in _images(data):
            same = data.labels[own][:, None] == data.labels[own]
            overlap = iou(data.boxes[own], data.boxes[own]) * same
            np.fill_diagonal(overlap, 0.0)
            found[own] = overlap.max(axis=1, initial=0.0) > 0
    elif predictions is not None and kind.name in ("spurious", "class", "placed"):
        for row, own in zip(np.flatnonzero(data.counts), _images(data), strict=True):
            seen = predictions.get(int(data.image_id[row]), Detections.empty())
            found[own] = _of_image(kind.name, data.boxes[own], data.labels[own], seen, seen_from)
    return found


def _images(data: Dataset) -> Iterator[slice]:
    """The labels of each image that has some."""
    return (data.slice(row) for row in np.flatnonzero(data.counts).tolist())


def _of_image(kind: str, boxes: np.ndarray, labels: np.ndarray, seen: Detections, seen_from: float) -> np.ndarray:
    """The facts of the labels of one image, (k,), that rest on the boxes of the model."""
    if not len(seen.scores):
        return np.full(len(boxes), kind == "spurious")
    overlap, same = iou(boxes, seen.boxes), labels[:, None] == seen.labels
    if kind == "spurious":
        return np.asarray(~((overlap >= HERE) & same & (seen.scores >= seen_from)).any(axis=1))
    every = np.arange(len(boxes))
    support = overlap * seen.scores * (overlap >= HERE if kind == "class" else 1.0)
    best = support.argmax(axis=1)
    differs = ~same[every, best] if kind == "class" else overlap[every, best] < RIGHT
    return np.asarray((support[every, best] > 0) & differs)


def unlabelled(boxes: np.ndarray, seen: Detections) -> np.ndarray:
    """Whether each box of the model lies where no label is, (k,) bool: the IoU with every label is below HERE."""
    return np.asarray(iou(boxes, seen.boxes).max(axis=0, initial=0.0) < HERE)
