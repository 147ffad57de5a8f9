"""The box of a COCO annotation: its bbox, else what its polygons or its mask span; turned boxes by what they span."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from metricloop.data.formats.values import number

MOST_RUNS = 5_000_000  # of a mask
Box = list[float]


def box_of(entry: dict[str, Any]) -> tuple[Box | None, str]:
    """xyxy in pixels, None where there is none; and what was done with it, "" if it stands as it is."""
    stated = entry.get("bbox")
    try:
        if _says_something(stated):
            if not isinstance(stated, (list, tuple)) or len(stated) != 4:
                return None, ""
            x, y, w, h = (number(value) for value in stated)
            return _turned([x, y, x + w, y + h], entry.get("attributes"))
        return _spanned(entry.get("segmentation")), ""
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError):
        return None, ""


def _says_something(stated: Any) -> bool:
    """Whether there is a bbox; four zeros stand where an exporter had none."""
    if isinstance(stated, (list, tuple)):
        return any(value not in (0, "0") for value in stated)
    return stated is not None


def _turned(box: Box, attributes: Any) -> tuple[Box, str]:
    """The box around a box that is turned by `rotation` degrees about its middle, as CVAT writes it."""
    angle = number(attributes.get("rotation", 0) or 0) if isinstance(attributes, dict) else 0.0
    if angle % 360 == 0 or not math.isfinite(angle):
        return box, ""
    return around_turned(*_middle(box), math.radians(angle)), "turned box"


def _middle(box: Box) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def around_turned(x: float, y: float, w: float, h: float, angle: float) -> Box:
    """xyxy around a rectangle with its middle at (x, y), turned by `angle` radians.

    >>> [round(side) for side in around_turned(10, 10, 8, 4, math.pi / 2)]
    [8, 6, 12, 14]
    """
    c, s = abs(math.cos(angle)), abs(math.sin(angle))
    half_w, half_h = (w * c + h * s) / 2, (w * s + h * c) / 2
    return [x - half_w, y - half_h, x + half_w, y + half_h]


def _spanned(shape: Any) -> Box | None:
    if isinstance(shape, dict):
        return mask_box(shape)
    if not isinstance(shape, list) or not shape:
        return None
    polygons = shape if isinstance(shape[0], (list, tuple)) else [shape]
    values = [number(value) for polygon in polygons for value in polygon]
    if len(values) < 4 or len(values) % 2:
        return None
    return [min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])]


def mask_box(mask: dict[str, Any]) -> Box | None:
    """xyxy around a run-length encoded mask, compressed or not, far edges included; None for an empty one.

    Runs go down the columns, so the box follows from where they begin and end; no mask is unpacked.

    >>> mask_box({"size": [4, 5], "counts": [5, 2, 2, 2, 9]})
    [1.0, 1.0, 3.0, 3.0]
    """
    height = int(number(mask["size"][0]))
    counts = mask.get("counts")
    runs = _unpacked(counts.encode()) if isinstance(counts, str) else counts
    if runs is None or height <= 0:
        return None
    at, box = 0, None
    for place, run in enumerate(runs):
        if place > MOST_RUNS or isinstance(run, (bool, str)) or run < 0:
            return None
        if place % 2 and run:
            (left, top), (right, bottom) = divmod(at, height), divmod(at + int(run) - 1, height)
            if right > left:
                top, bottom = 0, height - 1
            old = box or (left, top, right, bottom)
            box = min(old[0], left), min(old[1], top), max(old[2], right), max(old[3], bottom)
        at += int(run)
    return None if box is None else [float(box[0]), float(box[1]), box[2] + 1.0, box[3] + 1.0]


def _unpacked(packed: bytes) -> Iterator[int]:
    """The runs of COCO's compressed form: five bits a character, lowest first, each run but the first three less the
    one two before it.
    """
    before: list[int] = []
    at = 0
    while at < len(packed):
        value, bits, more = 0, 0, True
        while more:
            char = packed[at] - 48
            if not 0 <= char < 64 or bits > 60:
                raise ValueError("no run-length code")
            value |= (char & 31) << bits
            more, at, bits = bool(char & 32), at + 1, bits + 5
            if not more and char & 16:
                value |= -1 << bits
        if len(before) > 2:
            value += before[-2]
        before = [*before[-2:], value]
        yield value
