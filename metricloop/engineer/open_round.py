"""The state of one round of the language model, which the steps of the round share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metricloop.data.frame import Frame
from metricloop.engineer.code_gate import load_repair_without_sandbox, load_without_sandbox, open_gate
from metricloop.engineer.generated_file import code_text
from metricloop.engineer.known_ideas import KnownIdeas
from metricloop.engineer.study_view import StudyView, known_ideas
from metricloop.engineer.suggestion import Suggestion
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.mending.gate import RepairGateResult
from metricloop.scoring.gate import GateResult
from metricloop.scoring.metric_file import MetricFile


@dataclass
class Round:
    """One round of one study.

    known: what ideas are compared with; grows with every accepted idea. check_code: runs the code of a metric, whose
    name is its second argument, against the gate; check_repair: that of a repair. frames: the images that code is tried
    on. say: shows the person a line.
    """

    number: int
    study: StudyView
    conversation: Conversation
    known: KnownIdeas
    check_code: Callable[[MetricFile, str], GateResult]
    check_repair: Callable[[MetricFile, str], RepairGateResult]
    frames: Sequence[Frame] = ()
    say: Callable[[str], None] = print

    @property
    def journal(self) -> Journal:
        return self.conversation.journal

    @property
    def repairs(self) -> int:
        """How often an idea may be repaired."""
        return self.study.params.llm.repairs

    def report(self, text: str) -> None:
        who = f", engineer {self.journal.engineer}" if self.journal.engineer else ""
        self.say(f"round {self.number}{who}: {text}")

    def metric_text(self, idea: Suggestion, attempt: int) -> str:
        """The file of an idea's metric after so many repairs; "" when the idea has no metric of its own."""
        return code_text(idea.code, idea, attempt, self.study.params.study.name, self.number, self.journal)

    def repair_text(self, idea: Suggestion, attempt: int) -> str:
        """The file of an idea's label repair at this attempt; "" when the idea has no label repair of its own."""
        return code_text(idea.repair_code, idea, attempt, self.study.params.study.name, self.number, self.journal)

    def about(self, suggestion: str, attempt: int | None = None) -> dict[str, Any]:
        """The fields of an event that say which idea, and which attempt at it, the event is about."""
        return {"round": self.number, "suggestion": suggestion} | ({} if attempt is None else {"attempt": attempt})


def open_round(number: int, study: StudyView, conversation: Conversation, unsafe: bool = False) -> Round:
    """A round that is ready to run. unsafe: code is executed in this process, and the gate does not check it."""
    known = known_ideas(study, number)
    gate = open_gate(number, study, known)
    check_code = load_without_sandbox if unsafe else gate.check
    check_repair = load_repair_without_sandbox if unsafe else gate.check_repair
    return Round(number, study, conversation, known, check_code, check_repair, gate.frames)


def refuse(this: Round, name: str, kind: str, reason: str) -> None:
    """Journal that an idea is refused for good, and say so the first time. kind: gate, repeat or unusable."""
    if this.journal.last("refused", **this.about(name)) is None:
        this.report(f"{name}: refused: {reason}")
    this.journal.once("refused", this.about(name), kind=kind, reason=reason)
