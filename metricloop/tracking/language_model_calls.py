"""The calls of the language model, read from the journal: what was asked, what came back, tokens, cost and times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from metricloop.llm.conversation import thread, with_titles
from metricloop.llm.journal import Event, Key
from metricloop.llm.message import Message
from metricloop.tracking.records import ModelCall

SECOND = 1_000_000_000  # nanoseconds
Before = Callable[[Iterable[Event], Key], list[Message]]


def calls(events: Sequence[Event], before: Before = thread) -> list[ModelCall]:
    """Every call that ended, with or without an answer, in the order in which they ended.

    events: of the journal. before: gives the messages that a call was sent before its new ones.
    """
    asked: dict[Key, Event] = {}
    found = []
    for event in events:
        if event["event"] == "asked":
            asked[Key.of(event)] = event
        elif event["event"] in ("answered", "call_failed"):
            found.append(_call(events, asked.get(Key.of(event), {}), event, before))
    return found


def _call(events: Sequence[Event], asked: Event, ended: Event, before: Before) -> ModelCall:
    key, end = Key.of(ended), _nanoseconds(ended["at"])
    failed = ended["event"] == "call_failed"
    new = [(message["role"], with_titles(message)) for message in asked.get("messages", ())]
    start = _nanoseconds(asked["at"] if asked else ended["at"]) if failed else end - round(ended["seconds"] * SECOND)
    return ModelCall(
        key=(key.round, key.step, key.suggestion, key.attempt),
        messages=(*((message.role, message.text) for message in before(events, key)), *new),
        answer=None if failed else ended["text"],
        error=f"{ended['kind']}: {ended['said']}" if failed else "",
        model=ended.get("model") or asked.get("model", ""),
        provider=ended.get("provider") or asked.get("provider", ""),
        finish=ended.get("finish", ""),
        rung=ended.get("rung", ""),
        prompt_tokens=ended.get("prompt_tokens", 0),
        completion_tokens=ended.get("completion_tokens", 0),
        estimated=bool(ended.get("estimated")),
        retries=ended.get("retries", 0),
        cost=ended.get("cost"),
        recorded=ended.get("recorded"),
        start=start,
        end=end,
        template=asked.get("template", ""),
        cached_tokens=ended.get("cached_tokens", 0),
        reasoning_tokens=ended.get("reasoning_tokens", 0),
        api=ended.get("api", ""),
        effort=ended.get("effort") or "",
        tier=ended.get("tier", ""),
    )


def _nanoseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000) * 1_000_000
