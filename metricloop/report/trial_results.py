"""What the report shows of an arm's trials, as means over its seeds: precision over recall, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.tables import column, read_json, read_table, xyxy
from metricloop.evaluation.average_precision import count_positives
from metricloop.evaluation.coco import read_matches
from metricloop.evaluation.precision_recall import precision_at_recall
from metricloop.training.evaluate_models import SEED_PREDICTIONS

IOUS = (0.5, 0.75)


@dataclass(frozen=True)
class Trials:
    """The trials of one arm. precision: IoU -> precision at COCO's recall levels (101,); loss: of every iteration (k,).
    Either is None where its files are not on this machine."""

    precision: Mapping[float, np.ndarray] | None
    loss: np.ndarray | None


def read_trials(folder: Path, plan: Mapping[str, Mapping[str, Any]], search: Dataset, arm: str) -> Trials:
    """The trials of an arm in the workspace `folder`. search: the search split."""
    blocks = [name for name, block in plan["blocks"].items() if block["arm"] == arm]
    return Trials(_precision(folder, blocks, search), _loss(folder, blocks))


def first_detections(
    folder: Path, plan: Mapping[str, Mapping[str, Any]], search: Dataset, arm: str
) -> list[Detections] | None:
    """What the first trial of an arm detected, one entry per image of the search split; None where that is not known.

    Errors: TableError for a file without the columns.
    """
    for block in (name for name, block in plan["blocks"].items() if block["arm"] == arm):
        path, numbers = folder / layout.detections_file(block), folder / layout.numbers_file(block)
        if not (path.is_file() and numbers.is_file()):
            continue
        table = read_table(path, SEED_PREDICTIONS)
        table = table.filter(pa.array(column(table, "seed") == min(map(int, read_json(numbers)["seeds"]))))
        image_id = column(table, "image_id")
        order = np.argsort(image_id, kind="stable")
        boxes, scores, labels = xyxy(table), column(table, "score"), column(table, "label").astype(np.int64)
        starts = np.searchsorted(image_id[order], search.image_id)
        ends = np.searchsorted(image_id[order], search.image_id, side="right")
        rows = [order[start:end] for start, end in zip(starts, ends, strict=True)]
        return [Detections(boxes[own], scores[own], labels[own]) for own in rows]
    return None


def _precision(folder: Path, blocks: Sequence[str], search: Dataset) -> dict[float, np.ndarray] | None:
    objects = count_positives(search).sum(axis=0)
    curves: dict[float, list[np.ndarray]] = {iou: [] for iou in IOUS}
    for block in blocks:
        path, numbers = folder / layout.matches_file(block), folder / layout.numbers_file(block)
        if not (path.is_file() and numbers.is_file()):
            continue
        for matches in read_matches(path, map(int, read_json(numbers)["seeds"])).values():
            for iou, found in curves.items():
                found.append(precision_at_recall(matches, objects, iou))
    if not curves[IOUS[0]] or not objects.any():
        return None
    return {iou: np.mean(found, axis=0) for iou, found in curves.items()}


def _loss(folder: Path, blocks: Sequence[str]) -> np.ndarray | None:
    """The mean loss of every iteration; of trials of unequal length as far as the shortest goes."""
    import pyarrow.parquet as pq

    found: list[np.ndarray] = []
    for block in blocks:
        path = folder / layout.history_file(block)
        if not path.is_file():
            continue
        table = pq.read_table(path, columns=["seed", "loss"])
        seed, loss = column(table, "seed"), np.asarray(column(table, "loss"), float)
        found += [loss[seed == one] for one in np.unique(seed)]
    if not found or not min(map(len, found)):
        return None
    return np.mean([one[: min(map(len, found))] for one in found], axis=0)
