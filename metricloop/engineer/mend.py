"""Bring an idea through the gate: what it broke goes back to the model, a few times at most."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from metricloop.engineer.generated_file import file_text
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.prompt_text import shapes
from metricloop.engineer.round import Round, unfinished
from metricloop.engineer.rules import REPEAT, examine
from metricloop.engineer.suggestion import Suggestion, read_suggestion, suggestion_schema
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import template_of
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Event, Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import render, template_hash
from metricloop.metrics.contract import Spec
from metricloop.scoring.gate import BrokenRule
from metricloop.scoring.metric_file import Source
from metricloop.scoring.open_metrics import GENERATED
from metricloop.text import numbers
from metricloop.text.clean import clean

ANSWER = "answer"  # the rule that a repair breaks which cannot be read; the idea stays as it was
MOST_SAID = 600  # characters of what a rule saw


def mend(turn: Round, idea: Suggestion) -> tuple[Suggestion, Spec] | None:
    """The idea as it passed the gate, with what its metric declares; None where it is refused. All is in the journal.

    Errors: SpentError when a repair cannot be paid for; the idea waits for the limit to be raised. ClientError.
    """
    fault, attempt = "", 0
    while True:
        passed = _gate(turn, idea, attempt)
        idea, broken = (
            Suggestion.model_validate(passed["idea"]),
            [BrokenRule(**broken_rule) for broken_rule in passed["broken"]],
        )
        if not broken:
            _tell(turn, idea, attempt)
            return idea, Spec(**(passed["spec"] | {"needs": tuple(passed["spec"]["needs"])}))
        said = "; ".join(f"{broken_rule.rule}: {broken_rule.said}" for broken_rule in broken)
        if broken[0].rule != ANSWER:
            fault = said
        elif fault:
            said = f"{said}; it stands as it was: {fault}"
        if any(broken_rule.rule == REPEAT for broken_rule in broken):
            turn.refuse(idea.name, "repeat", said)
            return None
        attempt += 1
        key = Key(turn.number, "repair", idea.name, attempt)
        if attempt > turn.repairs and turn.journal.last("answered", key) is None:  # what was paid for is used
            turn.refuse(idea.name, "gate", said)
            return None
        turn.tell(f"{idea.name} broke {said}")
        try:
            answer = _ask(turn, key, idea, broken)
        except NotRecordedError as error:
            turn.refuse(idea.name, "gate", f"{said}; not repaired: {error}")
            return None
        idea, wrong = _read(answer, idea)
        if wrong:
            wrong = unfinished(turn.journal, key) or wrong
            turn.journal.once("unusable", asdict(key), said=wrong)
            turn.journal.once(
                "gate", turn.of(idea.name, attempt), idea=idea.model_dump(), spec=None, seconds=0.0,
                broken=[asdict(BrokenRule(ANSWER, wrong))],
            )  # fmt: skip


def text_of(turn: Round, idea: Suggestion, attempt: int) -> str:
    """The file of an idea's metric as it stands after so many repairs; "" where it brings none."""
    if idea.code is None:
        return ""
    repaired = turn.journal.last("answered", Key(turn.number, "repair", idea.name, attempt)) if attempt else None
    answered = repaired or turn.journal.last("answered", round=turn.number, step="propose")
    assert answered is not None
    return file_text(
        idea.code, study=turn.scene.params.study.name, model=answered["model"], number=turn.number,
        suggestion=idea.name, repairs=attempt, prompt=template_hash(template_of(Key.of(answered))),
    )  # fmt: skip


def _gate(turn: Round, idea: Suggestion, attempt: int) -> Event:
    """The gate's event of this attempt: from the journal, or by running the idea's code now."""
    where = turn.of(idea.name, attempt)
    if known := turn.journal.last("gate", **where):
        return known
    began = time.monotonic()
    source = Source(text_of(turn, idea, attempt), f"{GENERATED}/{turn.number}/{idea.metric}.py")
    gate_result = examine(idea, turn.bench, lambda: turn.judge(source, idea.metric))
    broken = [asdict(broken_rule) | {"said": clean(broken_rule.said, MOST_SAID)} for broken_rule in gate_result.broken]
    return turn.journal.add(
        "gate", **where, idea=idea.model_dump(), broken=broken,
        spec=asdict(gate_result.spec) if gate_result.spec else None,
        seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def _ask(turn: Round, key: Key, idea: Suggestion, broken: Sequence[BrokenRule]) -> str:
    context = {
        "name": idea.name,
        "broken": [{"rule": broken_rule.rule, "said": broken_rule.said} for broken_rule in broken],
        "attempt": str(key.attempt),
        "attempts": str(max(turn.repairs, key.attempt)),
        "code": text_of(turn, idea, key.attempt - 1),
        "frames": shapes(turn.frames),
    }
    return turn.talk.ask(key, [Message("user", render("repair", context))], suggestion_schema(policy_schema()))


def _read(text: str, idea: Suggestion) -> tuple[Suggestion, str]:
    """The repaired idea, or the old one with what is wrong with the answer. Name, family and parent stay."""
    try:
        answer = json_in(text)
        if isinstance(answer, dict) and isinstance(answer.get("suggestions"), list) and len(answer["suggestions"]) == 1:
            answer = answer["suggestions"][0]
        if isinstance(answer, dict):
            answer = answer | {"name": idea.name, "family": idea.family, "parent": idea.parent}
        return read_suggestion(answer), ""
    except ValueError as error:  # AnswerError is one
        return idea, str(error)


def _tell(turn: Round, idea: Suggestion, repairs: int) -> None:
    ran = f"passed the gate after {numbers.count(repairs, 'repair')}" if repairs else "passed the gate at once"
    origin = f"{idea.family}, builds on {idea.parent}" if idea.parent else idea.family
    turn.tell(f"{idea.name} ({origin}): {ran}; {idea.metric}, {numbers.policy(dict(idea.policy))}")
