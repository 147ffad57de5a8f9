"""A round under way: whom it asks, what its ideas are held against, and how it tells what happens.

All that happens is in the journal, and a round that was cut short goes on from there: nothing is asked, or run, twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metricloop.data.frame import Frame
from metricloop.engineer.briefing import Scene
from metricloop.engineer.rules import Bench
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal, Key
from metricloop.scoring.gate import GateResult
from metricloop.scoring.metric_file import Source
from metricloop.text.clean import clean

REFUSED = "the model refused"

# Runs the text of a metric, named second, against the gate.
Judge = Callable[[Source, str], GateResult]


@dataclass
class Round:
    """say: shows a line to the person. frames: of the pool, that code is judged on."""

    number: int
    scene: Scene
    talk: Conversation
    bench: Bench
    judge: Judge
    frames: Sequence[Frame] = ()
    say: Callable[[str], None] = print

    @property
    def journal(self) -> Journal:
        return self.talk.journal

    @property
    def repairs(self) -> int:
        return self.scene.params.llm.repairs

    def tell(self, text: str) -> None:
        self.say(f"round {self.number}: {text}")

    def of(self, suggestion: str, attempt: int | None = None) -> dict[str, Any]:
        """The fields that say which idea of the round an event is about."""
        return {"round": self.number, "suggestion": suggestion} | ({} if attempt is None else {"attempt": attempt})

    def refuse(self, name: str, kind: str, reason: str) -> None:
        """Journal that an idea is refused for good, and say so the first time. kind: gate, repeat or unusable."""
        if self.journal.last("refused", **self.of(name)) is None:
            self.tell(f"{name}: refused: {reason}")
        self.journal.once("refused", self.of(name), kind=kind, reason=reason)


def unfinished(journal: Journal, key: Key) -> str:
    """What is wrong with an answer before it is read; "" where it came whole."""
    answered = journal.last("answered", key)
    if answered is None or answered["finish"] not in ("length", "refusal", "empty"):
        return ""
    if answered["finish"] == "refusal":
        return f"{REFUSED}: {clean(answered['refusal'] or 'without a word')}"
    said = f"it was cut off after {answered['completion_tokens']} tokens: hand in less, or shorter code"
    return said if answered["finish"] == "length" else "it was empty"
