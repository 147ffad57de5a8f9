"""among: images at random among the best share of the pool."""

from __future__ import annotations

import math

from pydantic import Field

from metricloop.selection.options import Fraction, Scored
from metricloop.selection.policy import Chosen, Draw, policy


class Among(Scored):
    share: Fraction = Field(0.5, description="of the pool's images: the better ones, to draw among")


@policy("among", "draw at random among the best share of the images", options=Among, place=40)
def among(draw: Draw) -> Chosen:
    """Images at random among the best `share`."""
    return draw.rng.permutation(draw.ranked[: math.ceil(draw.options.share * len(draw.data))]), None
