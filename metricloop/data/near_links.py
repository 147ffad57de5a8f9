"""Find pictures that look alike: the groups they form, or only whether a picture has a look-alike among others.

The answers are those of comparing all pairs (`pictures.near_duplicates`), in time that grows with the number of
pictures where many are equal or much alike, as those of a fixed camera are, and where all differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

NEAR = 4.0  # grey levels by which thumbnails of near-duplicates differ on average, at most
BITS = 3  # in which their hashes differ, at most: so one of four 16-bit bands is equal in both
PART = 1024  # pictures held against another at a time

# Whether the picture of a row may be linked with those of other rows: (row, (k,) int) -> (k,) bool.
Allowed = Callable[[int, np.ndarray], np.ndarray]


def near_links(
    hashes: np.ndarray, thumbnails: np.ndarray, difference: float = NEAR, allowed: Allowed | None = None
) -> np.ndarray:
    """Pairs of rows that look alike, (k, 2) int, first < second, sorted: as few as connect each group, k < n.

    hashes: (n,) uint64; thumbnails: (n, 256) uint8, 16 x 16; difference: in grey levels, on average. allowed: what a
    pair must fulfil as well, the same both ways.
    """
    same = np.arange(len(hashes)) if allowed else _first_equal(hashes, thumbnails)
    rest = np.flatnonzero(same == np.arange(len(same)))
    looks = _Looks(hashes[rest], thumbnails[rest])
    pairs = [np.stack([same, np.arange(len(same))], axis=1)[same != np.arange(len(same))]]
    for seed in range(len(rest)):
        if not looks.open[seed]:
            continue
        looks.open[seed] = False
        group = [seed]
        for row in group:  # which grows meanwhile
            also = partial(allowed, row) if allowed else None
            for new in looks.like(looks.hashes[row], looks.thumbnails[row], difference, also):
                looks.open[new] = False
                group += new.tolist()
                pairs.append(rest[np.stack([np.full(len(new), row), new], axis=1)])
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).astype(np.int64)


def near_any(
    hashes: np.ndarray,
    thumbnails: np.ndarray,
    others: tuple[np.ndarray, np.ndarray],
    difference: float = NEAR,
) -> np.ndarray:
    """Which pictures look like any of others, (n,) bool. others: their hashes and thumbnails, as for `near_links`."""
    known = _first_equal(*others)
    known = np.flatnonzero(known == np.arange(len(known)))
    looks = _Looks(others[0][known], others[1][known])
    same = _first_equal(hashes, thumbnails)
    found = np.zeros(len(hashes), bool)
    for row in np.unique(same).tolist():
        found[row] = any(len(near) for near in looks.like(hashes[row], thumbnails[row], difference))
    return found[same]


class _Looks:
    """Pictures by the bands of their hashes. open: (n,) bool, those that may still be found."""

    def __init__(self, hashes: np.ndarray, thumbnails: np.ndarray):
        self.hashes, self.thumbnails = hashes, thumbnails
        self._squares = _squares(thumbnails)
        self.open = np.ones(len(hashes), bool)
        self._bands: list[dict[int, np.ndarray]] = []  # 16 bits of the hash -> rows
        for band in range(4):
            keys = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
            order = np.argsort(keys, kind="stable")
            starts = np.flatnonzero(np.diff(keys[order], prepend=np.uint64(1 << 16)))
            buckets = np.split(order, starts[1:])
            self._bands.append(dict(zip(keys[order][starts].tolist(), buckets, strict=True)) if len(order) else {})

    def like(
        self,
        sought: np.uint64,
        thumbnail: np.ndarray,
        difference: float,
        also: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> Iterator[np.ndarray]:
        """The open rows that look like a picture, each once, in parts. also: what else decides, asked first."""
        most, squares = 256 * difference, _squares(thumbnail[None])[0]
        for band, buckets in enumerate(self._bands):
            mask = np.uint64(0xFFFF << 16 * band)
            key = int((sought & mask) >> np.uint64(16 * band))
            rows = buckets.get(key, _NONE)
            if len(rows):
                rows = buckets[key] = rows[self.open[rows]]  # what is found once is not looked at again
            for start in range(0, len(rows), PART):
                part = rows[start : start + PART]
                differing = self.hashes[part] ^ sought
                # what an earlier band has in common was looked at there
                fresh = np.bitwise_count(differing) <= BITS
                for earlier in range(band):
                    fresh &= (differing & np.uint64(0xFFFF << 16 * earlier)) != 0
                part = part[fresh]
                part = part if also is None else part[also(part)]
                part = part[_gap(self._squares[part], squares) <= most]  # never more than that of the thumbnails
                part = part[_gap(self.thumbnails[part], thumbnail) <= most]
                if len(part):
                    yield part


_NONE = np.zeros(0, np.int64)


def _squares(thumbnails: np.ndarray) -> np.ndarray:
    """The sums of 2 x 2 pixels, (n, 64) int16."""
    return thumbnails.reshape(-1, 8, 2, 8, 2).sum(axis=(2, 4), dtype=np.int16).reshape(-1, 64)


def _gap(many: np.ndarray, one: np.ndarray) -> np.ndarray:
    """The sum of absolute differences, (k,) int."""
    return np.abs(many.astype(np.int16) - one.astype(np.int16)).sum(axis=1, dtype=np.int32)


def _first_equal(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """The first row that is equal to each row, (n,) int."""
    keys = np.concatenate([hashes.astype("<u8").view(np.uint8).reshape(-1, 8), thumbnails], axis=1)
    keys = np.ascontiguousarray(keys)
    _, first, of = np.unique(keys.view(f"V{keys.shape[1]}").ravel(), return_index=True, return_inverse=True)
    return first[of.ravel()]
