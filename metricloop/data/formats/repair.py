"""Fit boxes to the picture as it is shown, and report every repair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metricloop.data.formats.source import Record

SLACK = 1.0  # px; overshoot from rounding, clipped without a word
SMALLEST = 0.5  # px; a box narrower than this holds nothing
SAME_SHAPE = 0.02  # sides that differ by the same factor up to this were resized


def repair(record: Record, width: int, height: int, orientation: int = 1) -> tuple[Record, list[tuple[str, str]]]:
    """Labels in pixels of the picture as shown, which is `width` x `height`, and (problem, action) for each repair.

    orientation: the EXIF orientation that was applied to show the picture.
    """
    boxes, notes = _place(record, np.concatenate([record.boxes, record.lookalikes]), width, height, orientation)
    split = len(record.boxes)
    boxes, lookalikes = boxes[:split], boxes[split:]
    fitted, kept = _fit(boxes, width, height, notes)
    fitted_lookalikes, kept_lookalikes = _fit(lookalikes, width, height, [])
    repaired = replace(
        record,
        boxes=fitted[kept],
        labels=record.labels[kept],
        crowd=record.crowd[kept],
        lookalikes=fitted_lookalikes[kept_lookalikes],
        width=width,
        height=height,
        relative=False,
    )
    return repaired, notes


def _place(
    record: Record, boxes: np.ndarray, width: int, height: int, orientation: int
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Boxes in the pixels of the shown picture, not yet cleaned.

    A picture that EXIF turns upright may have been labelled before or after turning; only the declared size tells,
    and only when turning swaps the sides. Where it tells nothing, the boxes are taken as drawn on what people see.
    """
    notes: list[tuple[str, str]] = []
    if record.relative:
        with np.errstate(over="ignore"):  # what is not finite is dropped later
            boxes = boxes * np.array([width, height, width, height])
    declared = (record.width, record.height)
    if orientation >= 5 and width != height and declared == (height, width):
        notes.append(("EXIF-rotated picture, labelled unrotated", "picture and boxes turned upright"))
        return turn_upright(boxes, orientation, height, width), notes
    if orientation > 1 and (declared != (width, height) or width == height or orientation < 5):
        notes.append(("EXIF-rotated picture", "turned upright; boxes taken as drawn on the upright picture"))
    if record.width and record.height and declared != (width, height):
        x, y = width / record.width, height / record.height
        size = f"declared {record.width} x {record.height}, is {width} x {height}"
        if abs(x / y - 1) <= SAME_SHAPE:
            notes.append(("declared size differs from the picture", f"boxes scaled ({size})"))
            return boxes * np.array([x, y, x, y]), notes
        notes.append(("declared size differs from the picture", f"boxes kept as they stand ({size})"))
    return boxes, notes


def turn_upright(boxes: np.ndarray, orientation: int, width: int, height: int) -> np.ndarray:
    """Boxes (n, 4) xyxy on a raster of `width` x `height` pixels, turned by EXIF `orientation`."""
    x, y = boxes[:, 0::2], boxes[:, 1::2]
    x, y = {
        1: (x, y), 2: (width - x, y), 3: (width - x, height - y), 4: (x, height - y),
        5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x),
    }[orientation]  # fmt: skip
    return np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)


def _fit(boxes: np.ndarray, width: int, height: int, notes: list[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes with corners in order and inside the picture, (n, 4), and which boxes still have an area, (n,) bool."""
    edges = np.array([width, height, width, height], float)
    kept = np.ones(len(boxes), bool)
    fitted = boxes.copy()
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        thick = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST).all(axis=1)
    good = (boxes >= 0).all(axis=1) & (boxes <= edges).all(axis=1) & thick
    for row in np.flatnonzero(~good):
        box = boxes[row]
        stated = "({})".format(", ".join(f"{value:.6g}" for value in box))
        if not np.isfinite(box).all():
            kept[row] = False
            notes.append(("box is not finite", f"dropped {stated}"))
            continue
        ordered = np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])
        fitted[row] = np.clip(ordered, 0, edges)
        if (ordered[2:] - ordered[:2] < SMALLEST).any():
            kept[row] = False
            notes.append(("box of zero area", f"dropped {stated}"))
        elif (fitted[row, 2:] - fitted[row, :2] < SMALLEST).any():
            kept[row] = False
            notes.append(("box outside the picture", f"dropped {stated}"))
        else:
            if (ordered != box).any():
                notes.append(("inverted box", f"corners swapped {stated}"))
            if np.abs(fitted[row] - ordered).max() > SLACK:
                notes.append(("box reaches over the edge of the picture", f"clipped {stated}"))
    return fitted, kept
