"""What the model remembers of a take-home: the whole conversation, with every file in its latest version alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import takewhile

from metricloop.llm.conversation import Memory, with_titles
from metricloop.llm.journal import Event, Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import TAKEHOME, template_hash
from metricloop.takehome.answer import Handed
from metricloop.takehome.history import PLAN, REPAIR, Turn, turns

REPLACED = "(replaced later)"
OLD_FAULTS = 500  # characters of what was wrong with a piece that is over
UNUSABLE = 1000  # characters of an answer that could not be used


def messages(events: Iterable[Event], key: Key) -> list[Message]:
    """The messages before the call `key`, oldest first.

    A file that was handed in again later is left out of the earlier answer. What was wrong with a piece that is over is
    shortened. So the length grows with the application and not with the number of tries.
    """
    before = turns(takewhile(lambda event: not (event["event"] == "answered" and Key.of(event) == key), events))
    found = []
    for number, turn in enumerate(before):
        over = (turn.key.round, turn.key.suggestion) != (key.round, key.suggestion)
        for message in turn.asked["messages"]:
            text = with_titles(message)
            if turn.key.step == REPAIR and over and len(text) > OLD_FAULTS:
                text = f"{text[:OLD_FAULTS]} ..."
            found.append(Message(message["role"], text))
        later = {file.path for other in before[number + 1 :] if other.handed for file in other.handed.files}
        found.append(Message("assistant", _remembered(turn, later)))
    return found


def _remembered(turn: Turn, later: set[str]) -> str:
    if turn.handed is None:
        text = str(turn.answered["text"] or turn.answered.get("refusal") or "")
        return text if turn.key.step == PLAN and not turn.fault else text[:UNUSABLE]
    return json.dumps(_without(turn.handed, later), ensure_ascii=False)


def _without(handed: Handed, later: set[str]) -> dict:
    files = [{"path": f.path, "content": REPLACED if f.path in later else f.content} for f in handed.files]
    return {"files": files, "note": handed.note}


def template(key: Key) -> str:
    """The hash of the prompt template of a call. A plan that cannot be used is asked for with the template "again"."""
    name = "again" if key.step == PLAN and key.attempt else f"takehome_{key.step}"
    return template_hash(name, TAKEHOME)


MEMORY = Memory(messages, template)
