"""Which images belong together, which train and which are held out: never a near copy on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


class SplitError(ValueError):
    """A data set that cannot be split into pool, search and test; the message says why and what to do."""


def join_groups(files: Sequence[str], given: Sequence[str | None], pairs: np.ndarray) -> np.ndarray:
    """The group of every image, (n,) str: images of a given group (a video), and images linked by near-duplicate
    `pairs` (k, 2), belong together. Named for the given group, else for the first file.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict[str, int] = {}
    same = [(row, first.setdefault(group, row)) for row, group in enumerate(given) if group is not None]
    links = np.concatenate([np.asarray(same, np.int64).reshape(-1, 2), np.asarray(pairs, np.int64).reshape(-1, 2)])
    n = len(files)
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    names: dict[int, tuple[bool, str]] = {}
    for row, label in enumerate(component):
        group = given[row]
        own = (True, files[row]) if group is None else (False, group)
        names[label] = min(names.get(label, own), own)
    return np.array([names[label][1] for label in component], object)


def leaks(split: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Held-out images that share a group with the pool, and search images that share one with the test split, (n,)
    bool. The test split gives way to the pool only: it is the one that published numbers refer to.
    """
    in_pool, in_test = (np.isin(group, group[split == part]) for part in ("pool", "test"))
    return (np.isin(split, ("search", "test")) & in_pool) | ((split == "search") & in_test)


def draw_groups(group: np.ndarray, target: int, seed: int) -> np.ndarray:
    """Whole groups with at most `target` images together, or the smallest one if none fits, (n,) bool.

    Groups come in the order of hash(seed, name): adding images elsewhere moves few, and the rows' order none.
    """
    names, rows, sizes = np.unique(group.astype(str), return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda k: hashlib.sha256(f"{seed}:{names[k]}".encode()).digest())
    taken = np.zeros(len(names), bool)
    left = target
    for k in order:
        if sizes[k] <= left:
            taken[k] = True
            left -= sizes[k]
    if order and not taken.any():
        taken[min(order, key=lambda k: sizes[k])] = True
    return taken[rows]


def assign(split: np.ndarray, group: np.ndarray, *, search_share: float, test_share: float, seed: int) -> np.ndarray:
    """The final split of every image, (n,) str. split: pool | search | test as given, without leaks.

    A single held-out part is halved; without one, or without a pool, everything is split anew by group.
    Errors: SplitError when a part stays empty.
    """
    split = split.copy()
    held = np.isin(split, ("search", "test"))
    if not held.any() or held.all():
        split[:] = "pool"
        for part, share in (("search", search_share), ("test", test_share)):
            rest = np.flatnonzero(split == "pool")
            split[rest[draw_groups(group[rest], round(share * len(split)), seed)]] = part
    elif len(set(split[held])) == 1:
        rows = np.flatnonzero(held)
        half = draw_groups(group[rows], len(rows) // 2, seed)
        split[rows] = np.where(half, "search", "test")
    empty = [part for part in ("pool", "search", "test") if not (split == part).any()]
    if empty:
        raise SplitError(
            f"nothing is left for {' and '.join(empty)}: {len(split)} images form {len(set(group))} groups (videos, "
            "near-duplicates), and a group is never split; give more images, or images of more kinds"
        )
    return split
