"""Fine detail of the whole image: sharpness, noise and edges; measured on a small copy of it.

Every image is measured with its long side resized to 96 pixels, so finer blur and noise have no effect.
"""

from __future__ import annotations

import cv2

from metricloop.data.frame import Frame
from metricloop.metrics.catalogue._small import SIDE, halved_luma, luma
from metricloop.metrics.contract import metric

WEAK, STRONG = 100, 200  # Canny's thresholds: |Sobel x| + |Sobel y| of luma, 4 of which are a step of one level


@metric(level="image", needs=("image",), side=SIDE)
def sharpness(frame: Frame) -> float:
    """Variance of the Laplacian of luma, at a long side of 96 pixels; 0 (plain or blurred) and above.

    In squared levels; the kernel is 0 1 0, 1 -4 1, 0 1 0, the border mirrored. Photos have about 100 to 5,000.
    Without a stated scale the same photo scores less the larger it is stored; an image stored smaller than
    96 pixels is enlarged, and scores low as its detail is missing. Busy textures score high in any focus.
    Direction: higher is better. Source: Pech-Pacheco et al. (2000).

    >>> import numpy as np
    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[:, ::2] = 10  # columns of 10 and 0: the Laplacian is -20 and 20
    >>> sharpness(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image))
    400.0
    """
    laplacian = cv2.Laplacian(luma(frame), cv2.CV_16S)
    n, total = laplacian.size, cv2.sumElems(laplacian)[0]
    return (n * round(cv2.norm(laplacian, cv2.NORM_L2SQR)) - total * total) / n**2  # rounded: the sum is whole


@metric(level="image", needs=("image",), side=SIDE, higher_is="worse")
def noise(frame: Frame) -> float:
    """Standard deviation of the noise in luma, in levels, at a long side of 96 pixels; 0 and above.

    sqrt(pi / 2) / 36 times the mean of |N * luma| over the inner pixels, with the kernel N = 1 -2 1, -2 4 -2, 1 -2 1,
    which is 0 on even areas and on straight edges along rows and columns. Shrinking a photo averages
    its noise away: what is left is strong, or is fine texture, which counts as noise too. nan for an image less than
    3 pixels high or wide at that scale. Direction: higher is worse.
    Source: Immerkaer, Fast noise variance estimation (1996).

    >>> import numpy as np
    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[::2, ::2] = image[1::2, 1::2] = 9  # |N * luma| is 8 * 9 everywhere: sqrt(pi / 2) / 6 * 72
    >>> round(noise(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image)), 3)
    15.04
    """
    grey = luma(frame)
    if min(grey.shape) < 3:
        return float("nan")
    # The product of two second derivatives, one along the rows and one along the columns, is the kernel N.
    inner = cv2.Sobel(grey, cv2.CV_16S, 2, 2, ksize=3)[1:-1, 1:-1]
    return 1.2533141373155003 / 6 * cv2.norm(inner, cv2.NORM_L1) / inner.size


@metric(level="image", needs=("image",), side=SIDE)
def edge_density(frame: Frame) -> float:
    """Share of the pixels that lie on an edge, at a long side of 48 pixels; 0 to about 0.5.

    Edges are Canny's, with thresholds of 100 and 200 on the sum of the absolute Sobel derivatives of luma: a step of
    more than 50 levels begins an edge, one of more than 25 carries it on. Averaging over 2 x 2 of the 96 pixels is the
    smoothing that comes first. Direction: higher counts as better, as empty and blurred images score low; cluttered
    ones score highest. Source: Canny (1986).

    >>> import numpy as np
    >>> image = np.zeros((72, 96, 3), np.uint8)
    >>> image[:, 48:] = 255  # one edge, a pixel wide: one of 48 columns
    >>> edge_density(Frame(1, 96, 72, np.zeros((0, 4)), np.zeros(0, int), image=image)) * 48
    1.0
    """
    grey = halved_luma(frame)
    return cv2.countNonZero(cv2.Canny(grey, WEAK, STRONG)) / grey.size
