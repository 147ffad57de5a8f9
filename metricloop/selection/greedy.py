"""Choose rows one after the other, where each choice depends on the choices before. Pure functions on arrays.

Rows come in the order of preference, best first, and the first `given` of them are chosen already. `room` limits how
many rows a group gives. Of equal cases the first row wins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np

from metricloop.data import k_center

STEP = 1e-6  # cosine distances are counted in steps of this, so that rounding decides no ties


class Room:
    """How many more images each group takes. group: (n,) of any kind; cap: images of one group, or None."""

    def __init__(self, group: Sequence[object] | np.ndarray, cap: int | None = None) -> None:
        self.cap = cap
        self.group = np.unique(np.asarray(group), return_inverse=True)[1] if cap else np.zeros(len(group), int)
        self._of = self.group.tolist()
        self._used = [0] * (max(self._of, default=-1) + 1)

    def takes(self, row: int) -> bool:
        """Whether the group of this row is not full."""
        return self.cap is None or self._used[self._of[row]] < self.cap

    def fill(self, row: int) -> bool:
        """Count a row of its group. True if this makes the group full."""
        group = self._of[row]
        self._used[group] += 1
        return self._used[group] == self.cap


def farthest_first_with_room(points: np.ndarray, count: int, *, given: int = 1, room: Room | None = None) -> np.ndarray:
    """Rows of points, each the farthest by cosine from its nearest row before: k-center greedy (data.k_center).

    points: (n, d), of length 1. The result holds the given rows first and `count` rows, or as many as the groups take.

    >>> farthest_first_with_room(np.array([[1, 0], [0.6, 0.8], [0.8, 0.6], [0, 1]]), 3).tolist()
    [0, 3, 1]
    """
    limit = room or Room(range(len(points)))

    def closed_by(row: int) -> np.ndarray | None:
        return limit.group == limit.group[row] if limit.fill(row) else None

    return k_center.farthest_first(points, count, given=given, step=STEP, closed_by=closed_by)[0][: max(count, given)]


def fewest_first(
    labels: np.ndarray, offsets: np.ndarray, classes: int, count: int, *, given: int = 0, room: Room | None = None
) -> np.ndarray:
    """Rows of images: again and again the first row that shows the class with the fewest boxes among the chosen rows.

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

    Exact matches are made before near ones, so that no near match takes the row of an exact one. Of two equally near
    counts the first row wins. A number for which no row is left gets none.

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
            pass  # head() has removed it from the list, so the next one is in its place
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
