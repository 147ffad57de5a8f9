"""Edges and colours along the four sides of a box, and in lines further in and out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from metricloop.data.frame import Frame, once
from metricloop.metrics.catalogue._crops import BOX, END, SIDE, START, Crop, crops, turned

EDGE_STRIP, COLOUR_STRIP = BOX // 10, BOX // 8  # how far a side looks inward and outward for each kind of evidence
EDGE_REACH = 1  # lines outside a side that count as inside: an edge, blurred as it is, lies on both sides of its place
RING = BOX // 4  # how far outside the box the colours of its background are taken
CORE = 0.6  # radius of the ellipse inside the box its own colours are taken from, where 1 touches the sides
RARE = 1e-3  # a colour seen less often than this says little
UPPER = 0.8  # quantile along a side: a round object reaches its side over a small part of it only
LEAST_STEP = 1e-6  # a smaller one is rounding
OUTWARD, INWARD = BOX // 4, BOX // 3  # how far a side is moved in search of a better place


@dataclass(frozen=True)
class Sides:
    """A crop's lines parallel to each side (top, right, bottom, left), from the outermost inwards, as wide as the box.

    edges: (4, 128) gradient along each line; figure: (4, 128) chance that the line holds colours of the object, 0 to 1,
    its upper quintile; open: (4,) bool, the sides with image beyond them. At least one is.
    """

    edges: np.ndarray
    figure: np.ndarray
    open: np.ndarray

    def at_label(self, steps: np.ndarray) -> np.ndarray:
        """Steps of either kind at the sides as they are labelled, without those that have nothing beyond them."""
        return steps[self.open, OUTWARD]

    def edge_steps(self) -> np.ndarray:
        """Share of the gradient that lies inside a side rather than outside it: (4, places), 0 to 1, .5 if none."""
        inside, outside = _strips(self.edges, EDGE_STRIP, EDGE_REACH)
        both = inside + outside
        return np.where(both > 1e-6, inside / np.maximum(both, 1e-6), 0.5)

    def figure_steps(self) -> np.ndarray:
        """How much likelier the object is inside a side than outside it: (4, places), -1 to 1."""
        inside, outside = _strips(self.figure, COLOUR_STRIP)
        return inside - outside


def _strips(lines: np.ndarray, wide: int, reach: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Means of the `wide` lines inside and outside every place a side can have: OUTWARD of the box to INWARD of it."""
    sums = np.concatenate([np.zeros((4, 1)), np.cumsum(lines, axis=1, dtype=np.float64)], axis=1)
    places = np.arange(START - OUTWARD, START + INWARD + 1) - reach
    inside, outside = sums[:, places + wide] - sums[:, places], sums[:, places] - sums[:, places - wide]
    return inside / wide, outside / wide


@once
def sides(frame: Frame) -> list[Sides | None]:
    """The evidence of every box; None where there is no crop, or no image beyond any of its sides."""
    return [None if crop is None or not crop.open.any() else _look(crop) for crop in crops(frame)]


def _look(crop: Crop) -> Sides:
    grey = cv2.GaussianBlur(cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    edges = np.stack([one[:, START:END].sum(axis=1) for one in turned(gradient)])
    rank = round(UPPER * (BOX - 1))
    chance = _figure(crop)
    figure = np.stack([np.partition(one[:, START:END], rank, axis=1)[:, rank] for one in turned(chance)])
    return Sides(edges, figure, crop.open)


def _figure(crop: Crop) -> np.ndarray:
    """(128, 128) chance of each pixel to be of the object, from how common its colour is inside and in the ring."""
    colour = cv2.cvtColor(cv2.GaussianBlur(crop.pixels, (0, 0), 0.7), cv2.COLOR_RGB2LAB).astype(np.int32)
    bins = (colour[..., 0] // 16 * 64 + colour[..., 1] // 4) * 64 + colour[..., 2] // 4
    inside, outside = (
        (np.bincount(bins[mask], minlength=2**16) / mask.sum())[bins] for mask in (_core(), _ring() & crop.seen)
    )
    chance = (inside + RARE) / (inside + outside + 2 * RARE)
    return cv2.GaussianBlur(chance.astype(np.float32), (0, 0), 1.5)


@lru_cache(1)
def _core() -> np.ndarray:
    down, across = (np.mgrid[:SIDE, :SIDE] + 0.5 - (START + END) / 2) / (BOX / 2)
    return np.hypot(down, across) < CORE


@lru_cache(1)
def _ring() -> np.ndarray:
    ring = np.zeros((SIDE, SIDE), bool)
    ring[START - RING : END + RING, START - RING : END + RING] = True
    ring[START:END, START:END] = False
    return ring


def best_box(found: Sides) -> np.ndarray | None:
    """Every side moved to where edges and colours step up most, the nearest such place; xyxy, the label being 0, 0,
    1, 1. None where nothing steps up anywhere.
    """
    score = found.figure_steps() + 2 * found.edge_steps()
    if np.ptp(score) < LEAST_STEP:
        return None
    moved = np.arange(-OUTWARD, INWARD + 1)
    score = score - LEAST_STEP * np.abs(moved)
    score[~found.open, :OUTWARD] = -np.inf  # nothing to be found beyond the image
    top, right, bottom, left = moved[score.argmax(axis=1)] / BOX
    return np.array([left, top, 1 - right, 1 - bottom])
