"""The scorecard of a take-home: which checks passed, at once or after repairs, and what the model cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from metricloop.llm.journal import Event
from metricloop.llm.prices import cost
from metricloop.llm.providers import replays
from metricloop.llm.settings import LanguageModel
from metricloop.takehome.assignment import Assignment
from metricloop.takehome.checks import CHECKS
from metricloop.takehome.history import REPAIR, turns
from metricloop.text import numbers

ARTICLE_SHARE, ARTICLE_FIXES = "around 90 %", "2-3"  # "chatGPT would almost pass my take-home assignment", 2023
Status = Literal["passed first time", "after repairs", "never"]


@dataclass(frozen=True)
class Row:
    """One check. repairs: how often it failed before it passed. broke: it passed once, and not in the end."""

    check: str
    title: str
    status: Status
    repairs: int
    broke: bool
    said: str

    @property
    def words(self) -> str:
        """The status in words: passed first time, after 2 repairs, never."""
        if self.status == "after repairs":
            return f"after {numbers.count(self.repairs, 'repair')}"
        return "never (it passed before)" if self.broke else self.status


@dataclass(frozen=True)
class Scorecard:
    """at_once, unaided: how many of the checks passed first time, and passed in the end.

    score: our numbers on labels that the application never saw, and `own`, what the application says of itself.
    reference: of a plain model of ours. dollars: None when a price is unknown. minutes: waiting for answers.
    limit: what stopped the course, or "".
    """

    assignment: str
    kind: str
    model: str
    provider: str
    recorded: str | None
    rows: tuple[Row, ...]
    at_once: int
    unaided: int
    score: dict[str, Any]
    own: dict[str, float]
    reference: dict[str, Any] | None
    calls: int
    repairs: int
    unusable: int
    tokens: int
    dollars: float | None
    minutes: float
    limit: str

    @property
    def form(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"checks": len(self.rows)}


def scorecard(
    assignment: Assignment, events: Sequence[Event], settings: LanguageModel, reference: dict[str, Any] | None,
    limit: str = "",
) -> Scorecard:  # fmt: skip
    """The scorecard of a journal that holds a final judgement."""
    final = [event for event in events if event["event"] == "final"][-1]["results"]
    rows = tuple(_row(check.name, check.title, events, final) for check in CHECKS)
    answers = turns(events)
    answered = [turn.answered for turn in answers]
    priced = [_dollars(one, settings) for one in answered]
    last = answered[-1] if answered else {}
    return Scorecard(
        assignment=assignment.front.name,
        kind=assignment.front.kind,
        model=str(last.get("model", settings.model)),
        provider=str(last.get("provider", settings.provider)),
        recorded=last.get("recorded"),
        rows=rows,
        at_once=sum(row.status == "passed first time" for row in rows),
        unaided=sum(row.status != "never" for row in rows),
        score={name: _rounded(value) for name, value in final["score"]["facts"].items()},
        own={name: _rounded(value) for name, value in (final["training"]["facts"].get("own") or {}).items()},
        reference=reference and {name: _rounded(value) for name, value in reference.items()},
        calls=len(answers),
        repairs=sum(turn.key.step == REPAIR for turn in answers),
        unusable=sum(bool(turn.fault) for turn in answers),
        tokens=sum(one["prompt_tokens"] + one["completion_tokens"] for one in answered),
        dollars=None if None in priced else round(sum(amount or 0.0 for amount in priced), 4),
        minutes=round(sum(one["seconds"] for one in answered) / 60, 1),
        limit=limit,
    )


def _row(name: str, title: str, events: Sequence[Event], final: Mapping[str, Any]) -> Row:
    checked = [event for event in events if event["event"] == "checked" and name in event["results"]]
    earlier = [event["results"][name]["passed"] for event in checked]
    result = final[name]
    failures = earlier.count(False)
    if not result["passed"]:
        return Row(name, title, "never", failures, True in earlier, result["said"])
    return Row(name, title, "after repairs" if failures else "passed first time", failures, False, "")


def _dollars(answered: Event, settings: LanguageModel) -> float | None:
    """What an answer cost; a replayed one cost nothing now, so it counts with what it cost when its price is known."""
    if not replays(answered["provider"]) and answered["cost"] is not None:
        return answered["cost"]
    return cost(answered["model"], answered["prompt_tokens"], answered["completion_tokens"], settings.prices)


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
