"""Which pictures of a data set look alike: links enough to group them, in time that grows with their number only."""

from __future__ import annotations

import numpy as np

from metricloop.data.pictures import near_duplicates

NEAR = 4.0  # grey levels by which thumbnails of near-duplicates differ on average, at most
MANY = 256  # pictures with a band of bits in common are compared pair by pair up to this number


def near_links(hashes: np.ndarray, thumbnails: np.ndarray, difference: float = NEAR) -> np.ndarray:
    """Pairs of rows that look alike, (k, 2) int, first < second: not all of them, but enough to connect each group.

    hashes: (n,) uint64; thumbnails: (n, 256) uint8. Equal pictures are linked to the first of them. Where very many
    have a part of the hash in common (a fixed camera), a picture is compared with one of each group so far.
    """
    if len(hashes) < 2:
        return np.zeros((0, 2), np.int64)
    keys = np.concatenate([hashes.astype("<u8").view(np.uint8).reshape(-1, 8), thumbnails], axis=1)
    keys = np.ascontiguousarray(keys)
    _, first, of = np.unique(keys.view(f"V{keys.shape[1]}").ravel(), return_index=True, return_inverse=True)
    leader = first[of.ravel()]
    rows = np.arange(len(hashes))
    equal = np.stack([leader, rows], axis=1)[leader != rows]
    kept = np.unique(leader)
    if _crowded(hashes[kept]):
        pairs = _linked_to_leaders(hashes[kept], thumbnails[kept], difference)
    else:
        pairs = near_duplicates(hashes[kept], thumbnails[kept], difference=difference)
    return np.unique(np.sort(np.concatenate([equal, kept[pairs]]), axis=1), axis=0)


def _crowded(hashes: np.ndarray) -> bool:
    return any(
        np.unique((hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF), return_counts=True)[1].max(initial=0) > MANY
        for band in range(4)
    )


def _linked_to_leaders(hashes: np.ndarray, thumbnails: np.ndarray, difference: float) -> np.ndarray:
    """Each row is linked to the leaders it looks like; a row that looks like none becomes a leader, up to a number."""
    leaders: list[int] = []
    pairs: list[tuple[int, int]] = []
    most = 4 * MANY
    for row in range(len(hashes)):
        near = np.zeros(0, np.int64)
        if leaders:
            known = np.array(leaders, np.int64)
            known = known[np.bitwise_count(hashes[known] ^ hashes[row]) <= 3]
            gap = np.abs(thumbnails[known].astype(np.int16) - thumbnails[row]).mean(axis=1)
            near = known[gap <= difference]
        pairs += [(int(leader), row) for leader in near]
        if not len(near) and len(leaders) < most:
            leaders.append(row)
    return np.array(pairs, np.int64).reshape(-1, 2)
