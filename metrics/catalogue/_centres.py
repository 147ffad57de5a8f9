"""k-means clusters, and the order of a greedy k-center; no metrics."""

from __future__ import annotations

import numpy as np

from metricloop.data.k_center import farthest_first

BLOCK = 8192  # points whose distances to all centres are in memory at a time
MOST_PICKS = 50_000
EQUAL = 1e-6  # cosine distance; what is nearer differs by rounding only


def k_means(points: np.ndarray, k: int, seed: int = 0, iterations: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Lloyd's k-means from seeded k-means++ centres (Arthur and Vassilvitskii 2007): centres (k, d), members (n,).

    Points are taken in the order of their distance to the mean, so that the order they came in does not matter.
    """
    order = np.argsort(_squared(points, points.mean(axis=0, dtype=np.float64)), kind="stable")
    sorted_points = points[order]
    centres = _spread(sorted_points, k, np.random.default_rng(seed))
    member = np.full(len(points), -1)
    for _ in range(iterations):
        before, (member, _) = member, nearest_centre(sorted_points, centres)
        if (member == before).all():
            break
        centres = _means(sorted_points, member, centres)
    result = np.empty(len(points), np.int64)
    result[order] = member
    return centres, result


def nearest_centre(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row of the nearest centre of each point, (n,), and the squared Euclidean distance to it, (n,) float64."""
    rows, length = np.empty(len(points), np.int64), (centres * centres).sum(axis=1)
    for begin in range(0, len(points), BLOCK):
        rows[begin : begin + BLOCK] = (length - 2 * points[begin : begin + BLOCK] @ centres.T).argmin(axis=1)
    distances = [
        _squared(points[begin : begin + BLOCK], centres[rows[begin : begin + BLOCK]])
        for begin in range(0, len(points), BLOCK)
    ]
    return rows, np.concatenate([np.zeros(0), *distances])


def k_center_order(points: np.ndarray) -> np.ndarray:
    """The place of each point in the order of a greedy k-center (Gonzalez 1985), (n,) int, from 0.

    First the medoid, then always the point farthest from all that were taken. What is equal to a point that was taken
    shares the last place. Exact for the first MOST_PICKS; the others follow by their distance to those.
    """
    place = np.full(len(points), -1)
    if not len(points):
        return place
    medoid = int((points @ points.sum(axis=0, dtype=np.float64)).argmax())
    rows = np.concatenate([[medoid], np.delete(np.arange(len(points)), medoid)])
    taken, gap = farthest_first(points[rows], min(len(points), MOST_PICKS), least=EQUAL)
    place[rows[taken]] = np.arange(len(taken))
    left = np.flatnonzero(gap >= 0)
    if len(left):
        apart = gap.max() >= EQUAL  # MOST_PICKS ended it, and not the points
        order = left[np.argsort(-gap[left], kind="stable")]
        place[rows[order]] = np.arange(len(taken), len(points)) if apart else len(taken)
    return place


def _squared(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((points - centres).astype(np.float64) ** 2).sum(axis=1)


def _spread(points: np.ndarray, k: int, chance: np.random.Generator) -> np.ndarray:
    """k-means++: each next centre drawn with a probability that grows with the squared distance to those before."""
    chosen = [int(chance.integers(len(points)))]
    gap = _squared(points, points[chosen[0]])
    while len(chosen) < k and gap.sum() > 0:
        chosen.append(int(np.searchsorted(gap.cumsum(), chance.random() * gap.sum(), "right").clip(0, len(points) - 1)))
        gap = np.minimum(gap, _squared(points, points[chosen[-1]]))
    return points[chosen].astype(np.float32)


def _means(points: np.ndarray, member: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The mean of each cluster; a centre without points stays where it is."""
    order = np.argsort(member, kind="stable")
    held, starts = np.unique(member[order], return_index=True)
    means = centres.copy()
    sums = np.add.reduceat(points[order].astype(np.float64), starts)
    means[held] = sums / np.diff([*starts, len(points)])[:, None]
    return means
