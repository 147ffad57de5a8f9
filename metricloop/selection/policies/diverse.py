"""diverse: images in turn, each the one farthest from all chosen before it (k-center greedy)."""

from __future__ import annotations

from pydantic import Field

from metricloop.selection.greedy import farthest_first_with_room
from metricloop.selection.options import PositiveShare, Scored
from metricloop.selection.policy import Chosen, Draw, policy


class Diverse(Scored):
    share: PositiveShare = Field(0.5, description="of the pool's images: the better ones, to choose among")

    @property
    def second(self) -> tuple[str, ...]:
        # the policy reads the embeddings in any case, so distinct=looks needs no further input
        return ("diverse", *(("combine",) if self.combine else ()))


@policy(
    "diverse",
    "take in turn the good image least like those taken (k-center)",
    options=Diverse,
    reads="scores and embeddings",
    place=80,
)
def diverse(draw: Draw) -> Chosen:
    """Among the best `share`: first the best image, then always the one least like those chosen before."""
    assert draw.points is not None
    rows = draw.better
    key = draw.data.image_id[rows].tobytes()
    if key not in draw.known:
        given, room = max(len(draw.fixed), 1), draw.room(rows)
        draw.known[key] = farthest_first_with_room(draw.points[rows], draw.count, given=given, room=room)
    return rows[draw.known[key]], None
