"""match: images at random with the box counts of another arm's subset."""

from __future__ import annotations

import numpy as np

from metricloop.selection.greedy import nearest_counts
from metricloop.selection.options import Capped, PolicyError
from metricloop.selection.policy import Chosen, Draw, policy


@policy(
    "match",
    "draw at random with the box counts of another arm's subset, input b",
    options=Capped,
    reads="subset",
    place=110,
)
def match(draw: Draw) -> Chosen:
    """For every image of another subset a random one with as many boxes, or else with the nearest number."""
    wanted, n = draw.rng.permutation(draw.wanted), len(draw.data)
    if len(wanted) > n:
        raise PolicyError(f"cannot match {len(wanted)} images: the pool holds only {n}")
    rows = np.argsort(draw.tie)
    rows = np.concatenate([draw.fixed, rows[~np.isin(rows, draw.fixed)]])
    return rows[nearest_counts(draw.data.counts[rows], wanted, given=len(draw.fixed), room=draw.room(rows))], None
