"""The geodesic distance of a box's pixels: the least sum of colour changes on a path from outside the box."""

from __future__ import annotations

import cv2
import numpy as np

from metricloop.metrics.catalogue._crops import END, START, Crop, turned

COARSE = 2  # pixels of a crop that make one of the grid
DEEP = 90  # percentile of the distances that stands for the inside of the object
UPPER = 0.8  # quantile along a side: a round object reaches its side over a small part of it only
LEAST = 1.0  # grey levels to be crossed, or there is nothing inside
FREE = 1e-3  # cost of a step that crosses nothing, in grey levels


def enclosure_of(crop: Crop) -> float:
    """How far from outside the strips just inside the open sides lie, as a share of the deepest; 0 to 1.

    A step between neighbours costs their difference in colour (Lab) less half of what is usual in this box, which is
    texture; a path costs the sum of its steps; it starts from the pixels around the box that lie in the image.
    """
    window = slice(START // COARSE - 1, END // COARSE + 1)  # the box and a frame of one pixel around it
    coarse = cv2.resize(crop.pixels, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    colour = cv2.GaussianBlur(cv2.cvtColor(coarse, cv2.COLOR_RGB2LAB), (0, 0), 1.0)[window, window].astype(np.float32)
    around = crop.seen[::COARSE, ::COARSE][window, window].copy()
    around[1:-1, 1:-1] = False
    distance = _distances(colour, around)[1:-1, 1:-1]
    side = len(distance)
    rank = round(UPPER * (side - 1))
    strips = np.array([np.partition(one[: side // 8].mean(axis=0), rank)[rank] for one in turned(distance)])
    deep = np.percentile(distance, DEEP)
    return float(np.clip(strips[crop.open].mean() / deep, 0, 1)) if deep > LEAST else 0.0


def _distances(colour: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The cheapest path to each pixel of (n, n, 3) from any of the seeds, (n, n) bool, over its four neighbours."""
    from scipy.sparse import csr_array  # a quarter of a second to import, and the whole catalogue would pay
    from scipy.sparse.csgraph import dijkstra

    place = np.arange(seeds.size).reshape(seeds.shape)
    step = np.concatenate([np.linalg.norm(np.diff(colour, axis=axis), axis=2).ravel() for axis in (0, 1)])
    cost = np.maximum(step - np.median(step) / 2, 0) + FREE
    # all seeds hang on one point more, the source
    start = np.concatenate([place[:-1].ravel(), place[:, :-1].ravel(), np.full(seeds.sum(), seeds.size)])
    end = np.concatenate([place[1:].ravel(), place[:, 1:].ravel(), place[seeds]])
    cost = np.concatenate([cost, np.full(seeds.sum(), FREE)])
    graph = csr_array((cost, (start, end)), shape=(seeds.size + 1,) * 2)
    return dijkstra(graph, directed=False, indices=seeds.size)[:-1].reshape(seeds.shape)
