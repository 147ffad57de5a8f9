"""An answer in a server's response, whatever API it came by; and what both APIs have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from metricloop.text.clean import clean

FILTERED = "stopped by the server's content filter"


class NoChoiceError(ValueError):
    """A response without an answer in it; another attempt may help."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the server counts them. cached: of those read; reasoning: of those written."""

    read: int
    written: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """The content of a response. finish: see llm.message.Reply; usage: None if not counted; tier: "" if not named."""

    text: str
    finish: str
    model: str
    refusal: str | None
    usage: Usage | None
    tier: str = ""


def parsed(body: str) -> Any:
    """The JSON of a response. Errors: ValueError saying how it begins."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError(f"it begins with {clean(body[:200], 60)!r}" if body.strip() else "it is empty") from None


def other_json(response: Any) -> ValueError:
    """The error for JSON that is not an answer, with the server's error message if the JSON holds one."""
    error = response.get("error") if isinstance(response, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    return ValueError(f"it says: {clean(said)}" if isinstance(said, str) else "it is other JSON")


def answer_of(response: dict[str, Any], text: str, refusal: str, finish: str, usage: Usage | None) -> Answer:
    """The answer; finish becomes refusal or empty where there is no text to use."""
    model, tier = (word(response.get(name), 100) for name in ("model", "service_tier"))
    if refusal.strip() or finish in ("content_filter", "refusal"):
        return Answer("", "refusal", model, refusal.strip() or FILTERED, usage, tier)
    if not text.strip() and finish != "length":
        return Answer("", "empty", model, None, usage, tier)
    return Answer(text, finish, model, None, usage, tier)


def text_of(content: Any) -> str:
    """The text of a message, which may come in parts; see `string`."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(text for text in texts if isinstance(text, str))
    return string(content)


def string(value: Any) -> str:
    """A text of a server; half a surrogate pair, which no file can hold, becomes "?". "" for anything else."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def word(value: Any, most: int = 40) -> str:
    """A short text of a server, printable; "" for anything else."""
    return clean(value, most) if isinstance(value, str) else ""


def usage_of(usage: Any, read: str, written: str) -> Usage | None:
    """The tokens of a response; None when the server does not count. read, written: the names of the two counts."""
    if not isinstance(usage, dict):
        return None
    tokens, answered = _count(usage.get(read)), _count(usage.get(written))
    if tokens is None or answered is None:
        return None
    cached = _part(usage.get(f"{read}_details"), "cached_tokens", tokens)
    reasoning = _part(usage.get(f"{written}_details"), "reasoning_tokens", answered)
    return Usage(tokens, answered, cached, reasoning)


def _part(details: Any, name: str, whole: int) -> int:
    """A count among the details of the count `whole`, and at most that; 0 when the server does not give it."""
    return min(_count(details.get(name)) or 0, whole) if isinstance(details, dict) else 0


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1e9 else None
