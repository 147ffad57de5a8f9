"""oracle and relabelled: controls that know which labels were damaged on purpose."""

from __future__ import annotations

from metricloop.selection.options import Drawn
from metricloop.selection.policy import Chosen, Draw, policy


@policy(
    "oracle",
    "keep the images with the smallest share of damaged objects",
    options=Drawn,
    reads="truth",
    place=130,
)
@policy(
    "relabelled",
    "the images of the arm `random` with other labels: the true ones, or those before a repair",
    options=Drawn,
    reads="truth",
    place=140,
)
def ranked(draw: Draw) -> Chosen:
    """Images by keep-value. select() computes it from the truth for `oracle`; for `relabelled` all are equal."""
    return draw.ranked, None
