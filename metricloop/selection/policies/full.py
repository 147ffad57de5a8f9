"""full: the whole pool, whatever the budget."""

from __future__ import annotations

from metricloop.selection.options import Mended
from metricloop.selection.policy import Chosen, Draw, policy


@policy("full", "the whole pool, outside the budget", options=Mended, reads="images", place=120, whole_pool=True)
def full(draw: Draw) -> Chosen:
    """All images."""
    return draw.ranked, None
