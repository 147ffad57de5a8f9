"""Duplicate pictures: equal files or near-equal pictures, within the pool and across the splits."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings
from metricloop.data.near_links import near_any, near_links
from metricloop.metrics.catalogue._neighbours import nearest
from metricloop.metrics.contract import metric

ROWS, COLUMNS = 256, 8192  # of a block of hashes held against each other: 16 MB


@metric(level="image", scope="dataset", higher_is="worse")
def exact_duplicate(pool: Dataset) -> np.ndarray:
    """Number of other pictures of the pool with an identical file; 0 and above.

    Direction: higher is worse: a copy teaches nothing new, and two copies may be labelled differently.
    Source: exact duplicates of cleanvision and FiftyOne, by SHA-256 of the file.

    >>> from dataclasses import replace
    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> exact_duplicate(replace(pool, sha256=np.array(["a", "b", "a"], object))).tolist()
    [1.0, 0.0, 1.0]
    """
    _, kind, times = np.unique(pool.sha256.astype(str), return_inverse=True, return_counts=True)
    return (times[kind] - 1).astype(np.float64)


@metric(level="image", needs=("embedding",), scope="dataset", higher_is="worse")
def near_duplicate(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Number of near-duplicates in the pool: scaled, recompressed or slightly changed copies; 0 and above.

    Two pictures show the same when their 64-bit difference hashes differ in at most 3 bits and their 16 x 16 grey
    thumbnails by at most 4 grey levels on average; and so do two that are linked through other such pairs. An exact
    copy counts, too. Direction: higher is worse: see `exact_duplicate`; in a video it grows while the camera stands
    still. Source: difference hash (Krawetz 2013); linked groups as in fastdup.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> same = np.zeros((3, 256), np.uint8)
    >>> near_duplicate(pool, embeddings_of(np.eye(3), hashes=[0b111, 0b001, 0xFF00], thumbnails=same)).tolist()
    [1.0, 1.0, 0.0]
    """
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    looks, n = embeddings.pool, len(embeddings.pool.hashes)
    pairs = near_links(looks.hashes, looks.thumbnails)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, group = connected_components(links, directed=False) if n else (0, np.zeros(0, int))
    return (np.bincount(group, minlength=1)[group] - 1).astype(np.float64)


@metric(level="image", needs=("embedding",), scope="dataset")
def nearest_hash_distance(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Number of bits in which a picture's 64-bit difference hash differs from the nearest other one; 0 to 64.

    0 is the same pattern of light and dark, which copies share, and now and then plain pictures that do not look alike:
    see `near_duplicate`. Unlike pictures differ in some 20 bits and more. nan in a pool of one.
    Direction: higher is better: unlike all others. Source: Hamming distance of perceptual hashes, as in cleanvision and
    FiftyOne, which tell only whether it is 0, or below a threshold.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> nearest_hash_distance(pool, embeddings_of(np.eye(3), hashes=[0b111, 0b001, 0xFF00])).tolist()
    [2.0, 2.0, 9.0]
    """
    hashes = embeddings.pool.hashes
    n = len(hashes)
    best = np.full(n, 255, np.uint8)
    for begin in range(0, n, ROWS):
        for left in range(0, n, COLUMNS):
            bits = np.bitwise_count(hashes[begin : begin + ROWS, None] ^ hashes[None, left : left + COLUMNS])
            rows = np.arange(begin, min(begin + ROWS, n))
            own = (rows >= left) & (rows < left + bits.shape[1])
            bits[rows[own] - begin, rows[own] - left] = 255
            np.minimum(best[begin : begin + ROWS], bits.min(axis=1), out=best[begin : begin + ROWS])
    return best.astype(np.float64) if n > 1 else np.full(n, np.nan)


@metric(level="image", needs=("embedding",), scope="dataset", higher_is="worse")
def split_leakage(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """How similar a picture is to the nearest picture of the search or test split; 0 to 1.

    1 where the two are near-duplicates as in `near_duplicate`; else the highest cosine similarity to a held-out
    picture, negative ones as 0. nan without held-out pictures. Only the pictures of the held-out splits are used, never
    their labels. Direction: higher is worse: a detector finds what it has seen in training, so copies make a subset
    look better than it is. Compare values within one study only: most networks put all pictures above 0.5.
    Source: leaky splits of FiftyOne Brain; cross-split near-duplicates of fastdup.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(2)])
    >>> split_leakage(pool, embeddings_of([[1, 0], [3, 4]], held_out=[[0, 1]], hashes=[3, 7 << 40])).round(2).tolist()
    [0.0, 0.8]
    """
    own, held = embeddings.pool, embeddings.held_out
    n = len(own.images)
    if not len(held.images):
        return np.full(n, np.nan)
    nothing = np.zeros(n, np.int64)
    distance = nearest(own.images, held.images, 1, (nothing, nothing)).distances[:, 0]
    score = np.clip(1 - distance, 0, 1)
    score[near_any(own.hashes, own.thumbnails, (held.hashes, held.thumbnails))] = 1
    return score
