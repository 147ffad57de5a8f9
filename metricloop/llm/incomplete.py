"""Why an answer of the language model is not whole: it was refused, cut off or empty."""

from __future__ import annotations

from metricloop.llm.journal import Journal, Key
from metricloop.text.clean import clean

REFUSED = "the model refused"


def incomplete(journal: Journal, key: Key) -> str:
    """Why an answer is refused, cut off or empty; "" when it is whole."""
    answered = journal.last("answered", key)
    if answered is None or answered["finish"] not in ("length", "refusal", "empty"):
        return ""
    if answered["finish"] == "refusal":
        return f"{REFUSED}: {clean(answered['refusal'] or 'without a word')}"
    cut = f"it was cut off after {answered['completion_tokens']} tokens: hand in less, or shorter code"
    return cut if answered["finish"] == "length" else "it was empty"
