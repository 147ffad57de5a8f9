"""Light and colour of the whole image: exposure, contrast, saturation; measured on a small copy of it.

Every image is measured with its long side resized to 96 pixels, so that scores of images of any size compare; colour
is measured at half of that, because JPEG stores it at half the size.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from metricloop.data.frame import Frame
from metricloop.metrics.catalogue._small import (
    SIDE,
    colours,
    halved,
    halved_luma,
    luma,
    luma_below,
    luma_counts,
    luma_moments,
    luma_percentile,
)
from metricloop.metrics.contract import metric


@metric(level="image", needs=("image",), side=SIDE)
def brightness(frame: Frame) -> float:
    """Mean luma over 255, at a long side of 96 pixels; 0 (black) to 1 (white).

    Luma is .299 R + .587 G + .114 B. Direction: neither end is right by itself; use it with the policy `band`. Dark
    photos are the more common fault, so higher counts as better. Source: "brightness" of encord-active and fastdup.

    >>> image = np.full((72, 96, 3), 51, np.uint8)
    >>> brightness(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.2
    """
    return luma_moments(frame)[0] / 255


@metric(level="image", needs=("image",), side=SIDE)
def perceived_brightness(frame: Frame) -> float:
    """Brightness as the eye weighs the channels, at a long side of 48 pixels; 0 (black) to 1 (white).

    sqrt(.241 R^2 + .691 G^2 + .068 B^2) / 255 of the *mean* R, G and B of the image. Direction: as `brightness`, from
    which it differs on coloured images: pure blue has .26 here, and .11 there. Source: Finley's HSP colour model
    (2006); cleanvision uses the same weights.

    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[..., 1] = 255
    >>> round(perceived_brightness(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image)), 3)
    0.831
    """
    red, green, blue, _ = cv2.mean(halved(frame))
    return (0.241 * red**2 + 0.691 * green**2 + 0.068 * blue**2) ** 0.5 / 255


@metric(level="image", needs=("image",), side=SIDE)
def highlights(frame: Frame) -> float:
    """How bright the brightest part of the image is, at a long side of 96 pixels; 0 to 1, *low is a dark image*.

    The 99th percentile of luma over 255: the lowest level that at least 99 % of the pixels do not exceed.
    Direction: higher is better: below about 0.3 nothing in the image is lit. Source: cleanvision's "dark" issue.

    >>> image = np.full((72, 96, 3), 51, np.uint8)
    >>> highlights(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.2
    """
    return luma_percentile(frame, 99) / 255


@metric(level="image", needs=("image",), side=SIDE)
def shadows(frame: Frame) -> float:
    """How dark the darkest part of the image is, at a long side of 96 pixels; 0 to 1 (high = fine, low = overexposed).

    1 - the 5th percentile of luma over 255. Direction: higher is better: below about 0.05 all of the image is close to
    white. Source: cleanvision's "light" issue.

    >>> image = np.full((72, 96, 3), 51, np.uint8)
    >>> shadows(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.8
    """
    return 1 - luma_percentile(frame, 5) / 255


@metric(level="image", needs=("image",), side=SIDE)
def contrast(frame: Frame) -> float:
    """Standard deviation of luma over 255, at a long side of 96 pixels; 0 (plain) to 0.5 (half black, half white).

    Direction: higher is better: fog, haze and blank pages score near 0. Falls when the image is dimmed; see
    `rms_contrast`. Source: "contrast" of encord-active and fastdup.

    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[:, 48:] = 255
    >>> contrast(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.5
    """
    return luma_moments(frame)[1] / 255


@metric(level="image", needs=("image",), side=SIDE)
def rms_contrast(frame: Frame) -> float:
    """Standard deviation of luma over its mean, at a long side of 96 pixels; 0 (plain) and above, rarely above 2.

    Unchanged, up to rounding, when the image is dimmed. nan for a black image. Direction: higher is better.
    Source: root-mean-square contrast (Peli, 1990), of luma relative to its mean.

    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[:, 48:] = 100
    >>> rms_contrast(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    1.0
    """
    mean, deviation = luma_moments(frame)
    return deviation / mean if mean else float("nan")


@metric(level="image", needs=("image",), side=SIDE)
def dynamic_range(frame: Frame) -> float:
    """The span of luma that 90 % of the pixels lie in, at a long side of 96 pixels; 0 (plain) to 1.

    95th - 5th percentile of luma, over 255; a few bright or dark pixels do not change it. Direction: higher is better.
    Source: the usual robust range; compare "low contrast" of scikit-image's is_low_contrast.

    >>> image = np.full((72, 96, 3), 51, np.uint8)
    >>> image[:, 48:] = 102
    >>> dynamic_range(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.2
    """
    return (luma_percentile(frame, 95) - luma_percentile(frame, 5)) / 255


@metric(level="image", needs=("image",), side=SIDE)
def entropy(frame: Frame) -> float:
    """Entropy of the luma histogram, -sum p log2 p over its 256 levels, at a long side of 96 pixels; 0 to 8 bits.

    Direction: higher is better: drawings, blank pages and lens caps score low. The order of the pixels has no part in
    it. Source: Shannon (1948); cleanvision's "low information" issue.

    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[:, 48:] = 255
    >>> entropy(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    1.0
    """
    counts = luma_counts(frame)
    n = luma(frame).size
    return max(0.0, math.log2(n) - float(counts @ np.log2(np.maximum(counts, 1))) / n)  # a level without pixels adds 0


@metric(level="image", needs=("image",), side=SIDE, higher_is="worse")
def clipping(frame: Frame) -> float:
    """Share of the pixels whose luma is at most 2 or at least 253, at a long side of 96 pixels; 0 to 1.

    What is clipped has lost its detail in shadow or glare. Shrinking averages single clipped pixels away: only areas
    count. Direction: higher is worse. Drawn backgrounds in pure white or black count in full. Source: the exposure
    warning of cameras.

    >>> image = np.full((72, 96, 3), 128, np.uint8)
    >>> image[:18] = 255
    >>> clipping(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.25
    """
    below = luma_below(frame)
    return float(below[2] + below[255] - below[252]) / float(below[255])


@metric(level="image", needs=("image",), side=SIDE)
def saturation(frame: Frame) -> float:
    """Mean saturation S of HSV, (max - min) / max of R, G, B, 0 for black; at a long side of 48 pixels; 0 to 1.

    Direction: higher counts as better: grey photos in a set of colour photos, and washed-out ones, score low; 0 is a
    greyscale image. Dark pixels saturate easily. Source: the HSV of Smith (1978); fastdup has a saturation, too.

    >>> image = np.full((72, 96, 3), 100, np.uint8)
    >>> image[:, 48:] = (200, 0, 100)
    >>> saturation(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    0.5
    """
    red, green, blue = colours(frame)
    high, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return cv2.mean(cv2.divide(cv2.subtract(high, low), high, scale=255))[0] / 255  # 0 / 0 is 0 there


@metric(level="image", needs=("image",), side=SIDE)
def colourfulness(frame: Frame) -> float:
    """How many colours, and how strong, at a long side of 48 pixels; 0 (grey) and above, rarely above 110.

    With rg = R - G and yb = (R + G) / 2 - B, in levels of 0 to 255: sqrt(var rg + var yb) + 0.3 sqrt(mean rg ^ 2 +
    mean yb ^ 2). People call 15 slightly, 45 averagely and 82 highly colourful. Direction: higher counts as better.
    Source: Hasler and Suesstrunk, Measuring colourfulness in natural images (2003).

    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[..., 0], image[..., 1] = 200, 100  # rg = 100, yb = 150 everywhere: 0.3 sqrt(100^2 + 150^2)
    >>> round(colourfulness(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image)), 3)
    54.083
    """
    red, green, blue = colours(frame)
    r, g, b, _ = cv2.sumElems(halved(frame))
    n = red.size
    rg2 = round(cv2.norm(red, green, cv2.NORM_L2SQR))
    rb2 = round(cv2.norm(red, blue, cv2.NORM_L2SQR))
    gb2 = round(cv2.norm(green, blue, cv2.NORM_L2SQR))
    yb2 = 2 * rb2 + 2 * gb2 - rg2  # the sum of (R + G - 2 B)^2, all of it in whole numbers, so that grey has 0
    mean_rg, mean_yb = (r - g) / n, (r + g - 2 * b) / (2 * n)
    variance = (n * rg2 - (r - g) ** 2 + (n * yb2 - (r + g - 2 * b) ** 2) / 4) / n**2
    return float(max(variance, 0.0) ** 0.5 + 0.3 * (mean_rg**2 + mean_yb**2) ** 0.5)


@metric(level="image", needs=("image",), side=SIDE, higher_is="worse")
def vignetting(frame: Frame) -> float:
    """How much darker the image gets from its centre to its corners, at a long side of 48 pixels; about -15 to 8.

    luma = a - v r^2 is fitted by least squares, with r the distance from the centre, 1 at the corners; the score is v
    over the mean luma. 0: even light; 0.5: the corners are darker by half the mean; below 0: they are brighter.
    nan for a black image, and where all pixels are equally far from the centre. Direction: higher is worse, although
    an object in a spotlight scores high as well. Source: the first term of the even polynomial that models
    vignetting, as in Goldman (2010).

    >>> y, x = np.mgrid[-1:1:72j, -1:1:96j]
    >>> dimmed = 200 * (1 - 0.3 * (x**2 * 95**2 + y**2 * 71**2) / (95**2 + 71**2))
    >>> image = np.repeat(np.rint(dimmed).astype(np.uint8)[..., None], 3, axis=2)
    >>> even = Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=np.full_like(image, 99))
    >>> round(vignetting(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image)), 2)  # 60 / mean 179.6
    0.33
    >>> abs(round(vignetting(even), 6))
    0.0
    """
    grey, mean = halved_luma(frame), luma_moments(frame)[0]
    weights = _slope_weights(*grey.shape)
    if weights is None or mean == 0:
        return float("nan")
    return -float(grey.ravel().astype(np.float32) @ weights) / mean


@lru_cache(maxsize=256)
def _slope_weights(height: int, width: int) -> np.ndarray | None:
    """What the pixels are weighed with to give the slope of luma over r^2, (height * width,) float32."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in (height, width))
    squared = y[:, None] ** 2 + x[None] ** 2
    centred = (squared / (squared.max() or 1) - squared.mean() / (squared.max() or 1)).ravel()
    spread = centred @ centred
    return (centred / spread).astype(np.float32) if spread > 1e-12 else None
