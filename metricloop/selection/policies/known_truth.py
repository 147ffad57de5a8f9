"""oracle, relabelled and relabel: controls that know which labels are wrong."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from metricloop.selection.options import Direction, Drawn
from metricloop.selection.policy import Chosen, Draw, policy


class Relabel(Drawn):
    worst: Annotated[int, Field(ge=1)] = Field(
        description="images of the pool whose labels are replaced, the worst by the scores, among those whose truth is "
        "known"
    )
    direction: Direction = Field("higher", description="which scores are better")
    reduce: Literal["mean", "min", "softmin"] = Field(
        "min", description="objects to image; min: the worst object decides"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(0.1, description="of softmin, in units of the score")
    unknown: Literal["middle", "last"] = Field(
        "middle", description="where `cannot say` ranks: neither for nor against, or the very worst"
    )

    @property
    def second(self) -> tuple[str, ...]:
        return (*super().second, "the scores")


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
@policy(
    "relabel",
    "the images of the arm `random`, with other labels for the worst images of the pool",
    options=Relabel,
    reads="truth",
    place=150,
)
def ranked(draw: Draw) -> Chosen:
    """Images by keep-value. select() computes it from the truth for `oracle`; for the other two all are equal.

    Their labels are replaced by select(), too.
    """
    return draw.ranked, None
