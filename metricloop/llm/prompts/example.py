"""Boxes whose sides lie on edges of the picture."""

import cv2
import numpy as np

from metricloop import metric


@metric(level="object", needs=("image",), higher_is="better")
def edge_support(frame):
    """Mean gradient along the four sides of a box, relative to the mean inside it; (n,), 0 and more.

    A tight box runs along the outline of its object; a loose or misplaced one runs through flat background.
    nan for boxes below 4 pixels.
    """
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gradient = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    height, width = grey.shape
    scores = np.full(len(frame.boxes), np.nan)
    for k, (x1, y1, x2, y2) in enumerate(frame.boxes.round().astype(int)):
        left, right = np.clip([x1, x2 - 1], 0, width - 1)
        top, bottom = np.clip([y1, y2 - 1], 0, height - 1)
        if right - left < 3 or bottom - top < 3:
            continue
        inside = gradient[top : bottom + 1, left : right + 1]
        sides = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        scores[k] = sides.mean() / (inside.mean() + 1e-6)
    return scores
