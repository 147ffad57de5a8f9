"""Group images that belong together, and split by group, so that no near copy is both trained on and tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np


class SplitError(ValueError):
    """The data set cannot be split into pool, search and test; the message says why and what to do.

    problems: what was found in the data set until then.
    """

    def __init__(self, message: str, problems: Sequence[Any] = ()):
        super().__init__(message)
        self.problems = list(problems)


def join_groups(files: Sequence[str], given: Sequence[str | None], pairs: np.ndarray) -> np.ndarray:
    """The group of every image, (n,) str. Images of one given group (a video), and near-duplicates, share a group.

    pairs: (k, 2) rows of near-duplicates. A group has the name of a given group, or of its first file.
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
    bool. A test image leaks only if it shares a group with the pool: published numbers refer to the test split.
    """
    in_pool, in_test = (np.isin(group, group[split == part]) for part in ("pool", "test"))
    return (np.isin(split, ("search", "test")) & in_pool) | ((split == "search") & in_test)


def draw_groups(group: np.ndarray, target: int, seed: int) -> np.ndarray:
    """Whole groups with at most `target` images together, or the smallest one if none fits, (n,) bool.

    Groups are tried in the order of hash(seed, name). So new images change the split of few others, and the order of
    the rows changes none.
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


def assign(
    split: np.ndarray,
    group: np.ndarray,
    *,
    search_share: float,
    test_share: float,
    seed: int,
    labelled: np.ndarray | None = None,
) -> np.ndarray:
    """The final split of every image, (n,) str. split: pool | search | test as given, without leaks.

    If only search or only test is given, it is halved. Without held-out images, or without a pool, all images are split
    anew by group. labelled: (n,) bool, images with an object; a draw that leaves a part without one is repeated.
    Errors: SplitError when a part is empty.
    """
    found = _drawn(split, group, search_share, test_share, seed)
    for again in range(1, TRIES):
        if labelled is None or all(labelled[found == part].any() for part in PARTS):
            break
        other = _drawn(split, group, search_share, test_share, seed + 1_000_003 * again)
        if all(labelled[other == part].any() for part in PARTS):
            found = other
    empty = [part for part in PARTS if not (found == part).any()]
    if empty:
        raise SplitError(
            f"nothing is left for {' and '.join(empty)}: {len(split)} images form {len(set(group))} groups (videos, "
            "near-duplicates), and a group is never split; give more images, or images of more kinds, or say by "
            "data.group and data.near_duplicates what belongs together"
        )
    return found


PARTS = ("pool", "search", "test")
TRIES = 20  # draws until every part has a labelled object


def _drawn(split: np.ndarray, group: np.ndarray, search_share: float, test_share: float, seed: int) -> np.ndarray:
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
    return split
