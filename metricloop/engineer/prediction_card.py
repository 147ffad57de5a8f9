"""The prediction card: how the out-of-fold predictions lie by score and beside the labels, in Markdown for a prompt.

It saves the model a guess at thresholds: without it a study learns only after a training what a score of .3 means.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.engineer.data_card import over, table
from metricloop.text.numbers import DASH, count, fixed, percent

EDGES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the bins of scores
FOUND_FROM = (0.3, 0.5, 0.7)  # scores from which on a prediction counts as found
CLOSE, CLOSER = 0.5, 0.75  # IoU
MOST_IMAGES = 2000  # looked at, drawn at random


def prediction_card(pool: Dataset, predictions: Mapping[int, Detections] | None) -> str:
    """A table by score: how many predictions, and how well they overlap labels. "" without predictions or images.

    predictions: by image id; an image without an entry has none.
    """
    if predictions is None or not len(pool):
        return ""
    rows = np.sort(np.random.default_rng(0).permutation(len(pool))[:MOST_IMAGES])
    scores, overlap, best = [np.zeros(0, np.float32)], [np.zeros(0)], [np.zeros(0, np.float32)]
    for row in rows:
        found, own = predictions.get(int(pool.image_id[row]), Detections.empty()), pool.slice(int(row))
        pairs = iou(found.boxes, pool.boxes[own]) * (found.labels[:, None] == pool.labels[own][None])
        scores.append(np.asarray(found.scores, np.float32))
        overlap.append(pairs.max(axis=1, initial=0.0))
        best.append(np.where(pairs >= CLOSE, scores[-1][:, None], -1).max(axis=0, initial=-1))
    score, near, finder = np.concatenate(scores), np.concatenate(overlap), np.concatenate(best)
    empty = [own for own, row in zip(scores[1:], rows, strict=True) if not pool.counts[row]]
    some = "" if len(rows) == len(pool) else f", on {count(len(rows), 'image')} drawn at random"
    found_text = ", ".join(
        f"from {start:g} on {percent(over(float((finder >= start).sum()), len(finder)))}" for start in FOUND_FROM
    )
    lines = [
        f"Out-of-fold predictions of the pool by their score{some}; overlap is the IoU with the nearest label of the "
        "same class:",
        "",
        _by_score(score, near, len(rows)),
    ]
    said = [f"Labels with a prediction of their class at IoU {CLOSE:g} or more: {found_text}."] if len(finder) else []
    if empty:
        busy = np.mean([bool((own >= FOUND_FROM[0]).any()) for own in empty])
        said.append(
            f"Of the {count(len(empty), 'image')} without a label {percent(float(busy))} have a prediction from "
            f"{FOUND_FROM[0]:g} on."
        )
    return "\n".join([*lines, "", " ".join(said)])


def _by_score(score: np.ndarray, near: np.ndarray, images: int) -> str:
    """A table with a line per bin of scores. near: (k,) IoU of each prediction with the nearest label of its class."""
    bins, told = np.digitize(score, np.array(EDGES, score.dtype)), []
    for number, (low, high) in enumerate(zip((0.0, *EDGES), (*EDGES, 1.0), strict=True)):
        own = near[bins == number]
        cells = [percent(float((own >= at).mean())) if len(own) else DASH for at in (CLOSE, CLOSER)]
        name = f"below {high:g}" if not number else f"{low:g} to {high:g}"
        told.append([name, fixed(len(own) / images, 2), *cells, fixed(float(np.median(own)), 2) if len(own) else DASH])
    heads = ["score", "predictions an image", f"overlap from {CLOSE:g}", f"from {CLOSER:g}", "median overlap"]
    return table(heads, told)
