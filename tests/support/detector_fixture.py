"""A detector folder as `metricloop promote` writes it, with random weights, and drawn pictures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ("panda", "red panda")
SIZE = 64


def facts(**changes: Any) -> dict[str, Any]:
    """The content of a detector.json."""
    return {
        "name": "drawn", "version": "1", "architecture": "fcos_shufflenet", "image_size": SIZE,
        "classes": list(CLASSES), "category_ids": [7, 3], "score_threshold": 0.01, "max_detections": 100,
        "best_score": 0.05, "study": "drawn", "arm": "object_count", "metric": "object_count",
        "policy": {"name": "best", "direction": "higher"}, "verdict": "better", "anyway": False,
        "subset": {"file": "subsets/object_count.parquet", "md5": "0" * 32, "images": 9, "boxes": 20, "share": 0.25},
        "unsafe_in_process": False, "seed": 2001, "search": {"mAP": 0.3, "mAP50": 0.6, "mAR": 0.5},
        "trials": {"2000": {"mAP": 0.29, "mAP50": 0.6, "mAR": 0.5}, "2001": {"mAP": 0.3, "mAP50": 0.6, "mAR": 0.5}},
        "recipe": {"hash": "a41e419b21540df4", "fields": {}}, "test": None, "made": "2026-11-26T00:00:00+00:00",
        "metricloop": "0.1.0",
    } | changes  # fmt: skip


def make_detector(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Write a detector folder. seed: of its random weights."""
    from metricloop.delivery.detector_folder import write_detector
    from metricloop.detector.detectors import build_detector

    content = facts(**changes)
    model = build_detector(content["architecture"], len(content["classes"]), content["image_size"], "none", seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_detector(folder, content, model.state_dict())
    return folder


def add_promoted(workspace: Path, seed: int = 0, **changes: Any) -> int:
    """Promote a detector with random weights in a workspace, as the champion; returns its version."""
    from metricloop.delivery.promoted import add_version, make_champion
    from metricloop.detector.detectors import build_detector

    content = facts(**changes)
    del content["version"]
    model = build_detector(content["architecture"], len(content["classes"]), content["image_size"], "none", seed)
    version = add_version(workspace, content, model.state_dict(), {})
    make_champion(workspace, version)
    return version


def picture(height: int = 48, width: int = 80, seed: int = 0) -> np.ndarray:
    """A picture of coloured blocks, (height, width, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)


def write_picture(path: Path, image: np.ndarray) -> Path:
    """Write a picture file of the kind that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[:, :, ::-1])
    return path
