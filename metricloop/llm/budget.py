"""What a study has spent on its language model, from its journal, and what it may still spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from metricloop.llm.prices import Price, cost, price_of
from metricloop.llm.providers import replays
from metricloop.llm.settings import LanguageModel

LEAST_ANSWER = 256  # tokens; a shorter answer would be of no use
MILLION = 1_000_000


class BudgetError(ValueError):
    """A limit cannot be checked; the message says what to set."""


class SpentError(RuntimeError):
    """A limit of the study is reached, so no further call is made. The message names the limit."""


@dataclass(frozen=True)
class Spent:
    """tokens: read and written; minutes: waiting for answers; unpriced: models without a known price."""

    tokens: int = 0
    dollars: float = 0.0
    minutes: float = 0.0
    unpriced: tuple[str, ...] = ()


NOTHING = Spent()


@dataclass(frozen=True)
class Allowance:
    """What one call may use besides its prompt. tokens: of its answer and its retries; seconds: of all its retries."""

    tokens: int
    seconds: float


def spent(events: Iterable[Mapping[str, Any]], settings: LanguageModel) -> Spent:
    """What all calls have cost so far. A call without an answer counts with its prompt, since it may have cost that.

    An answer without a known price at its time gets the model's present price.
    """
    bills, seconds = list[_Bill](), 0.0
    open_calls = dict[tuple, Mapping[str, Any]]()
    for event in events:
        if replays(event.get("provider")):
            continue
        key = tuple(event.get(name) for name in ("round", "step", "suggestion", "attempt"))
        if event["event"] == "asked":
            if key in open_calls:  # asked again after a kill: both calls were sent
                bills.append(_sent(open_calls[key]))
            open_calls[key] = event
        elif event["event"] == "answered":
            asked = open_calls.pop(key, event)
            models = (asked.get("model", ""), event.get("model", ""))
            bills.append(_Bill(models, event["prompt_tokens"], event["completion_tokens"], event["cost"]))
            seconds += event["seconds"]
        elif event["event"] == "call_failed":
            seconds += event.get("seconds", 0.0)  # early journals have no seconds here
    bills += map(_sent, open_calls.values())
    dollars = [bill.dollars(settings.prices) for bill in bills]
    unpriced = [bill.models[0] for bill, amount in zip(bills, dollars, strict=True) if amount is None]
    return Spent(
        tokens=sum(bill.read + bill.written for bill in bills),
        dollars=sum(amount or 0.0 for amount in dollars),
        minutes=seconds / 60,
        unpriced=tuple(dict.fromkeys(unpriced)),
    )


def allowance(used: Spent, prompt_tokens: int, settings: LanguageModel) -> Allowance:
    """What a call with a prompt of `prompt_tokens` may use without passing a limit. Errors: SpentError."""
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
    return Allowance(tokens, seconds)


def check_price(settings: LanguageModel, used: Spent = NOTHING) -> None:
    """Check that llm.max_cost can be checked: the price of the model, and of every model asked so far, is known.

    Errors: BudgetError saying what to set.
    """
    if settings.max_cost is None:
        return
    for model in (settings.model, *used.unpriced):
        if price_of(model, settings.prices) is None:
            raise BudgetError(
                f"llm.max_cost cannot be checked: the price of {model} is not known; set it in US dollars per million "
                f"tokens, read and written, as llm.prices: {{{model}: [1.0, 4.0]}} (for your own server: [0, 0]), "
                "or set llm.max_cost to null"
            )


@dataclass(frozen=True)
class _Bill:
    """Tokens of one call. models: our name of the model, then the server's; paid: dollars, if known at the time."""

    models: tuple[str, ...]
    read: int
    written: int
    paid: float | None = None

    def dollars(self, prices: Mapping[str, Price]) -> float | None:
        """None when no price is known even now."""
        now = (cost(model, self.read, self.written, prices) for model in self.models)
        return self.paid if self.paid is not None else next((amount for amount in now if amount is not None), None)


def _sent(asked: Mapping[str, Any]) -> _Bill:
    """A call that was sent and not answered."""
    return _Bill((asked["model"],), asked["tokens"], 0)


def _reached(name: str, limit: str, state: str) -> SpentError:
    return SpentError(f"the limit of {limit} ({name}) is reached: {state}, and the next call would exceed it")
