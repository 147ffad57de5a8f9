"""The conversation of a study, opened by the steps that talk with the language model."""

from __future__ import annotations

import os
import sys

from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.llm.key import HANDED, api_key, read_keys, take_keys
from metricloop.params import Params


def open_conversation(journal: Journal, params: Params) -> Conversation:
    """Errors: those of llm.key, llm.cassette and llm.budget, each saying what to do."""
    keys = read_keys(sys.stdin) if os.environ.get(HANDED) == "stdin" else take_keys()
    live = params.llm.provider in ("openai", "record")
    return Conversation(params.llm, journal, api_key(params.llm.base_url, keys) if live else None)
