"""Resize a picture to the square that a detector takes."""

from __future__ import annotations

import cv2
import numpy as np

GREY = 114  # padding


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    """Scale (H, W, 3) so that the long side is `size`, and pad right and below to (size, size, 3)."""
    scale = size / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((size, size, 3), GREY, dtype=np.uint8)
    canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=interpolation)
    return canvas
