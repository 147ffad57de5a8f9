"""Boxes against the pixels around them."""

from __future__ import annotations

import cv2
import numpy as np

from metricloop.data.frame import Frame
from metricloop.metrics.repair_contract import Edit, repair

MARGIN = 0.3  # of each side: how far around a box the object may reach
SIDE = 96  # px, the long side of the picture that is cut out and looked at
ROUNDS = 3  # of GrabCut
SPECK = 0.05  # of the largest piece in front: smaller ones are no part of the object
LEAST, MOST = 0.3, 0.95  # IoU of the old and the new box, between which a box is moved


@repair(needs=("image",))
def tighten(frame: Frame) -> list[Edit]:
    """Move each box to the edges of what stands out from its surroundings; classes and number of labels stay.

    The surroundings are cut out with 30 % more on each side, and GrabCut parts the box from them by colour. Its new
    place is the bounding box of the part in front. Confidence: how unlike the colours of both parts are, 1 less their
    Bhattacharyya coefficient, times the share of the rim of the cut-out that is background. A box is left alone when
    it would hardly change, or change beyond recognition. Source: GrabCut, Rother, Kolmogorov and Blake (2004).
    """
    edits = []
    for row, box in enumerate(frame.boxes.astype(float)):
        found = tight_box(frame, box)
        if found is not None:
            edits.append(Edit.move(row, found[0].tolist(), found[1]))
    return edits


def tight_box(frame: Frame, box: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The new place of a box, (4,) xyxy pixels, and the confidence; None where it is better left alone."""
    x1, y1, x2, y2 = cut = _grown(frame, box)
    if min(box[2] - box[0], box[3] - box[1]) < 4:
        return None
    assert frame.image is not None  # the contract checks it
    scale = min(1.0, SIDE / max(x2 - x1, y2 - y1))
    size = max(8, round((x2 - x1) * scale)), max(8, round((y2 - y1) * scale))
    part = cv2.resize(np.ascontiguousarray(frame.image[y1:y2, x1:x2]), size, interpolation=cv2.INTER_AREA)
    factor = np.array([size[0] / (x2 - x1), size[1] / (y2 - y1)] * 2)
    inner = np.round((box - [x1, y1, x1, y1]) * factor).astype(int)
    mask = np.full(part.shape[:2], cv2.GC_BGD, np.uint8)
    mask[inner[1] : inner[3], inner[0] : inner[2]] = cv2.GC_PR_FGD
    rim = _rim(part.shape[:2])
    mask[(mask == cv2.GC_BGD) & ~rim] = cv2.GC_PR_BGD
    if not (mask == cv2.GC_BGD).any() or not (mask == cv2.GC_PR_FGD).any():
        return None
    front = _in_front(part, mask)
    if not front.any() or front.all():
        return None
    rows, columns = np.flatnonzero(front.any(axis=1)), np.flatnonzero(front.any(axis=0))
    corners = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / factor + [cut[0], cut[1]] * 2
    corners = np.clip(corners, 0, [frame.width, frame.height] * 2)
    overlap = _iou(box, corners)
    if not LEAST <= overlap <= MOST or (corners[2:] - corners[:2] < 2).any():
        return None
    return corners, float(_unlike(part, front) * (1 - front[rim].mean()))


def _in_front(part: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What GrabCut takes for foreground, (h, w) bool, without specks smaller than SPECK of the largest piece."""
    cv2.setRNGSeed(0)  # its first clusters are drawn
    cv2.grabCut(part, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    front = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, which, stats, _ = cv2.connectedComponentsWithStats(front, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0  # the background
    return (area >= max(1, SPECK * area.max()))[which] & (which > 0)


def _unlike(part: np.ndarray, front: np.ndarray) -> float:
    """How unlike the colours of the two parts are: 0 the same, 1 without a common colour."""
    bins = (part // 32).astype(int) @ [64, 8, 1]
    one, two = (np.bincount(bins[where], minlength=512) / max(where.sum(), 1) for where in (front, ~front))
    return 1 - float(np.sqrt(one * two).sum())


def _grown(frame: Frame, box: np.ndarray) -> tuple[int, int, int, int]:
    """The box with MARGIN around it, within the picture, in whole pixels."""
    wide, high = MARGIN * (box[2] - box[0]), MARGIN * (box[3] - box[1])
    return (
        max(0, int(box[0] - wide)),
        max(0, int(box[1] - high)),
        min(frame.width, int(np.ceil(box[2] + wide))),
        min(frame.height, int(np.ceil(box[3] + high))),
    )


def _rim(shape: tuple[int, ...]) -> np.ndarray:
    """The outermost pixels of a picture, two deep."""
    rim = np.ones(shape, bool)
    rim[2:-2, 2:-2] = False
    return rim


def _iou(one: np.ndarray, two: np.ndarray) -> float:
    common = np.prod((np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])).clip(0))
    return float(common / (np.prod(one[2:] - one[:2]) + np.prod(two[2:] - two[:2]) - common))
