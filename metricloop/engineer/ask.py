"""Ask the language model until its answer can be used: a bad answer goes back with what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from metricloop.llm.conversation import Conversation
from metricloop.llm.incomplete import REFUSED, incomplete
from metricloop.llm.journal import Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import render


def ask_until_usable(
    conversation: Conversation,
    number: int,
    step: str,
    messages: Sequence[Message],
    schema: Mapping[str, Any],
    fault_in: Callable[[str, bool], str],
    tries: int,
    report: Callable[[str], None] = lambda fault: None,
) -> Key | None:
    """Ask until an answer can be used. Returns its key; None when the model refuses or the last try fails too.

    fault_in: takes an answer and whether this is the last try, and returns what is wrong, or "". report: is told what
    was wrong with each answer. Errors: SpentError, ClientError; NotRecordedError in a replay.
    """
    for attempt in range(tries):
        key = Key(number, step, "", attempt)
        fault = fault_in(conversation.ask(key, messages, schema), attempt == tries - 1)
        if not fault:
            return key
        fault = incomplete(conversation.journal, key) or fault
        conversation.journal.once("unusable", asdict(key), said=fault)
        report(fault)
        if fault.startswith(REFUSED):
            return None
        messages = [Message("user", render("again", {"said": fault}))]
    return None
