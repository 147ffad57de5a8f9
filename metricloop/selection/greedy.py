"""Choosing one after the other, where each choice depends on those before. Pure functions on rows and plain arrays.

Rows come in the order of preference, best first, and the first `given` of them are taken already. `full` says which
groups take no more images (`Room`). Equal cases go to the row that comes first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np

BLOCK = 512  # rows among which the next ones are looked for at a time
ROWS = 8192  # rows that are compared with them at a time: 16 MB
STEP = 1e-6  # cosine distances count in steps of this, so that rounding decides no ties


class Room:
    """How many more images each group takes. group: (n,) of any kind; cap: images of one group, or None."""

    def __init__(self, group: Sequence[object] | np.ndarray, cap: int | None = None) -> None:
        self.cap = cap
        self.group = np.unique(np.asarray(group), return_inverse=True)[1] if cap else np.zeros(len(group), int)
        self._of = self.group.tolist()
        self._used = [0] * (max(self._of, default=-1) + 1)

    def takes(self, row: int) -> bool:
        return self.cap is None or self._used[self._of[row]] < self.cap

    def fill(self, row: int) -> bool:
        """Take a row in. True when its group is full from then on."""
        group = self._of[row]
        self._used[group] += 1
        return self._used[group] == self.cap


def farthest_first(points: np.ndarray, count: int, *, given: int = 1, room: Room | None = None) -> np.ndarray:
    """Rows of points, each the farthest by cosine from its nearest one taken before: k-center greedy.

    points: (n, d), of length 1. The result holds the given rows first and `count` rows, or as many as the groups take.
    Its points are at most twice as far from any point as the best choice of as many could make them
    (Gonzalez 1985; as a core-set for detectors: Sener and Savarese 2018).

    Exact, and fast by looking ahead: of the BLOCK farthest rows, as many are taken as stay farther than every other
    row was before; only then are all rows compared with the new ones, in one product of matrices.

    >>> farthest_first(np.array([[1, 0], [0.6, 0.8], [0.8, 0.6], [0, 1]]), 3).tolist()
    [0, 3, 1]
    """
    n = len(points)
    room = room or Room(range(n))
    points = np.ascontiguousarray(points, np.float32)
    given = min(given, n)
    chosen = list(range(given))
    near = _distances(points, points[:given])  # to the nearest taken one; -1: taken, or its group is full
    near[:given] = -1
    for row in range(given):
        if room.fill(row):
            near[room.group == room.group[row]] = -1
    while len(chosen) < count and (near >= 0).any():
        rank = np.arange(n) - near.astype(np.int64) * n  # farthest first, then by row; no two are equal
        ahead = np.sort(np.argpartition(rank, min(BLOCK, n - 1))[:BLOCK])
        rank[ahead] = n * n
        bound = rank.min()  # of the rows that are not looked at: all come after it, now and later
        own, between = near[ahead], _steps(points[ahead] @ points[ahead].T)
        new: list[int] = []
        while len(chosen) < count:
            k = int(own.argmax())
            row = int(ahead[k])
            if own[k] < 0 or row - int(own[k]) * n > bound:
                break
            new.append(row)
            chosen.append(row)
            own = np.minimum(own, between[k])
            own[k] = near[row] = -1
            if room.fill(row):
                near[room.group == room.group[row]] = -1
                own[near[ahead] < 0] = -1
        open_rows = np.flatnonzero(near >= 0)
        near[open_rows] = np.minimum(near[open_rows], _distances(points[open_rows], points[new]))
    return np.array(chosen[: max(count, given)], int)


def _distances(points: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Steps from each point to the nearest of `taken`, (n,)."""
    likest = np.full(len(points), -1, np.float32)
    for left in range(0, len(taken), BLOCK):
        part = taken[left : left + BLOCK].T
        for top in range(0, len(points), ROWS):
            block = slice(top, top + ROWS)
            np.maximum(likest[block], (points[block] @ part).max(axis=1), out=likest[block])
    return _steps(likest)


def _steps(likeness: np.ndarray) -> np.ndarray:
    return np.rint(np.maximum(1 - likeness, 0) / np.float32(STEP))


