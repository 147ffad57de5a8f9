"""How many tokens one answer may take, and what is done when the model's reasoning takes them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metricloop.llm.wire import RequestForm

TIMES = 2  # by which an answer's limit is raised, once
LITTLE = ("none", "minimal", "low")  # reasoning efforts that are not lowered


@dataclass(frozen=True)
class Room:
    """tokens: the limit of one answer. raised, lowered: whether the limit was raised, and the effort lowered."""

    tokens: int
    raised: bool = False
    lowered: bool = False

    def after(self, form: RequestForm, left: int) -> tuple[RequestForm, Room] | None:
        """What to try after an answer that was all reasoning; None when there is nothing more.

        First a limit twice as high, if the `left` tokens of the budget allow more than before; then less effort.
        """
        if not self.raised and left > self.tokens:
            return form, replace(self, tokens=min(left, TIMES * self.tokens), raised=True)
        if not self.lowered and form.effort not in LITTLE:
            return replace(form, effort="low"), replace(self, lowered=True)
        return None

    def refused(self, form: RequestForm, usual: int) -> tuple[RequestForm, Room] | None:
        """What to try when the server refuses the raised limit, or None. usual: llm.answer_tokens."""
        return replace(self, tokens=usual).after(form, 0) if self.raised else None
