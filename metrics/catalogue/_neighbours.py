"""Nearest neighbours of points, exact, in bounded memory; no metrics.

Distances are cosine distances of vectors of length 1: half the squared Euclidean distance, 0 to 2. That way they are
worked out for the neighbours found, so that equal vectors are at distance 0 exactly and not at what rounding leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings

ROWS, COLUMNS = 1024, 8192  # of a block of similarities: 32 MB
IMAGES, CROPS = 20, 10  # neighbours kept of an image, of an object
MOST = 50_000  # objects that neighbours are looked for among; of more, so many are taken, evenly spread over the pool
Made = TypeVar("Made")


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of each point, nearest first. rows: (n, k) int64; distances: (n, k) float64, cosine. Where there
    are fewer than k, the row is -1 and the distance nan.
    """

    rows: np.ndarray
    distances: np.ndarray

    def mean(self, k: int) -> np.ndarray:
        """Mean distance to the first k, or as many as there are, (n,); nan where there is none."""
        held = self.rows[:, :k] >= 0
        total = np.where(held, self.distances[:, :k], 0).sum(axis=1)
        return np.divide(total, held.sum(axis=1), out=np.full(len(total), np.nan), where=held.any(axis=1))


def nearest(queries: np.ndarray, points: np.ndarray, k: int, without: tuple[np.ndarray, np.ndarray]) -> Neighbours:
    """The k of `points` (p, d) nearest to each of `queries` (n, d), all of length 1.

    without: per query, the first row of `points` to leave out, and the row after the last one, (n,) int each.
    """
    k = min(k, len(points))
    found = [_nearest_of_block(queries, points, k, without, begin) for begin in range(0, len(queries), ROWS)]
    if not found:
        return Neighbours(np.zeros((0, k), np.int64), np.zeros((0, k)))
    rows, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Neighbours(rows, distances)


def _nearest_of_block(
    queries: np.ndarray, points: np.ndarray, k: int, without: tuple[np.ndarray, np.ndarray], begin: int
) -> tuple[np.ndarray, np.ndarray]:
    block = queries[begin : begin + ROWS]
    first, last = (ends[begin : begin + ROWS] for ends in without)
    n = len(block)
    rows, best = np.full((n, k), -1), np.full((n, k), -np.inf, np.float32)
    for left in range(0, len(points), COLUMNS):
        similar = block @ points[left : left + COLUMNS].T
        width = similar.shape[1]
        for row in np.flatnonzero((first < left + width) & (last > left)):
            similar[row, max(first[row] - left, 0) : last[row] - left] = -np.inf
        if k == 1:
            chosen = similar.argmax(axis=1)[:, None]
        elif width > k:
            chosen = np.argpartition(similar, width - k, axis=1)[:, width - k :]
        else:
            chosen = np.broadcast_to(np.arange(width), (n, width))
        rows = np.concatenate([rows, chosen + left], axis=1)
        best = np.concatenate([best, np.take_along_axis(similar, chosen, axis=1)], axis=1)
        keep = np.argpartition(best, best.shape[1] - k, axis=1)[:, best.shape[1] - k :]
        rows, best = np.take_along_axis(rows, keep, axis=1), np.take_along_axis(best, keep, axis=1)
    rows[np.isneginf(best)] = -1
    gap = points[rows] - block[:, None]
    distances = np.where(rows >= 0, np.einsum("nkd,nkd->nk", gap, gap).astype(np.float64) / 2, np.nan)
    order = np.lexsort((rows, distances), axis=1)  # nan comes last
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(distances, order, axis=1)


def of_images(embeddings: Embeddings) -> Neighbours:
    """The pool's pictures that are nearest to each of them, itself left out."""

    def find() -> Neighbours:
        images = embeddings.pool.images
        rows = np.arange(len(images))
        return nearest(images, images, IMAGES, (rows, rows + 1))

    return _kept(embeddings, "images", find)


def of_crops(pool: Dataset, embeddings: Embeddings) -> Neighbours:
    """The boxes nearest to each box of the pool, out of other pictures; none for a box without area."""

    def find() -> Neighbours:
        known = np.flatnonzero(np.isfinite(embeddings.crops).all(axis=1))
        among = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST)).round().astype(int))]
        owner, owners = pool.box_row[known], pool.box_row[among]
        without = np.searchsorted(owners, owner, "left"), np.searchsorted(owners, owner, "right")
        found = nearest(embeddings.crops[known], embeddings.crops[among], CROPS, without)
        k = found.rows.shape[1]
        rows, distances = np.full((len(pool.box_id), k), -1), np.full((len(pool.box_id), k), np.nan)
        rows[known] = np.where(found.rows >= 0, among[found.rows] if len(among) else -1, -1)
        distances[known] = found.distances
        return Neighbours(rows, distances)

    return _kept(embeddings, "crops", find)


def _kept(embeddings: Embeddings, name: str, make: Callable[[], Made]) -> Made:
    """Compute once what several metrics share, and store it with the embeddings."""
    store, key = embeddings.__dict__, f"_{__name__}.{name}"
    if key not in store:
        store[key] = make()
    return store[key]
