"""How well each box fits the object in it, from the pixels alone: contours, edges, colours.

Every box is cut out with a margin and resized to 64 x 64 pixels first, so that scores do not depend on the image's
size. A side on the border of the image has nothing beyond it and gives no evidence.
"""

from __future__ import annotations

import cv2
import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.frame import Frame, once
from metricloop.metrics.catalogue._crops import BOX, END, MARGIN, START, crops, cut, turned
from metricloop.metrics.catalogue._enclosure import enclosure_of
from metricloop.metrics.catalogue._sides import best_box, sides
from metricloop.metrics.contract import metric

NEAR = BOX // 4  # the margin of box_tightness and edge_support
CUT_ROUNDS = 3  # of GrabCut; its masks hardly change after that
UNIT = (0, 0, 1, 1)


@metric(level="object", needs=("image",))
def box_tightness(frame: Frame) -> np.ndarray:
    """How well a box fits the contours in it: the IoU of the two; (n,), 0 to 1, 1 is tight.

    Canny edges (thresholds by Otsu) of the box and its surroundings are followed to contours; those whose middle lies
    in the box, and that are longer than an eighth of its side, belong to the object; their common bounding rectangle is
    compared with the box. A loose box is larger than it, a box that cuts its object is smaller. 0 without any such
    contour; nan for a box with a side below 4 px.
    Direction: higher is better. Weak on busy backgrounds, whose contours fill every box. Unchanged, up to resampling,
    when the image is rescaled. Source: "bounding-box tightness" of Encord's article (2023).

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[20:60, 20:60] = 255
    >>> boxes = np.float32([[20, 20, 60, 60], [20, 20, 90, 90]])  # tight, loose
    >>> box_tightness(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [1.0, 0.3]
    """
    return np.array([np.nan if crop is None else _contour_fit(crop) for crop in _grey_crops(frame)])


@metric(level="object", needs=("image",))
def edge_support(frame: Frame) -> np.ndarray:
    """How strongly image edges start at the four sides of a box; (n,), 0 to 1, about 0.5 without evidence.

    Each side has two strips along it, just inside and just outside, each a sixth of the box wide. Its support is
    the share of their gradient that lies inside. Averaged over the four sides. An object fills the inner strips of a
    tight box, and only background the outer ones; a side on the border of the image has nothing beyond it. 0.5
    in an image without any gradient; nan for a box with a side below 4 px.
    Direction: higher is better. Sharpest on boxes that cut their object. Unchanged, up to resampling, when the image
    is rescaled. Source: our own, after the edge evidence of Edge Boxes (Zitnick and Dollar, 2014).

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[20:60:4, 20:60] = 255
    >>> boxes = np.float32([[20, 20, 60, 60], [30, 30, 50, 50]])  # tight, inside its object
    >>> edge_support(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.5]
    """
    return np.array([np.nan if crop is None else _side_support(crop) for crop in _grey_crops(frame)])


@metric(level="object", needs=("image",))
def weakest_side(frame: Frame) -> np.ndarray:
    """Edge support of the side with the least support; (n,), 0 to 1, 0.5 without evidence.

    As `edge_support`, but the least of the sides in place of their mean, through strips a tenth of the box wide, an
    edge on the side itself counting as inside, and without the sides that lie within a sixteenth of the box of the
    image's border. nan if that leaves none, for a box with a side below 4 px, and outside the image.
    Direction: higher is better. Finds a box with three good sides and a wrong one, which a mean hides; noisier than the
    mean for a box that is too large all around. Source: our own.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[20:60, 20:60] = 255
    >>> boxes = np.float32([[20, 20, 60, 60], [20, 20, 60, 80]])  # tight, one side too low
    >>> weakest_side(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.8, 0.5]
    """
    return np.array([np.nan if one is None else one.at_label(one.edge_steps()).min() for one in sides(frame)])


