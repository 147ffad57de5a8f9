"""The boxes of a Label Studio annotation: rectangles; of polygons, ellipses and turned rectangles what they span."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from metricloop.data.formats.values import name_of, number, size_of

Box = list[float]
CROWD = "crowd"  # a line of a region's meta text


@dataclass(frozen=True)
class Region:
    """A region with a class. box: xyxy in percent, None where the region has none that can be read; size: width and
    height of the picture as declared; kind: of its shape, for messages; names: of its classes."""

    kind: str
    names: tuple[str, ...]
    box: Box | None
    size: tuple[int | None, int | None]
    crowd: bool
    turned: bool


def regions(result: Any) -> Iterator[Region]:
    """The regions of a result; those that only hold a class for another region of the same id are joined to it."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for place, item in enumerate(result if isinstance(result, list) else []):
        if isinstance(item, dict) and isinstance(item.get("value"), dict):
            parts.setdefault(str(item.get("id") or f"#{place}"), []).append(item)
    for items in parts.values():
        yield _region(items)


def _region(items: list[dict[str, Any]]) -> Region:
    first = items[0]
    value = next((item["value"] for item in items if _has_shape(item["value"])), first["value"])
    names = [name for item in items for name in _names(item["value"])]
    size = (size_of(first.get("original_width")), size_of(first.get("original_height")))
    try:
        box, turned = _box(value, size)
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        box, turned = None, False
    crowd = any(CROWD in _lines(item) for item in items)
    return Region(str(first.get("type", "region")), tuple(dict.fromkeys(names)), box, size, crowd, turned)


def _has_shape(value: dict[str, Any]) -> bool:
    return "x" in value or "points" in value


def _names(value: dict[str, Any]) -> list[str]:
    """The classes of a region: the list under rectanglelabels, polygonlabels, labels and so on."""
    found = [
        name_of(one) for key, own in value.items() if key.endswith("labels") and isinstance(own, list) for one in own
    ]
    return [name for name in found if name]


def _lines(item: dict[str, Any]) -> list[str]:
    meta = item.get("meta")
    text = meta.get("text") if isinstance(meta, dict) else None
    lines = text if isinstance(text, list) else [text]
    return [line.strip().lower() for line in lines if isinstance(line, str)]


def _box(value: dict[str, Any], size: tuple[int | None, int | None]) -> tuple[Box | None, bool]:
    if isinstance(value.get("points"), list):
        points = [(number(x), number(y)) for x, y in value["points"]]
        return _around(points), False
    if "x" not in value:
        return None, False
    x, y = number(value["x"]), number(value["y"])
    angle = number(value.get("rotation") or 0)
    turned = math.isfinite(angle) and angle % 360 != 0
    if "radiusX" in value:
        rx, ry = number(value["radiusX"]), number(value["radiusY"])
        if turned:
            rx, ry = _turned_ellipse(rx, ry, math.radians(angle), size)
        return [x - rx, y - ry, x + rx, y + ry], turned
    w, h = number(value["width"]), number(value["height"])
    if not turned:
        return [x, y, x + w, y + h], False
    return _around(_turned(x, y, w, h, math.radians(angle), size)), True


def _turned(
    x: float, y: float, w: float, h: float, angle: float, size: tuple[int | None, int | None]
) -> list[tuple[float, float]]:
    """The corners of a rectangle that is turned about its upper left one, in pixels, so that a turn keeps lengths."""
    across, down = size[0] or 100, size[1] or 100
    c, s = math.cos(angle), math.sin(angle)
    corners = [(a * w * across / 100, b * h * down / 100) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return [(x + (a * c - b * s) * 100 / across, y + (a * s + b * c) * 100 / down) for a, b in corners]


def _turned_ellipse(rx: float, ry: float, angle: float, size: tuple[int | None, int | None]) -> tuple[float, float]:
    """Half the width and height that an ellipse takes when it is turned about its middle, in percent as before."""
    across, down = size[0] or 100, size[1] or 100
    rx, ry = rx * across, ry * down
    c, s = math.cos(angle), math.sin(angle)
    return math.hypot(rx * c, ry * s) / across, math.hypot(rx * s, ry * c) / down


def _around(points: list[tuple[float, float]]) -> Box | None:
    if not points:
        return None
    across, down = zip(*points, strict=True)
    return [min(across), min(down), max(across), max(down)]
