"""band: images at random between two quantiles of the keep-values."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from metricloop.selection.options import Scored
from metricloop.selection.policy import Chosen, Draw, policy


class Band(Scored):
    low: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="quantile of goodness to begin at: 0 the worst image, 1 the best"
    )
    high: Annotated[float, Field(gt=0, le=1)] = Field(0.75, description="quantile of goodness to end at")

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self


@policy("band", "draw at random between two quantiles of goodness", options=Band, place=60)
def band(draw: Draw) -> Chosen:
    """Images at random between two quantiles of the keep-values."""
    n, rising = len(draw.data), draw.ranked[::-1]
    return draw.rng.permutation(rising[math.floor(draw.options.low * n) : math.ceil(draw.options.high * n)]), None