@metric(level="object", needs=("image",))
def colour_support(frame: Frame) -> np.ndarray:
    """How strongly the object's colours start at the sides of a box; (n,), 0 to 1, 0.5 without evidence.

    Colours (Lab, in bins of 16 x 4 x 4) are counted in the middle of the box, an ellipse of 0.6 of its size, and in a
    ring around it a quarter of its size wide: a pixel is of the object with chance inside / (inside + outside) of the
    shares of its colour. Along every side, the chance just inside less that just outside (strips an eighth of the box
    wide; per line, the 80th percentile, as a round object touches its side in few places), averaged over the sides
    with image beyond them: (1 + difference) / 2. nan without such a side, for a side below 4 px, outside the image.
    Direction: higher is better. Says little of objects that have the colours of their background. Source: our own;
    the chance is the histogram back-projection of Swain and Ballard (1991).

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255, 200, 0
    >>> boxes = np.float32([[30, 30, 70, 70], [20, 20, 80, 80]])  # tight, loose
    >>> colour_support(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.5]
    """
    found = [np.nan if one is None else one.at_label(one.figure_steps()).mean() for one in sides(frame)]
    return (1 + np.array(found, np.float64)) / 2


@metric(level="object", needs=("image",))
def enclosure(frame: Frame) -> np.ndarray:
    """How soon the colours change on the way into a box; (n,), 0 to 1, 0 when the background goes on inside.

    The geodesic distance of a pixel is the least change of colour, summed along a path, on any way to it from outside
    the box; what is usual between neighbours counts half. The score is the distance in strips an eighth of the box wide
    along its sides (the upper quintile of each) over the 90th percentile of all distances in the box. 1 if the way is
    barred right at the sides, 0 if less than a grey level is to be crossed. nan without image beyond any side, for a
    side below 4 px, outside the image.
    Direction: higher is better for a box that may be too large; a box that cuts its object scores high as well.
    Source: our own, after geodesic saliency (Wei et al., 2012), which asks the same of the border of the image.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255, 200, 0
    >>> boxes = np.float32([[30, 30, 70, 70], [20, 20, 80, 80]])  # tight, loose
    >>> enclosure(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.0]
    """
    return _enclosures(frame)


@metric(level="object", needs=("image",))
def search_tightness(frame: Frame) -> np.ndarray:
    """IoU of a box with the best box nearby; (n,), 0 to 1, 1 if none is better, 0 if all are equally bad.

    Each side is moved in steps of 1/64 of the box, a quarter of it outwards to a third inwards, to where the steps of
    `colour_support` (-1 to 1) plus twice the share of `weakest_side` (0 to 1) are highest; a side on the border of the
    image moves inwards only. The place is found to 1/32 of the box or so. nan without image beyond any side, for a
    side below 4 px, outside the image.
    Direction: higher is better. A search: no model, no training. Source: our own.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255, 200, 0
    >>> boxes = np.float32([[30, 30, 70, 70], [20, 20, 80, 80]])  # tight, loose: (40 / 60)^2 = 0.44
    >>> search_tightness(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.5]
    """
    best = [None if one is None else best_box(one) for one in sides(frame)]
    found = [
        np.nan if one is None else 0.0 if box is None else _iou(box, UNIT)
        for one, box in zip(sides(frame), best, strict=True)
    ]
    return np.array(found)


@metric(level="object", needs=("image",))
def box_fit(frame: Frame) -> np.ndarray:
    """All fast evidence of a box's fit in one score; (n,), 0 to 1, 0.4 in a flat image.

    0.4 colour_support + 0.4 edge share + 0.1 enclosure + 0.1 search_tightness, the edge share being the mean over the
    sides of what `weakest_side` takes the least of. The weights are round numbers set by hand, with an
    eye on four data sets; a fifth, not looked at before, did as well. nan without image beyond any side, for a side
    below 4 px, outside the image.
    Direction: higher is better. Finds boxes that are too large by a fifth of their side; a twentieth, which is what
    careful annotators differ by, it cannot tell. Source: our own.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255, 200, 0
    >>> boxes = np.float32([[30, 30, 70, 70], [20, 20, 80, 80]])  # tight, loose
    >>> box_fit(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [0.9, 0.5]
    """
    edges = np.array([np.nan if one is None else one.at_label(one.edge_steps()).mean() for one in sides(frame)])
    return 0.4 * colour_support(frame) + 0.4 * edges + 0.1 * _enclosures(frame) + 0.1 * search_tightness(frame)


