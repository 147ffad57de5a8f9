"""A detector without a network: what it finds follows from the pixels alone, so that answers can be compared."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import cv2
import numpy as np

from metricloop.data.pictures import decode
from metricloop.serving.detector import Found


class FakeDetector:
    """Finds three boxes on every picture. seconds: how long a batch takes; batches: how many pictures each had."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.facts = {"name": "pandas", "version": 3, "classes": ["panda", "koala"], "image_size": 96, "study": "demo"}
        self.seconds = seconds
        self.batches: list[int] = []
        self.go = threading.Event()  # cleared, the detector waits
        self.go.set()

    def read(self, data: bytes) -> np.ndarray:
        return decode(data)

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        self.go.wait(20)
        time.sleep(self.seconds)
        self.batches.append(len(pictures))
        return [self.found(picture) for picture in pictures]

    @staticmethod
    def found(picture: np.ndarray) -> Found:
        """Boxes as wide as the picture's mean colours; scores .9, .5 and .1; labels 0, 1, 0."""
        height, width, _ = picture.shape
        means = picture.reshape(-1, 3).mean(axis=0) / 255
        boxes = np.stack([means * 0, means * 0, means * width, np.full(3, height)], axis=1).astype(np.float32)
        return Found(boxes, np.array([0.9, 0.5, 0.1], np.float32), np.array([0, 1, 0]))


def png(width: int = 24, height: int = 16, seed: int = 0) -> bytes:
    """A PNG of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()