def fewest_first(
    labels: np.ndarray, offsets: np.ndarray, classes: int, count: int, *, given: int = 0, room: Room | None = None
) -> np.ndarray:
    """Rows of images: again and again the first that shows the class with the fewest boxes among those taken.

    labels: (m,) of the boxes, labels[offsets[i]:offsets[i + 1]] those of image i. Of classes with as few boxes, the
    rarest in all comes first. Images without boxes come after all others.

    >>> fewest_first(np.array([0, 0, 0, 1]), np.arange(5), 2, 3).tolist()  # cats and a dog
    [3, 0, 1]
    """
    n = len(offsets) - 1
    room = room or Room(range(n))
    given = min(given, n)
    kinds, rows = np.divmod(np.unique(labels * n + np.repeat(np.arange(n), np.diff(offsets))), max(n, 1))
    edges = np.searchsorted(kinds, np.arange(classes + 1))
    queues = [rows[edges[k] : edges[k + 1]][::-1].tolist() for k in range(classes)]
    owned, ends = labels.tolist(), offsets.tolist()
    boxes, free = [0] * classes, [True] * n
    chosen: list[int] = []

    def choose(row: int) -> None:
        chosen.append(row)
        free[row] = False
        room.fill(row)
        for kind in owned[ends[row] : ends[row + 1]]:
            boxes[kind] += 1

    for row in range(given):
        choose(row)
    common = np.bincount(labels, minlength=classes).tolist()
    fewest = [(boxes[kind], common[kind], kind) for kind in range(classes) if common[kind]]
    heapify(fewest)
    while len(chosen) < count and fewest:
        held, _, kind = fewest[0]
        if held < boxes[kind]:  # counted before other images brought more of it
            heapreplace(fewest, (boxes[kind], common[kind], kind))
            continue
        queue = queues[kind]
        while queue and not (free[queue[-1]] and room.takes(queue[-1])):
            queue.pop()
        if queue:
            choose(queue.pop())
        else:
            heappop(fewest)
    for row in range(n):
        if len(chosen) < count and free[row] and room.takes(row):
            choose(row)
    return np.array(chosen, int)


def nearest_counts(
    counts: np.ndarray, wanted: Sequence[float] | np.ndarray, *, given: int = 0, room: Room | None = None
) -> np.ndarray:
    """For every wanted number the first free row with that count, or else with the nearest; the given rows first.

    Exact matches are made before near ones, so that no near one takes another's. Of two as near the row that comes
    first. A number for which no row is left goes without.

    >>> nearest_counts(np.array([1, 2, 4, 9]), [5, 2]).tolist()
    [1, 2]
    """
    n = len(counts)
    room = room or Room(range(n))
    chosen = list(range(min(given, n)))
    for row in chosen:
        room.fill(row)
    queues: dict[int, list[int]] = {}
    for row in range(n - 1, len(chosen) - 1, -1):
        queues.setdefault(int(counts[row]), []).append(row)
    left = sorted(queues)

    def head(count: int) -> int | None:
        """The first row with this count that its group still takes."""
        queue = queues.get(count, [])
        while queue and not room.takes(queue[-1]):
            queue.pop()
        if queue:
            return queue[-1]
        if count in queues:
            del queues[count]
            del left[bisect_left(left, count)]
        return None

    def nearest(count: int) -> int | None:
        at = bisect_left(left, count)
        while at < len(left) and head(left[at]) is None:
            pass  # head() has taken it off the list, and the next one stands in its place
        while at > 0 and head(left[at - 1]) is None:
            at -= 1
        found = [(abs(side - count), queues[side][-1]) for side in left[max(at - 1, 0) : at + 1]]
        return min(found)[1] if found else None

    unmet: list[int] = []
    for exact in (True, False):
        for number in [int(number) for number in wanted] if exact else unmet:
            found = head(number) if exact else nearest(number)
            if found is None:
                if exact:
                    unmet.append(number)
                continue
            queues[int(counts[found])].pop()
            room.fill(found)
            chosen.append(found)
    return np.array(chosen, int)