@metric(level="object", needs=("image",))
def grabcut_tightness(frame: Frame) -> np.ndarray:
    """IoU of a box with the box around its object's mask, cut out by GrabCut; (n,), 0 to 1.

    Slow: 20 to 90 ms a box, ten times and more what other metrics take; ask for it by name where that is worth it.
    GrabCut starts from the label: the inner third of the box is object, the box probably so, a margin of a third of it
    probably background, what lies beyond it background. Parts of the mask below a tenth of its largest are left out;
    0 if nothing is left; nan for a box with a side below 4 px, or outside the image. GrabCut draws random numbers:
    OpenCV's generator is seeded with 0 before each box (for the whole process), so scores repeat.
    Direction: higher is better. Best where objects differ in colour from a plain background. Source: Rother et al.
    (2004), OpenCV's grabCut with 3 rounds; the mask's box as tightness is our own.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255, 200, 0
    >>> boxes = np.float32([[30, 30, 70, 70], [20, 20, 80, 80]])  # tight, loose: (40 / 60)^2 = 0.44
    >>> grabcut_tightness(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [1.0, 0.5]
    """
    return np.array([np.nan if crop is None else _cut_fit(crop.pixels) for crop in crops(frame)])


@once
def _enclosures(frame: Frame) -> np.ndarray:
    found = [np.nan if one is None or not one.open.any() else enclosure_of(one) for one in crops(frame)]
    return np.array(found, np.float64)


@once
def _grey_crops(frame: Frame) -> list[np.ndarray | None]:
    """Every box with a quarter of its size around it, (96, 96) uint8 grey; None for a box too small."""
    assert frame.image is not None  # the contract checks it
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    return [cut(grey, box, NEAR) for box in frame.boxes.astype(np.float64)]


def _contour_fit(crop: np.ndarray) -> float:
    blurred = cv2.GaussianBlur(crop, (0, 0), 2.0)
    strong, _ = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(cv2.Canny(blurred, strong / 2, strong), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = np.array([cv2.boundingRect(contour) for contour in contours], dtype=float).reshape(-1, 4)
    corner, size = found[:, :2], found[:, 2:]
    middle = corner + size / 2
    own = ((middle >= NEAR) & (middle < NEAR + BOX)).all(axis=1) & (size.max(axis=1) >= BOX / 8)
    if not own.any():
        return 0.0
    around = np.concatenate([corner[own].min(axis=0), (corner + size)[own].max(axis=0)])
    return _iou(around, (NEAR, NEAR, NEAR + BOX, NEAR + BOX))


def _side_support(crop: np.ndarray) -> float:
    blurred = cv2.GaussianBlur(crop, (0, 0), 1.0)
    gradient = np.hypot(cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    wide, along = BOX // 6, slice(NEAR, NEAR + BOX)
    shares = []
    for one in turned(gradient):
        outside, inside = one[NEAR - wide : NEAR, along].sum(), one[NEAR : NEAR + wide, along].sum()
        shares.append(inside / (inside + outside) if inside + outside > 0 else 0.5)
    return float(np.mean(shares))


def _cut_fit(pixels: np.ndarray) -> float:
    mask = np.full(pixels.shape[:2], cv2.GC_BGD, np.uint8)
    for inset, kind in ((MARGIN // 3, cv2.GC_PR_BGD), (START, cv2.GC_PR_FGD), (START + BOX // 3, cv2.GC_FGD)):
        mask[inset:-inset, inset:-inset] = kind
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, mask, (0, 0, 0, 0), *models, CUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    own = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(own)
    parts = parts[1:]
    if not len(parts):
        return 0.0
    corner, size, area = parts[:, :2], parts[:, 2:4], parts[:, 4]
    kept = area >= area.max() / 10
    around = np.concatenate([corner[kept].min(axis=0), (corner + size)[kept].max(axis=0)])
    return _iou(around, (START, START, END, END))


def _iou(box: np.ndarray, other: tuple[int, int, int, int]) -> float:
    return float(iou(box[None], np.array([other]))[0, 0])
