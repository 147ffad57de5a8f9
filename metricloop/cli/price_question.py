"""Ask the person for the price of a language model that is in no table, before anything is spent."""

from __future__ import annotations

import json
from pathlib import Path

from metricloop import layout
from metricloop.cli.confirm_prompt import asks_here
from metricloop.llm.budget import spent, unpriced_models
from metricloop.llm.journal import read_journal
from metricloop.llm.providers import NONE, replays
from metricloop.llm.settings import LanguageModel

QUESTION = """The price of {model} is not known, so llm.max_cost (${most:g}) cannot be checked.
Give US dollars per million tokens, read and written, such as 1.0 4.0
(0 0 for your own server); or nothing, for a limit by tokens alone
(llm.max_tokens, {tokens:,})."""


def ask_price(folder: Path, settings: LanguageModel) -> list[str]:
    """Ask for the prices that are not known, and return the answers as changes of params.yaml.

    [] where every price is known, or nobody can be asked.
    """
    if settings.provider == NONE or replays(settings.provider) or settings.max_cost is None or not asks_here():
        return []
    prices = dict(settings.prices)
    for model in unpriced_models(settings, spent(read_journal(folder / layout.JOURNAL), settings)):
        print(QUESTION.format(model=model, most=settings.max_cost, tokens=settings.max_tokens))
        price = _price()
        if price is None:
            return ["llm.max_cost=null"]
        prices[model] = price
    return [f"llm.prices={json.dumps(prices)}"] if prices != dict(settings.prices) else []


def _price() -> tuple[float, float] | None:
    """Ask for two amounts until the answer holds two; None for an empty answer or the end of the input."""
    while True:
        try:
            answer = input("price: ").replace("$", " ").split()
        except EOFError:
            return None
        if not answer:
            return None
        try:
            read, written = (float(amount) for amount in answer)
        except ValueError:
            read = written = -1.0
        if 0 <= read < 1e6 and 0 <= written < 1e6:
            return read, written
        print("two numbers, please, such as 1.0 4.0")
