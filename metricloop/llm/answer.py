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
    """The error for JSON that is no answer; it holds the message of an error in it."""
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
    """The text of a message, whole or in parts; half a surrogate pair, which no file can hold, becomes "?"."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(text for text in texts if isinstance(text, str))
    return content.encode(errors="replace").decode() if isinstance(content, str) else ""


def word(value: Any, most: int = 40) -> str:
    """A short text of a server, printable; "" for anything else."""
    return clean(value, most) if isinstance(value, str) else ""


def usage_of(usage: Any, read: str, written: str) -> Usage | None:
    """The tokens of a response; None when the server does not count. read, written: the names of the two counts."""
    if not isinstance(usage, dict):
        return None
    counts = [_count(usage.get(name)) for name in (read, written)]
    if None in counts:
        return None
    cached, reasoning = (
        min(_count((usage.get(f"{name}_details") or {}).get(detail)) or 0, whole or 0)
        if isinstance(usage.get(f"{name}_details") or {}, dict)
        else 0
        for name, detail, whole in ((read, "cached_tokens", counts[0]), (written, "reasoning_tokens", counts[1]))
    )
    return Usage(counts[0] or 0, counts[1] or 0, cached, reasoning)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1e9 else None
