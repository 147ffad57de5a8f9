"""relabel: a control that shows what it is worth to correct the labels of the worst images by a metric."""

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
    "relabel",
    "the images of the arm `random`, with other labels for the worst images of the pool",
    options=Relabel,
    reads="truth",
    place=150,
)
def relabel(draw: Draw) -> Chosen:
    """Images at random. select() draws them as for the arm `random`, and replaces the labels."""
    return draw.ranked, None
