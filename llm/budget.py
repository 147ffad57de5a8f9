"""What a study has spent on its language model, by its journal, and what it may still spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llm.prices import cost, price_of
from llm.settings import LanguageModel

LEAST_ANSWER = 256  # tokens; there is no point in asking for less
MILLION = 1_000_000


class BudgetError(ValueError):
    """A limit cannot be held; the message says what to set."""


class SpentError(RuntimeError):
    """A limit of the study is reached: no further call. The message names the limit and how to go on."""


@dataclass(frozen=True)
class Spent:
    """tokens: in and out; dollars; minutes of waiting for answers."""

    tokens: int = 0
    dollars: float = 0.0
    minutes: float = 0.0


@dataclass(frozen=True)
class Allowance:
    """What one call may take: tokens of its answer, and seconds with all its retries."""

    answer_tokens: int
    seconds: float


def spent(events: Iterable[Mapping[str, Any]], settings: LanguageModel) -> Spent:
    """Everything paid for so far. A call that was sent and never answered counts with its prompt: it may have cost."""
    tokens, dollars, seconds = 0, 0.0, 0.0
    open_calls = dict[tuple, Mapping[str, Any]]()
    for event in events:
        if event.get("provider") == "replay":
            continue
        key = tuple(event.get(name) for name in ("round", "step", "suggestion", "attempt"))
        if event["event"] == "asked":
            if key in open_calls:  # asked again after a kill: both were sent
                tokens, dollars = _add(tokens, dollars, open_calls[key], settings)
            open_calls[key] = event
        elif event["event"] == "answered":
            open_calls.pop(key, None)
            tokens += event["prompt_tokens"] + event["completion_tokens"]
            dollars += event["cost"] or 0.0
            seconds += event["seconds"]
    for event in open_calls.values():
        tokens, dollars = _add(tokens, dollars, event, settings)
    return Spent(tokens, dollars, seconds / 60)


def allowance(used: Spent, prompt_tokens: int, settings: LanguageModel) -> Allowance:
    """What a call with a prompt of so many tokens may take within every limit. Errors: SpentError."""
    tokens = settings.max_tokens - used.tokens - prompt_tokens
    if tokens < LEAST_ANSWER:
        raise _reached("llm.max_tokens", f"{settings.max_tokens:,} tokens", f"{used.tokens:,} are spent")
    seconds = 60 * (settings.max_minutes - used.minutes)
    if seconds <= 0:
        raise _reached("llm.max_minutes", f"{settings.max_minutes:g} minutes", f"{used.minutes:.1f} are spent")
    price = price_of(settings.model, settings.prices)
    if settings.max_cost is not None and price is not None and price[1] > 0:
        left = settings.max_cost - used.dollars - prompt_tokens * price[0] / MILLION
        affordable = int(left * MILLION / price[1])
        if affordable < LEAST_ANSWER:
            raise _reached("llm.max_cost", f"${settings.max_cost:g}", f"${used.dollars:.4f} are spent")
        tokens = min(tokens, affordable)
    return Allowance(min(settings.answer_tokens, tokens), seconds)


def check_price(settings: LanguageModel) -> None:
    """A limit of money is one only where the model's price is known. Errors: BudgetError saying what to set."""
    if settings.max_cost is not None and price_of(settings.model, settings.prices) is None:
        raise BudgetError(
            f"llm.max_cost cannot be held: the price of {settings.model} is not known here; give it in US dollars per "
            f"million tokens, in and out, as llm.prices: {{{settings.model}: [1.0, 4.0]}} (a server of your own: "
            "[0, 0]), or set llm.max_cost to null"
        )


def _add(tokens: int, dollars: float, asked: Mapping[str, Any], settings: LanguageModel) -> tuple[int, float]:
    return tokens + asked["tokens"], dollars + (cost(asked["model"], asked["tokens"], 0, settings.prices) or 0.0)


def _reached(name: str, limit: str, state: str) -> SpentError:
    return SpentError(f"the limit of {limit} ({name}) is reached: {state}, and the next call would pass it")
