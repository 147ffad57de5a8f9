"""Inside the sandbox: load a file of metrics, and send its declarations or scores in small packets.

The untrusted code may tamper with everything here. So `scoring.sandboxed`, outside, checks every packet.
"""

from __future__ import annotations

import errno
import json
import os
import random
import struct
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.sandbox.payload import unpack
from metricloop.scoring.metric_file import load

READY, VALUES, FAILED, BROKEN = b"R", b"V", b"E", b"B"  # the first byte of a packet
PLACE = struct.Struct("<II")  # row, number of the first value
CHUNK = 4096  # values in one packet
WORDS = 2000  # bytes of an error message at most


def send_declarations(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Send the Specs of a file's metrics as a JSON list. arguments: filename, memory_mb."""
    report, code = descriptors
    guarded(report, arguments, lambda: os.write(report, READY + _declarations(code, arguments["filename"])))


def send_scores(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Send the scores of each frame, or of the pool. arguments: filename, metric, first (first frame), memory_mb."""
    report, code, payload = descriptors

    def work() -> None:
        random.seed(0)
        np.random.seed(0)
        metric = _load(code, arguments["filename"])[arguments["metric"]]
        by_object = spec_of(metric).level == "object"
        os.write(report, READY)
        for row, subject in _subjects(payload, arguments["first"]):
            if by_object and not len(subject.boxes):
                continue  # without boxes there is nothing to score
            try:
                values = call_metric(metric, subject)
            except BaseException as error:  # the code may also raise SystemExit and KeyboardInterrupt
                os.write(report, FAILED + PLACE.pack(row, 0) + explained(error, arguments))
                continue
            for start in range(0, len(values), CHUNK):
                os.write(report, VALUES + PLACE.pack(row, start) + values[start : start + CHUNK].tobytes())

    guarded(report, arguments, work)


def explain(error: BaseException, filename: str, memory_mb: int) -> str:
    """The error in words, with the line of `filename` that raised it, and a hint when the sandbox forbade something."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES):
        words += "; the sandbox forbids it (no network, no processes, no files but Python's own packages)"
    if isinstance(error, MemoryError):
        words += f"; the limit is {memory_mb} MB"
    lines = [(f.lineno, f.line) for f in traceback.extract_tb(error.__traceback__) if f.filename == filename]
    if isinstance(error, SyntaxError) and error.filename == filename:
        lines = [(error.lineno, (error.text or "").strip())]
    return f"{words} (line {lines[-1][0]}: {lines[-1][1]})" if lines else words


def _load(code: int, filename: str) -> dict[str, Callable]:
    _, arrays = unpack(code)
    return load(arrays["code"].tobytes().decode(), filename)


def _declarations(code: int, filename: str) -> bytes:
    return json.dumps([asdict(spec_of(metric)) for metric in _load(code, filename).values()]).encode()


def guarded(report: int, arguments: dict[str, Any], work: Callable[[], object]) -> None:
    """Do the work, report an error, and end the process without running exit functions."""
    try:
        work()
    except BaseException as error:
        os.write(report, BROKEN + explained(error, arguments))
    os._exit(0)


def explained(error: BaseException, arguments: dict[str, Any]) -> bytes:
    """The error in words as the end of a packet."""
    try:
        return explain(error, arguments["filename"], arguments["memory_mb"]).encode(errors="replace")[:WORDS]
    except BaseException:  # an exception that cannot even be printed
        return b"an exception that cannot be printed"


def _subjects(payload: int, first: int) -> Iterator[tuple[int, Frame | Dataset]]:
    meta, arrays = unpack(payload)
    if meta["scope"] == "dataset":
        names = tuple(meta["class_names"])
        yield 0, Dataset(root=Path(), class_names=names, **arrays)
        return
    for row in range(first, len(meta["frames"])):
        yield row, frame_of(meta, row, arrays)


def frame_of(meta: dict[str, Any], row: int, arrays: dict[str, np.ndarray]) -> Frame:
    """One frame of a payload."""
    own: dict[str, Any] = {name: arrays[f"{row}.{name}"] for name in meta["frames"][row]["arrays"]}
    predicted = None
    if "predicted_boxes" in own:
        predicted = Detections(*(own.pop(name) for name in ("predicted_boxes", "predicted_scores", "predicted_labels")))
    whole = {name: meta["frames"][row][name] for name in ("image_id", "width", "height")}
    return Frame(**whole, **own, predictions=predicted, class_names=tuple(meta["class_names"]))
