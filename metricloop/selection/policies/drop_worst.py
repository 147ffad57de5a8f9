"""drop_worst: images at random, after the worst boxes of the pool are removed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from metricloop.selection.options import Fraction, Scored
from metricloop.selection.policy import Chosen, Draw, policy


class DropWorst(Scored):
    share: Fraction = Field(0.1, description="of the pool's boxes")
    on_drop: Literal["image", "mask", "background"] = Field(
        "image", description="what goes with a dropped box: its image, its pixels, or only the label"
    )


@policy(
    "drop_worst",
    "draw at random, without the worst boxes of the pool",
    options=DropWorst,
    reads="object scores",
    place=30,
)
def drop_worst(draw: Draw) -> Chosen:
    """Images at random without the worst boxes of the pool; an image that loses all its boxes is left out."""
    assert draw.box_keep_values is not None
    data, boxes, ranked = draw.data, len(draw.box_keep_values), draw.ranked
    dropped = lowest(draw.box_keep_values, round(draw.options.share * boxes), draw.rng.permutation(boxes))
    dropped[np.isin(data.box_row, draw.fixed)] = False
    hit = np.bincount(data.box_row[dropped], minlength=len(data))
    if draw.options.on_drop == "image":
        return ranked[hit[ranked] == 0], None
    emptied = (hit > 0) & (hit == data.counts)
    use = np.where(dropped, "mask" if draw.options.on_drop == "mask" else "drop", "keep")
    return ranked[~emptied[ranked]], use


def lowest(values: np.ndarray, number: int, tie: np.ndarray) -> np.ndarray:
    """Mark the `number` lowest of n values, (n,) bool. tie: (n,) a permutation; it decides among equal values.

    It does not sort all values, which would take ten times as long for millions of boxes.

    >>> lowest(np.array([3.0, 1.0, 2.0, 2.0]), 2, np.array([0, 1, 3, 2])).tolist()
    [False, True, False, True]
    """
    if not number:
        return np.zeros(len(values), bool)
    edge = np.partition(values, number - 1)[number - 1]
    taken, equal = values < edge, np.flatnonzero(values == edge)
    taken[equal[np.argsort(tie[equal])[: number - np.count_nonzero(taken)]]] = True
    return taken
