"""Checks that the gates of metrics and of repairs share; each returns "" or, in a line, what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from metricloop.data.frame import Detections, Frame


class Answer(Protocol):
    """The result of one frame."""

    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class BrokenRule:
    """One broken rule. rule: its name. said: what was seen, in a line. like: for `new`, the known one that is alike."""

    rule: str
    said: str
    like: str | None = None


def lacking(needs: Iterable[str], frames: Sequence[Frame]) -> str:
    """Inputs that some frames do not have."""
    lacks = [need for need in needs if any(getattr(frame, need) is None for frame in frames)]
    return f"needs {', '.join(lacks)}, which this study does not have" if lacks else ""


def failing(frames: Sequence[Frame], answers: Sequence[Answer]) -> str:
    """How many frames it fails on, and the first of them."""
    failed = [(frame, answer.error) for frame, answer in zip(frames, answers, strict=True) if answer.error]
    return f"fails on {len(failed)} of {len(frames)} frames; {place_of(failed[0][0])}: {failed[0][1]}" if failed else ""


def too_slow(
    frames: Sequence[Frame], took: float, patience: float, ask: Callable[[Sequence[Frame]], Sequence[Answer]]
) -> str:
    """The time per frame, without the time to start. took: seconds for all frames. patience: seconds for one."""
    if took <= patience * len(frames) or len(frames) < 2:
        return ""
    began = time.monotonic()
    ask(frames[:1])
    each = (took - (time.monotonic() - began)) / (len(frames) - 1)
    return f"takes {each:.2g} s a frame; the pool's size leaves {patience:.2g} s" if each > patience else ""


def dies(answers: Sequence[Answer]) -> str:
    """The error of the first frame that has one."""
    return next((f"fails: {answer.error}" for answer in answers if answer.error), "")


def shuffled(frames: Sequence[Frame]) -> tuple[list[np.ndarray], list[Frame]]:
    """Per frame an order of its boxes, at random but always the same, and the frame with its boxes in that order."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(frame.boxes)) for frame in frames]
    return orders, [
        replace(frame, boxes=frame.boxes[order], labels=frame.labels[order])
        for frame, order in zip(frames, orders, strict=True)
    ]


def without_boxes(frame: Frame) -> Frame:
    predictions = None if frame.predictions is None else Detections.empty()
    return replace(frame, boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64), predictions=predictions)


def with_tiny_boxes(frame: Frame) -> Frame:
    """Boxes: one pixel in the middle, one in each of two corners, and the whole image."""
    w, h = frame.width, frame.height
    boxes = [[w // 2, h // 2, w // 2 + 1, h // 2 + 1], [0, 0, 1, 1], [w - 1, h - 1, w, h], [0, 0, w, h]]
    return replace(frame, boxes=np.array(boxes, np.float32), labels=np.zeros(len(boxes), np.int64))


def place_of(frame: Frame) -> str:
    return f"image {frame.image_id} ({frame.width} x {frame.height}, {len(frame.boxes)} boxes)"
