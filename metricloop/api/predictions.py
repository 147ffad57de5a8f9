"""Predictions in the forms that people hold them in, as detections by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from metricloop.api.data import Data, InputError, known_name
from metricloop.data.frame import Detections

Predictions: TypeAlias = pd.DataFrame | Mapping[int, Detections] | Mapping[str, Detections]
BOX = ["x1", "y1", "x2", "y2"]


def detections_of(predictions: Predictions, data: Data) -> dict[int, Detections]:
    """Detections by image id.

    predictions: a table with a row per detection and the columns file or image_id, x1, y1, x2, y2 (pixels), score,
        label (a class name or an index into class_names); or {file or image_id: Detections}.
    Errors: InputError for a missing column, an unknown file, image or class.
    """
    ids = {str(file): int(image) for file, image in zip(data.arrays.file, data.arrays.image_id, strict=True)}
    own = set(ids.values())

    def image_id(key: object) -> int:
        if isinstance(key, str):
            return ids[known_name("file", key, ids)]
        if not isinstance(key, (int, np.integer)):
            raise InputError(f"predictions have the image_id {key} ({type(key).__name__}); it must be an integer")
        if int(key) not in own:
            raise InputError(f"predictions name image {key}, which the data set does not hold")
        return int(key)

    if not isinstance(predictions, (pd.DataFrame, Mapping)):
        raise InputError(
            f"predictions are a {type(predictions).__name__}; give a table, or {{file or image_id: Detections}}"
        )
    if not isinstance(predictions, pd.DataFrame):
        return {image_id(key): found for key, found in predictions.items()}
    key = "file" if "file" in predictions else "image_id"
    missing = [name for name in (key, *BOX, "score", "label") if name not in predictions]
    if missing:
        raise InputError(f"predictions have no column {', '.join(missing)}; they have {', '.join(predictions.columns)}")
    if lacking := int(predictions[key].isna().sum()):
        raise InputError(f"predictions have {lacking} rows without {key}")
    labels = np.array([_label(label, data) for label in predictions["label"]], np.int64)
    boxes, scores = predictions[BOX].to_numpy(np.float32), predictions["score"].to_numpy(np.float32)
    rows = predictions.groupby(key, sort=False).indices
    return {image_id(image): Detections(boxes[at], scores[at], labels[at]) for image, at in rows.items()}


def _label(label: object, data: Data) -> int:
    names = data.class_names
    if isinstance(label, str):
        return names.index(known_name("class", label, names))
    if not isinstance(label, (int, np.integer)) or not 0 <= int(label) < len(names):
        raise InputError(f"predictions have the label {label!r}; labels are names or 0 to {len(names) - 1}")
    return int(label)
