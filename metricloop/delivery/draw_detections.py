"""Draw detections on a picture: a box per detection, with its class and score."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from metricloop.figures.contact_sheet import plain
from metricloop.serving.detector import Found

# Bright on most photos, and told apart by people who do not see red and green; RGB. Classes beyond these share them.
COLOURS = ((255, 194, 10), (64, 196, 255), (255, 110, 180), (140, 230, 90), (255, 140, 40), (190, 150, 255))
DARK = (20, 20, 20)
LEAST_SIDE = 480  # px; smaller pictures are enlarged, or the text would cover them
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_detections(image: np.ndarray, found: Found, classes: Sequence[str]) -> np.ndarray:
    """A copy of the picture, (H, W, 3) uint8 RGB, with the detections on it, the best on top."""
    factor = max(1, -(-LEAST_SIDE // max(image.shape[:2])))
    height, width = image.shape[0] * factor, image.shape[1] * factor
    canvas = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) if factor > 1 else image.copy()
    line = max(2, round(max(height, width) / 400))
    order = range(len(found.scores) - 1, -1, -1)
    for place in order:
        box = np.rint(found.boxes[place] * factor).astype(int)
        x1, y1, x2, y2 = (int(v) for v in np.clip(box, 0, [width - 1, height - 1] * 2))
        cv2.rectangle(canvas, (x1, y1), (x2, y2), DARK, line + 2)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), COLOURS[found.labels[place] % len(COLOURS)], line)
    for place in order:
        x1, y1 = (int(v) for v in np.clip(np.rint(found.boxes[place][:2] * factor), 0, [width - 1, height - 1]))
        text = f"{plain(classes[found.labels[place]])} {found.scores[place]:.2f}"
        _label(canvas, text, (x1, y1), COLOURS[found.labels[place] % len(COLOURS)], line)
    return canvas


def _label(canvas: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, int, int], line: int) -> None:
    """Write text on a patch of colour above a box, or inside it where there is no room above or on the right."""
    scale = 0.25 * line
    (wide, high), below = cv2.getTextSize(text, FONT, scale, max(1, line // 2))
    x = max(0, min(corner[0], canvas.shape[1] - wide - 2 * line))
    y = corner[1] - line if corner[1] >= high + below + 2 * line else corner[1] + high + below + line
    cv2.rectangle(canvas, (x, y - high - below - line), (x + wide + 2 * line, y), colour, -1)
    cv2.putText(canvas, text, (x + line, y - below), FONT, scale, DARK, max(1, line // 2), cv2.LINE_AA)
