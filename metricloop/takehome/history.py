"""What the journal of a take-home says: the model's answers in order, and the application after each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from metricloop.llm.incomplete import incomplete_answer
from metricloop.llm.journal import Event, Key
from metricloop.takehome.answer import AnswerError, Files, Handed, applied, read_handed

PLAN, PIECE, REPAIR, RESTRUCTURE, IMPROVE = "plan", "piece", "repair", "restructure", "improve"  # steps of a call


@dataclass(frozen=True)
class Turn:
    """One answer. handed: what it hands in; None for a plan and for an answer that cannot be used, whose fault is told.

    files: the application after it.
    """

    key: Key
    asked: Event
    answered: Event
    handed: Handed | None
    fault: str
    files: Files


def turns(events: Iterable[Event]) -> list[Turn]:
    """The answers of a journal, in the order in which they came."""
    asked: dict[Key, Event] = {}
    found: list[Turn] = []
    files: Files = {}
    for event in events:
        if event["event"] == "asked":
            asked[Key.of(event)] = event
        elif event["event"] == "answered":
            key = Key.of(event)
            handed, fault, files = _read(key, event, files)
            found.append(Turn(key, asked[key], event, handed, fault, files))
    return found


def _read(key: Key, answered: Event, before: Files) -> tuple[Handed | None, str, Files]:
    if fault := incomplete_answer(answered):
        return None, fault, before
    if key.step == PLAN:
        return None, "", before
    try:
        handed = read_handed(answered["text"])
        return handed, "", applied(handed, before)
    except AnswerError as error:
        return None, str(error), before


def files_after(events: Iterable[Event]) -> Files:
    """The application as it is now."""
    found = turns(events)
    return found[-1].files if found else {}


def digest(files: Files) -> str:
    """A digest of an application: the same files give the same digest."""
    total = hashlib.sha256()
    for name, text in sorted(files.items()):
        total.update(f"{name}\0{text}\0".encode())
    return total.hexdigest()[:16]
