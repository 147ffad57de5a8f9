"""Have the ideas of a round proposed: read strictly, asked for again with what is wrong, the last answer leniently."""

from __future__ import annotations

from dataclasses import asdict

from metricloop.engineer.briefing import opening
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.round import REFUSED, Round, unfinished
from metricloop.engineer.suggestion import Suggestion, proposal_schema, read_suggestions
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import render

Fault = tuple[str, str]  # of which suggestion ("" for all), and what is wrong


def propose(turn: Round) -> list[Suggestion]:
    """The ideas of a round; none where the model had none that could be read, in as many tries as a repair has.

    Errors: SpentError and ClientError; NotRecordedError in a replay.
    """
    if taken := turn.journal.last("proposed", round=turn.number):  # whatever llm.repairs says by now
        return _take(turn, Key(turn.number, "propose", "", taken["attempt"]))
    new = opening(turn.scene, turn.number)
    for attempt in range(turn.repairs + 1):
        key = Key(turn.number, "propose", "", attempt)
        found, faults = _read(turn, turn.talk.ask(key, new, proposal_schema(policy_schema())))
        if found and (not faults or (attempt == turn.repairs and _opens(turn, found))):
            return _take(turn, key)
        said = unfinished(turn.journal, key) or "; ".join(
            f"{name}: {fault}" if name else fault for name, fault in faults
        )
        turn.journal.once("unusable", asdict(key), said=said)
        turn.tell(f"the proposal cannot be used ({said[:200]})")
        if said.startswith(REFUSED):
            return []
        new = [Message("user", render("again", {"said": said}))]
    return []


def _take(turn: Round, key: Key) -> list[Suggestion]:
    """Go with this answer: what can be read of it is proposed, the rest is refused."""
    answered = turn.journal.last("answered", key)
    assert answered is not None
    found, faults = _read(turn, answered["text"])
    for idea in found:
        turn.journal.once("proposed", turn.of(idea.name), attempt=key.attempt, idea=idea.model_dump())
    for name, fault in faults:
        if name:
            turn.refuse(name, "unusable", fault)
    return found


def _read(turn: Round, text: str) -> tuple[list[Suggestion], list[Fault]]:
    """The ideas in an answer that this study can take, and everything that is wrong with it."""
    try:
        ideas, faults = read_suggestions(json_in(text), turn.scene.params.llm.suggestions)
    except ValueError as error:
        return [], [("", str(error))]
    found = [idea for idea in ideas if idea.name not in turn.bench.arms]
    faults += [(idea.name, "an arm has this name already") for idea in ideas if idea.name in turn.bench.arms]
    if found and not _opens(turn, found):
        tried = ", ".join(sorted(set(turn.bench.families.values())))
        faults.append(("", f"every idea is of a family tried before ({tried}): open a new one"))
    return found, faults


def _opens(turn: Round, found: list[Suggestion]) -> bool:
    """Whether a family is among them that no earlier round has tried."""
    return bool({idea.family for idea in found} - set(turn.bench.families.values()))
