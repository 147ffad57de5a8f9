"""The box of a shape in CVAT's XML: a box as it stands; of a polygon, mask, ellipse or turned box what it spans."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from metricloop.data.formats.coco_boxes import around_turned
from metricloop.data.formats.values import number, truth

CORNERS = ("xtl", "ytl", "xbr", "ybr")
CROWD = ("is_crowd", "iscrowd", "crowd", "difficult")  # attributes that say: no single object
SHAPES = ("box", "polygon", "ellipse", "mask", "cuboid")
NO_REGIONS = ("polyline", "points", "skeleton")  # they surround nothing
Box = list[float]


def shape_box(shape: Element) -> tuple[Box | None, bool]:
    """xyxy in pixels, None where it cannot be read; and whether the shape was turned."""
    try:
        return _box(shape)
    except (ValueError, OverflowError, IndexError):
        return None, False


def is_crowd(shape: Element) -> bool:
    """Whether an attribute says that the shape is no single object."""
    found = shape.iter("attribute")
    return any((item.get("name") or "").strip().lower() in CROWD and truth(item.text) for item in found)


def _box(shape: Element) -> tuple[Box | None, bool]:
    angle = number(shape.get("rotation") or 0)
    turned = math.isfinite(angle) and angle % 360 != 0
    if shape.tag == "box":
        x1, y1, x2, y2 = _numbers(shape, CORNERS)
        if not turned:
            return [x1, y1, x2, y2], False
        return around_turned((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, math.radians(angle)), True
    if shape.tag == "ellipse":
        x, y, rx, ry = _numbers(shape, ("cx", "cy", "rx", "ry"))
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        half_w, half_h = math.hypot(rx * c, ry * s), math.hypot(rx * s, ry * c)
        return [x - half_w, y - half_h, x + half_w, y + half_h], turned
    if shape.tag == "mask":
        x, y, w, h = _numbers(shape, ("left", "top", "width", "height"))
        return [x, y, x + w, y + h], False
    if shape.tag == "cuboid":
        corners = [(key, value) for key, value in shape.attrib.items() if key[:1] in "xy" and key[1:-1] in _CUBOID]
        return _around([number(v) for k, v in corners if k[0] == "x"], [number(v) for k, v in corners if k[0] == "y"])
    points = [point.split(",") for point in (shape.get("points") or "").split(";") if point.strip()]
    return _around([number(point[0].strip()) for point in points], [number(point[1].strip()) for point in points])


_CUBOID = ("tl", "bl", "tr", "br")


def _around(x: Box, y: Box) -> tuple[Box | None, bool]:
    return ([min(x), min(y), max(x), max(y)] if x and y else None), False


def _numbers(shape: Element, names: tuple[str, ...]) -> Box:
    return [number(shape.get(name)) for name in names]
