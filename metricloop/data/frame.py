"""One image with its labels: the value every metric sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TypeVar

import numpy as np

Subject = TypeVar("Subject")  # a Frame, or a Dataset
Made = TypeVar("Made")
CROP = 0.8  # of each side, about the middle: the part of a picture that the view "crop" shows


@dataclass(frozen=True)
class Detections:
    """The detections of a detector on one image.

    boxes: (k, 4) float32, xyxy pixels.
    scores: (k,) float32, 0 to 1.
    labels: (k,) int64, index into the class names.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Frame:
    """One image of the pool and its labels.

    image_id: the image's id in the data set.
    width, height: of the picture, in pixels.
    boxes: (n, 4) float32, xyxy pixels.
    labels: (n,) int64, index into class_names.
    class_names: the names of the classes.
    image: (height, width, 3) uint8 RGB, or None when no metric of the batch needs pixels.
    predictions: out-of-fold detections, or None.
    embedding: (d,) float32, or None.
    file_size: bytes of the picture's file, or None.
    views: further detections by name, in the pixels of this frame, or None: "flip" (of the mirrored picture), "crop"
        (of its middle), "seed" (of a model trained with another seed).
    """

    image_id: int
    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = field(default=("object",))
    image: np.ndarray | None = None
    predictions: Detections | None = None
    embedding: np.ndarray | None = None
    file_size: int | None = None
    views: Mapping[str, Detections] | None = None


def once(function: Callable[[Subject], Made]) -> Callable[[Subject], Made]:
    """Compute a value that several metrics share once per frame or data set; the frame or data set keeps it."""
    key = f"_{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def kept(subject: Subject) -> Made:
        store = subject.__dict__
        if key not in store:
            store[key] = function(subject)
        return store[key]

    return kept


def at_side(frame: Frame, side: int) -> Frame:
    """The frame as if its picture were stored with this long side, in pixels; the same object for every caller.

    `image` may already be decoded smaller than width and height; only this function accepts that.
    """
    store, key = frame.__dict__, f"_at_side_{side}"
    if key not in store:
        store[key] = _at_side(frame, side)
    return store[key]


def _resized(image: np.ndarray, long_side: int, size: tuple[int, int]) -> np.ndarray:
    """A picture at another size (width, height), as a new array. long_side: of the picture as stored.

    It is halved by the mean of blocks while at least `size` is left, then resized bilinearly. So a JPEG decoded at a
    half, a quarter or an eighth, which counts as halved, gives the same result as the full picture.
    """
    import cv2

    halved, blocks = max(1, round(long_side / max(image.shape[:2]))), 1
    while long_side // (2 * blocks * halved) >= max(size):
        blocks *= 2
    if blocks > 1:
        height, width = (max(1, round(pixels / blocks)) for pixels in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def _at_side(frame: Frame, side: int) -> Frame:
    assert frame.image is not None
    scale = side / max(frame.width, frame.height)
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    image = _resized(frame.image, max(frame.width, frame.height), size)
    image.flags.writeable = False
    factor = np.array([size[0] / frame.width, size[1] / frame.height] * 2, np.float32)

    def scaled(found: Detections | None) -> Detections | None:
        return found and replace(found, boxes=found.boxes * factor)

    views = frame.views and {name: replace(found, boxes=found.boxes * factor) for name, found in frame.views.items()}
    return replace(
        frame,
        image=image,
        width=size[0],
        height=size[1],
        boxes=frame.boxes * factor,
        predictions=scaled(frame.predictions),
        views=views,
    )
