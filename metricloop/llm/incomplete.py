"""Why an answer of the language model is not whole: it was refused, cut off or empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metricloop.llm.journal import Journal, Key
from metricloop.text.clean import clean

REFUSED = "the model refused"


def incomplete(journal: Journal, key: Key) -> str:
    """Why the answer to a call is refused, cut off or empty; "" when it is whole."""
    answered = journal.last("answered", key)
    return incomplete_answer(answered) if answered else ""


def incomplete_answer(answered: Mapping[str, Any]) -> str:
    """The same for an event "answered"."""
    if answered["finish"] == "refusal":
        return f"{REFUSED}: {clean(answered['refusal'] or 'without a word')}"
    if answered["finish"] == "length" and not answered["text"].strip():
        return (
            f"its reasoning took all {answered['completion_tokens']} tokens before any text: reason less, answer sooner"
        )
    if answered["finish"] == "length":
        return f"it was cut off after {answered['completion_tokens']} tokens: hand in less, or shorter code"
    return "it was empty" if answered["finish"] == "empty" else ""
