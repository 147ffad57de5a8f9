"""Control: random scores, which a useful metric must beat."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.metrics.contract import metric


@metric(level="image", scope="dataset")
def random_score(pool: Dataset, seed: int = 0) -> np.ndarray:
    """A number drawn uniformly from [0, 1) for every picture by the seed and its file's SHA-256.

    It does not depend on the other images or their order; copies of one file get the same number.
    nan for an image without a hash.
    Direction: none; higher is "better" by convention. Source: SplitMix64 (Steele, Lea and Flood 2014).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop import Frame
    >>> none = np.zeros((0, 4), np.float32)
    >>> random_score(pool_of([Frame(k, 40, 30, none, np.zeros(0, int)) for k in (1, 2)])).round(3).tolist()
    [0.165, 0.311]
    """
    hashes = pool.sha256.astype(object)
    known = hashes.astype(bool)  # neither None nor ""
    words = np.frombuffer(bytes.fromhex("".join(hashes[known])), ">u8").reshape(-1, 4).astype(np.uint64)
    state = np.full(len(words), seed, np.uint64)
    for word in words.T:
        state = _mixed(state ^ word)
    scores = np.full(len(pool), np.nan)
    scores[known] = (state >> np.uint64(11)) * 2.0**-53
    return scores


def _mixed(state: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of the state: SplitMix64 (Steele, Lea and Flood 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))
