"""best and inverse: the images with the highest, or the lowest, keep-values."""

from __future__ import annotations

from metricloop.selection.options import Scored
from metricloop.selection.policy import Chosen, Draw, policy


@policy("best", "keep the best images", options=Scored, place=10)
@policy(
    "inverse",
    "keep the worst images: what `best` does in the other direction",
    options=Scored,
    place=20,
    flip=True,
)
def best(draw: Draw) -> Chosen:
    """The best images first."""
    return draw.ranked, None
