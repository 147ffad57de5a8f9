"""The labels of all splits as one data set: an audit looks at those that are held out, too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.auditing.suspicion import MetricScores
from metricloop.data.dataset import PER_IMAGE, Dataset
from metricloop.data.frame import Detections
from metricloop.data.loading import assemble, read_boxes
from metricloop.data.tables import IMAGES, column, read_json, read_table, stamp_of
from metricloop.scoring.metric_inputs import read_predictions

HELD_OUT = ("search", "test")
DETECTIONS = Path(layout.CACHE, "held_out.parquet")  # of the held-out pictures, by one of the out-of-fold models
STAMP = "made for"


def read_held_out(folder: Path | str, root: Path | str) -> Dataset:
    """Images and labels of the search and test split, without crowd regions; search first."""
    folder = Path(folder)
    images = read_table(folder / "images.parquet", IMAGES)
    names = tuple(read_json(folder / "categories.json"))
    parts = []
    for split in HELD_OUT:
        boxes = read_boxes(folder, split)
        boxes = boxes.filter(pa.array(~column(boxes, "crowd")))
        parts.append(assemble(images.filter(pa.array(column(images, "split") == split)), boxes, names, Path(root)))
    return joined(*parts)


def made_for(folder: Path) -> str:
    """What the detections on held-out pictures belong to: the predictions for the pool, and the pictures."""
    parts = ((folder / name).read_bytes() for name in (layout.PREDICTIONS, layout.IMAGES))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def held_out_detections(folder: Path) -> dict[int, Detections] | None:
    """Detections on the held-out pictures by image id; None where there are none that fit today's predictions."""
    path = folder / DETECTIONS
    if not path.is_file() or stamp_of(path).get(STAMP) != made_for(folder):
        return None
    return read_predictions(path)


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The images and labels of both, those of the first in front. Both have the same classes and root."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in (*PER_IMAGE, "box_id", "boxes", "labels", "crowd")
    }
    return replace(first, **arrays, offsets=np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]))


def joined_scores(first: Mapping[str, MetricScores], second: Mapping[str, MetricScores]) -> dict[str, MetricScores]:
    """The scores of both, for the metrics that have scores in both."""
    return {
        name: replace(own, values=np.concatenate([own.values, second[name].values]))
        for name, own in first.items()
        if name in second
    }
