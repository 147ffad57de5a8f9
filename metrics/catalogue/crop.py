"""What each object looks like in its box: contrast to its surroundings, sharpness, brightness, detail.

Every box is resized to 64 x 64 pixels first, so that scores do not depend on the size of object or image.
"""

from __future__ import annotations

import cv2
import numpy as np

from metricloop.data.frame import Frame, once
from metricloop.metrics.catalogue._crops import BOX, END, START, crops
from metricloop.metrics.contract import metric

RING = BOX // 4  # how far around the box its surroundings reach
BINS = 8  # of each channel
LEAST_RING = 0.05  # share of the ring that must lie in the image


@metric(level="object", needs=("image",))
def object_contrast(frame: Frame) -> np.ndarray:
    """How much the colours of an object differ from those around it; (n,), 0 (the same) to 1 (none in common).

    Hellinger distance, sqrt(1 - sum sqrt(p q)), between the colour histograms (Lab, 8 bins a channel) of the box and of
    a ring around it a quarter of its size wide, as far as it lies in the image. Histograms, not means: the mean colour
    of a panda is the grey of rocks. nan for a box with a side below 4 px, outside the image, or with less than 5 % of
    the ring in it.
    Direction: higher is better. Low for camouflaged and badly lit objects, and for boxes on the background. Source: the
    colour-contrast cue of Alexe et al. (2012), with a bounded distance in place of chi-squared.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[30:70, 30:70] = 255
    >>> boxes = np.float32([[30, 30, 70, 70], [2, 2, 20, 20]])  # white on black, black on black
    >>> object_contrast(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [1.0, 0.0]
    """
    ring = np.zeros((2 * START + BOX,) * 2, bool)
    ring[START - RING : END + RING, START - RING : END + RING] = True
    ring[START:END, START:END] = False
    scores = []
    for crop in crops(frame):
        around = None if crop is None else ring & crop.seen
        if crop is None or around is None or around.sum() < LEAST_RING * ring.sum():
            scores.append(np.nan)
            continue
        lab = cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2LAB).astype(np.int32) * BINS // 256
        bins = (lab[..., 0] * BINS + lab[..., 1]) * BINS + lab[..., 2]
        inside, outside = (
            np.bincount(part, minlength=BINS**3) / part.size for part in (_inner(bins).ravel(), bins[around])
        )
        scores.append(np.sqrt(max(0.0, 1 - np.sqrt(inside * outside).sum())))
    return np.array(scores, np.float64)


@metric(level="object", needs=("image",))
def object_sharpness(frame: Frame) -> np.ndarray:
    """Variance of the Laplacian of an object, at 64 x 64 pixels; (n,), 0 (flat) upwards, on grey levels of 0 to 255.

    The Laplacian is [0 1 0; 1 -4 1; 0 1 0]. An object smaller than 64 px is enlarged and therefore blurred: it has
    little detail. nan for a box with a side below 4 px, or outside the image.
    Direction: higher is better; also high for noise and for busy backgrounds in loose boxes. Compare logarithms.
    Source: Pech-Pacheco et al. (2000); FiftyOne measures it on crops of any size, where it follows resolution.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[:, ::2] = 10
    >>> boxes = np.float32([[0, 0, 64, 64]])  # every pixel differs by 10 from two neighbours: +20 or -20, squared 400
    >>> object_sharpness(Frame(1, 100, 100, boxes, np.array([0]), image=image)).round().tolist()
    [400.0]
    """
    return np.array(
        [np.nan if grey is None else cv2.Laplacian(grey, cv2.CV_32F).var(dtype=np.float64) for grey in _greys(frame)]
    )


@metric(level="object", needs=("image",))
def object_brightness(frame: Frame) -> np.ndarray:
    """Mean luma of an object over 255; (n,), 0 (black) to 1 (white).

    Luma is .299 R + .587 G + .114 B. nan for a box with a side below 4 px, or outside the image.
    Direction: neither end is right by itself; use it with the policy `band`. Objects in the dark are the more common
    problem, so higher counts as better. Source: as `brightness` of encord-active and fastdup, on the box.

    >>> image = np.full((100, 100, 3), 51, np.uint8)
    >>> boxes = np.float32([[10, 10, 60, 60]])
    >>> object_brightness(Frame(1, 100, 100, boxes, np.array([0]), image=image)).round(2).tolist()
    [0.2]
    """
    return np.array([np.nan if grey is None else grey.mean() / 255 for grey in _greys(frame)])


@metric(level="object", needs=("image",))
def object_entropy(frame: Frame) -> np.ndarray:
    """Entropy of an object's grey levels in bits; (n,), 0 (one level) to 6 (64 equally common).

    -sum p log2 p over 64 levels of the box at 64 x 64 pixels. nan for a box with a side below 4 px, or outside the
    image.
    Direction: higher is better: near 0 nothing is visible. Source: as cleanvision's low-information check, on
    the box; 64 levels for 256, which so few pixels would not fill.

    >>> image = np.zeros((100, 100, 3), np.uint8)
    >>> image[:, 32:] = 255
    >>> boxes = np.float32([[0, 0, 64, 64], [40, 0, 80, 40]])  # half black, half white; white
    >>> object_entropy(Frame(1, 100, 100, boxes, np.array([0, 0]), image=image)).round(1).tolist()
    [1.0, 0.0]
    """
    scores = []
    for grey in _greys(frame):
        share = np.zeros(1) if grey is None else np.bincount(grey.ravel() // 4, minlength=64) / grey.size
        share = share[share > 0]
        scores.append(np.nan if grey is None else abs(float((share * np.log2(share)).sum())))
    return np.array(scores, np.float64)


@once
def _greys(frame: Frame) -> list[np.ndarray | None]:
    """Every box alone, (64, 64) uint8 grey; None where there is no crop."""
    return [
        None if crop is None else cv2.cvtColor(_inner(crop.pixels).copy(), cv2.COLOR_RGB2GRAY) for crop in crops(frame)
    ]


def _inner(crop: np.ndarray) -> np.ndarray:
    return crop[START:END, START:END]
