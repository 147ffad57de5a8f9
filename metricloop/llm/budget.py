"""What a study has spent on its language model, from its journal, and what it may still spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from metricloop.llm.journal import Key
from metricloop.llm.model_table import Price
from metricloop.llm.prices import cost, price_of
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
    """tokens: read and written; reasoning: of these, the model's own reasoning; minutes: waiting for answers;
    unpriced: models without a known price.
    """

    tokens: int = 0
    dollars: float = 0.0
    minutes: float = 0.0
    unpriced: tuple[str, ...] = ()
    reasoning: int = 0


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
    bills, seconds, reasoning = list[_Bill](), 0.0, 0
    open_calls = dict[Key, Mapping[str, Any]]()
    for event in events:
        if replays(event.get("provider")):
            continue
        if event["event"] == "asked":
            key = Key.of(event)
            if key in open_calls:  # asked again after a kill: both calls were sent
                bills.append(_sent(open_calls[key]))
            open_calls[key] = event
        elif event["event"] == "answered":
            asked = open_calls.pop(Key.of(event), event)
            models = (asked.get("model", ""), event.get("model", ""))
            tokens = (event["prompt_tokens"], event["completion_tokens"], event.get("cached_tokens", 0))
            bills.append(_Bill(models, *tokens, event.get("tier", ""), event["cost"]))
            reasoning += event.get("reasoning_tokens", 0)
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
        reasoning=reasoning,
    )


def allowance(used: Spent, prompt_tokens: int, settings: LanguageModel) -> Allowance:
    """What a call with a prompt of `prompt_tokens` may use without passing a limit. Errors: SpentError."""
    tokens = settings.max_tokens - used.tokens - prompt_tokens
    if tokens < LEAST_ANSWER:
        raise _reached("llm.max_tokens", f"{settings.max_tokens:,} tokens", f"{used.tokens:,} are spent")
    seconds = 60 * (settings.max_minutes - used.minutes)
    if seconds <= 0:
        raise _reached("llm.max_minutes", f"{settings.max_minutes:g} minutes", f"{used.minutes:.1f} are spent")
    price = _dearest(settings)
    if settings.max_cost is not None and price is not None and price[1] > 0:
        left = settings.max_cost - used.dollars - prompt_tokens * price[0] / MILLION
        affordable = int(left * MILLION / price[1])
        if affordable < LEAST_ANSWER:
            raise _reached("llm.max_cost", f"${settings.max_cost:g}", f"${used.dollars:.4f} are spent")
        tokens = min(tokens, affordable)
    return Allowance(tokens, seconds)


def check_price(settings: LanguageModel, used: Spent = NOTHING) -> str:
    """Check that llm.max_cost can be checked: the price of the model, and of every model asked so far, is known.

    Returns "", or one line saying what is not known and how to go on, where the person has set a limit of tokens too.
    Errors: BudgetError, with such a line, where there is no other limit that the person has set.
    """
    if settings.max_cost is None:
        return ""
    for model in unpriced_models(settings, used):
        how = (
            f"llm.prices: {{{model}: [1.0, 4.0]}} (US dollars per million tokens, read and written; "
            "[0, 0] for your own server)"
        )
        if "max_tokens" not in settings.model_fields_set:
            raise BudgetError(
                f"llm.max_cost cannot be checked: the price of {model} is not known; set it as {how}, "
                "or set llm.max_tokens, or set llm.max_cost to null"
            )
        return (
            f"the price of {model} is not known, so only llm.max_tokens ({settings.max_tokens:,}) is a limit; "
            f"for llm.max_cost set {how}"
        )
    return ""


def unpriced_models(settings: LanguageModel, used: Spent = NOTHING) -> list[str]:
    """The model of the settings and those asked so far, as far as their price is not known."""
    prices = {model: price_of(model, settings.prices) for model in used.unpriced}
    prices[settings.model] = _dearest(settings)
    return [model for model in (settings.model, *used.unpriced) if prices[model] is None]


def _dearest(settings: LanguageModel) -> Price | None:
    """The highest price that a call may have: the server may serve it in its usual tier instead of llm.service_tier."""
    asked = price_of(settings.model, settings.prices, settings.service_tier or "")
    usual = price_of(settings.model, settings.prices)
    return max(asked, usual) if asked and usual else None


@dataclass(frozen=True)
class _Bill:
    """Tokens of one call. models: our name of the model, then the server's; cached: of those read; tier: of service;
    paid: dollars, if known at the time.
    """

    models: tuple[str, ...]
    read: int
    written: int
    cached: int = 0
    tier: str = ""
    paid: float | None = None

    def dollars(self, prices: Mapping[str, Price]) -> float | None:
        """None when no price is known even now."""
        extra: dict[str, Any] = {"cached": self.cached, "tier": self.tier}
        now = (cost(model, self.read, self.written, prices, **extra) for model in self.models)
        return self.paid if self.paid is not None else next((amount for amount in now if amount is not None), None)


def _sent(asked: Mapping[str, Any]) -> _Bill:
    """A call that was sent and not answered."""
    return _Bill((asked["model"],), asked["tokens"], 0)


def _reached(name: str, limit: str, state: str) -> SpentError:
    return SpentError(f"the limit of {limit} ({name}) is reached: {state}, and the next call would exceed it")
