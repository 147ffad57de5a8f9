"""Size, shape and compression of the image, from the file header."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Frame
from metricloop.metrics.contract import metric


@metric(level="image", scope="dataset")
def image_width(pool: Dataset) -> np.ndarray:
    """Width of the image as shown, in pixels; (images,), 1 and above.

    Direction: higher counts as better: more pixels show more. A width that no other image has may be a stray file.
    Source: the image table, as encord-active and cleanvision's "odd size".

    >>> from metricloop.data.dataset import pool_of
    >>> image_width(pool_of([Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int))])).tolist()
    [640.0]
    """
    return pool.width.astype(np.float64)


@metric(level="image", scope="dataset")
def image_height(pool: Dataset) -> np.ndarray:
    """Height of the image as shown, in pixels; (images,), 1 and above.

    Direction and source: as `image_width`.

    >>> from metricloop.data.dataset import pool_of
    >>> image_height(pool_of([Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int))])).tolist()
    [480.0]
    """
    return pool.height.astype(np.float64)


@metric(level="image", scope="dataset")
def image_area(pool: Dataset) -> np.ndarray:
    """Width times height, in megapixels (10^6 pixels); (images,), above 0.

    Direction: higher counts as better; thumbnails among photos score low. Source: as `image_width`.

    >>> from metricloop.data.dataset import pool_of
    >>> image_area(pool_of([Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int))])).tolist()
    [0.3072]
    """
    return pool.width.astype(np.float64) * pool.height / 1e6


@metric(level="image", scope="dataset")
def image_aspect(pool: Dataset) -> np.ndarray:
    """Width over height; (images,), above 0: 1 for a square, above 1 for a landscape.

    Direction: neither end is right by itself; strips far out at either end are suspect: use it with the policy
    `band`. Source: "aspect ratio" of encord-active; cleanvision's "odd aspect ratio" takes the smaller of it and its
    inverse.

    >>> from metricloop.data.dataset import pool_of
    >>> image_aspect(pool_of([Frame(1, 640, 320, np.zeros((0, 4)), np.zeros(0, int))])).tolist()
    [2.0]
    """
    return pool.width.astype(np.float64) / pool.height


@metric(level="image", needs=("file_size",))
def bytes_per_pixel(frame: Frame) -> float:
    """Size of the image's file over its pixels, in bytes; above 0. Photos as JPEG have about 0.1 to 0.5.

    Direction: higher counts as better within one file format: low values are plain images and strong compression.
    Formats cannot be compared: a PNG has many times the bytes of a JPEG. Source: our own; FiftyOne keeps the size of
    the file beside the image's.

    >>> bytes_per_pixel(Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int), file_size=76800))
    0.25
    """
    assert frame.file_size is not None  # the contract checks it
    return frame.file_size / (frame.width * frame.height)
