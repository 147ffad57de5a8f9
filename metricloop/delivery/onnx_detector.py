"""A detector on onnxruntime. It runs in a bundle, without torch; its detections are those of the detector on torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from metricloop.data.letterbox import letterbox
from metricloop.data.pictures import decode
from metricloop.serving.detector import Found

FACTS = "detector.json"
GRAPH = "model.onnx"
BATCH = 16  # pictures that pass through the network together


class OnnxDetectorError(ValueError):
    """A folder holds no usable detector; the message says what was found and what to do."""


class OnnxDetector:
    """A detector (serving.detector.Detector) with onnxruntime."""

    def __init__(self, session: onnxruntime.InferenceSession, facts: Mapping[str, Any]) -> None:
        self._session, self._facts = session, facts

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content of detector.json."""
        return self._facts

    def read(self, data: bytes) -> np.ndarray:
        """A picture file as (H, W, 3) uint8 RGB. Errors: PictureError, a ValueError."""
        return decode(data)

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        """The detections on each picture, in order. Errors: ValueError for an array that is no picture."""
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                raise ValueError(f"a picture is (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
        found: list[Found] = []
        for begin in range(0, len(pictures), BATCH):
            found += self._detect(pictures[begin : begin + BATCH])
        return found

    def _detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        size = self._facts["image_size"]
        batch = np.stack([letterbox(picture, size) for picture in pictures])
        outputs = self._session.run(["boxes", "scores", "labels"], {"pictures": batch})
        found = []
        for picture, boxes, scores, labels in zip(pictures, *outputs, strict=True):
            real = labels >= 0  # places without a detection have -1
            scale = np.float32(size / max(picture.shape[:2]))
            found.append(Found(boxes[real] / scale, scores[real], labels[real]))
        return found


def load(folder: Path | str, threads: int = 0) -> OnnxDetector:
    """The detector in a folder with detector.json and model.onnx. threads: 0 takes all cores that this process has.

    Errors: OnnxDetectorError for files that are missing, damaged, or do not belong together.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        graph = (folder / GRAPH).read_bytes()
    except (OSError, ValueError) as error:
        raise OnnxDetectorError(f"no usable detector in {folder} ({error}); copy the bundle again") from None
    if hashlib.sha256(graph).hexdigest() != facts.get("files", {}).get(GRAPH):
        raise OnnxDetectorError(f"{folder / GRAPH} is not the file that {FACTS} names; copy the bundle again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _cores()
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds of errors have no common parent
        raise OnnxDetectorError(f"onnxruntime cannot load {folder / GRAPH}: {error}") from None
    return OnnxDetector(session, facts)


def _cores() -> int:
    """The number of cores that this process may use; onnxruntime would count those of the whole machine."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1
