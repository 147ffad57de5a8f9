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
    data, boxes = draw.data, len(draw.box_keep_values)
    worst = np.lexsort((draw.rng.permutation(boxes), draw.box_keep_values))[: round(draw.options.share * boxes)]
    dropped = np.zeros(boxes, bool)
    dropped[worst] = True
    dropped[np.isin(data.box_row, draw.fixed)] = False
    hit = np.bincount(data.box_row[dropped], minlength=len(data))
    if draw.options.on_drop == "image":
        return draw.ranked[hit[draw.ranked] == 0], None
    emptied = (hit > 0) & (hit == data.counts)
    use = np.where(dropped, "mask" if draw.options.on_drop == "mask" else "drop", "keep")
    return draw.ranked[~emptied[draw.ranked]], use
