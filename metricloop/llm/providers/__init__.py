"""Providers: where the answers come from. Every module here is one provider, and its name is a choice of llm.provider.

To add a provider, write a module that defines `PROVIDER`, and a test of it. Choices, messages and docs follow.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from metricloop.llm.cassette import Replay
    from metricloop.llm.message import Message, Reply
    from metricloop.llm.settings import LanguageModel

NONE = "none"  # llm.provider of a study without a language model


class Model(Protocol):
    """A language model that can be asked."""

    def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any], *, most_tokens: int, seconds: float
    ) -> Reply: ...


@dataclass(frozen=True)
class Provider:
    """One provider; it has either `connect` or `replay`.

    about: what it does, for docs and messages. connect: takes the settings, the key and the way in which the model was
    last asked for structured output (see wire.RUNGS), and returns the model; its answers cost money and count towards
    the limits. replay: takes the settings and returns a recording, which costs nothing. records: every answer is also
    written to cassette.yaml. fault: what is missing in the settings, or "". key_header: the header with the key, "" for
    the usual one of the server.
    """

    about: str
    connect: Callable[[LanguageModel, str | None, str], Model] | None = None
    replay: Callable[[LanguageModel], Replay] | None = None
    records: bool = False
    fault: Callable[[LanguageModel], str] = lambda settings: ""
    key_header: str = ""


@cache
def provider_names() -> tuple[str, ...]:
    """The choices of llm.provider besides none."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def provider_choices() -> str:
    """The choices of llm.provider in words: "none, openai, record or replay"."""
    *first, last = (NONE, *provider_names())
    return f"{', '.join(first)} or {last}"


def provider_of(name: str) -> Provider:
    """The provider of this name, which is one of `provider_names`."""
    return importlib.import_module(f"{__name__}.{name}").PROVIDER


def replays(name: str | None) -> bool:
    """Whether the provider of this name plays a recording, so that its answers cost nothing."""
    return name in provider_names() and provider_of(str(name)).replay is not None


def choices_text() -> str:
    """Every provider with what it does, for a message."""
    *first, last = [f"{name} ({provider_of(name).about})" for name in provider_names()]
    return f"{', '.join(first)} or {last}" if first else last


def providers_table() -> str:
    """The providers as a Markdown table, for the docs."""
    rows = [(NONE, "asks no language model"), *((name, provider_of(name).about) for name in provider_names())]
    return "\n".join(["| `llm.provider` | what it does |", "|---|---|", *(f"| `{n}` | {about} |" for n, about in rows)])
