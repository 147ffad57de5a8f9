"""k-center greedy on vectors of length 1: take the point farthest from all points taken before, again and again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCK = 512  # rows in which the next picks are searched at a time
ROWS = 8192  # rows that are compared with them at a time: 16 MB
TAKEN = -1.0  # in place of a distance: the point is taken, or it may not be


def farthest_first(
    points: np.ndarray,
    count: int,
    *,
    given: int = 1,
    step: float | None = None,
    least: float = 0.0,
    closed_by: Callable[[int], np.ndarray | None] = lambda row: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows taken, in order, and the cosine distance of every row to the nearest of them, TAKEN for those taken.

    points: (n, d), of length 1. The first `given` rows are taken already. Of equal distances the first row wins.
    step: distances are counted in steps of this, so that rounding decides no ties; None: they are not.
    least: stop when no point is this far. closed_by: the rows that may not be taken after this row, or None.

    The rows taken are at most twice as far from any point as the best choice of as many could make them (Gonzalez
    1985; as a core-set for detectors: Sener and Savarese 2018). Exact, and fast: each pass takes several of the
    BLOCK farthest rows, as long as each is certainly the farthest; then all rows are compared with the new ones, in
    one product of matrices.

    >>> farthest_first(np.array([[1, 0], [0.6, 0.8], [0.8, 0.6], [0, 1]]), 3)[0].tolist()
    [0, 3, 1]
    """
    n = len(points)
    points = np.ascontiguousarray(points, np.float32)
    given = min(given, n)
    chosen: list[int] = []
    near = _to_nearest(points, points[:given], step)

    def take(row: int) -> bool:
        chosen.append(row)
        near[row] = TAKEN
        closed = closed_by(row)
        if closed is not None:
            near[closed] = TAKEN
        return closed is not None

    for row in range(given):
        take(row)
    while len(chosen) < count and n and near.max() >= least:
        rank = _rank(near, np.arange(n), n)
        ahead = np.sort(np.argpartition(rank, min(BLOCK, n - 1))[:BLOCK])
        rank[ahead] = np.iinfo(np.int64).max
        bound = rank.min()  # the best rank outside the block; distances only shrink, so no outside row can beat it
        own, between = near[ahead], _distances(points[ahead] @ points[ahead].T, step)
        new: list[int] = []
        while len(chosen) < count:
            k = int(own.argmax())
            row = int(ahead[k])
            if own[k] < least or _rank(own[k : k + 1], ahead[k : k + 1], n)[0] > bound:
                break
            new.append(row)
            own = np.minimum(own, between[k])
            own[k] = TAKEN
            if take(row):
                own[near[ahead] < 0] = TAKEN
        open_rows = np.flatnonzero(near >= 0)
        near[open_rows] = np.minimum(near[open_rows], _to_nearest(points[open_rows], points[new], step))
    return np.array(chosen, int), near


def _rank(near: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """A number for each row: the farthest comes first, then the first row; no two are equal.

    The bits of float32 numbers that are not negative, read as integers, are in the order of the numbers.
    """
    return rows - near.view(np.int32).astype(np.int64) * n


def _to_nearest(points: np.ndarray, taken: np.ndarray, step: float | None) -> np.ndarray:
    """The distance of each point to the nearest of `taken`, (n,) float32; the largest there is for none taken."""
    likeness = np.full(len(points), -1, np.float32)
    for left in range(0, len(taken), BLOCK):
        part = taken[left : left + BLOCK].T
        for top in range(0, len(points), ROWS):
            block = slice(top, top + ROWS)
            np.maximum(likeness[block], (points[block] @ part).max(axis=1), out=likeness[block])
    return _distances(likeness, step)


def _distances(likeness: np.ndarray, step: float | None) -> np.ndarray:
    distances = np.maximum(1 - likeness, 0)
    return distances if step is None else np.rint(distances / np.float32(step))
