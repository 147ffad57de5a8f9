"""What a call costs, from the user's prices or else from the table of published prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from metricloop.data.tables import read_yaml

TABLE = Path(__file__).parent / "prices.yaml"
SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")  # 2026-01-01, 20260101, or 0613 of older models

Price = tuple[float, float]  # USD per million tokens: read, written


def price_of(model: str, overrides: Mapping[str, Price] | None = None) -> Price | None:
    """The price of a model; None when it is not known. A dated snapshot has the price of its model.

    >>> price_of("gpt-5-mini-2026-01-01")
    (0.25, 2.0)
    """
    base = SNAPSHOT.sub("", model)
    for prices in (overrides or {}, _published()):
        for name in (model, base):
            if name in prices:
                return prices[name]
    return None


def cost(
    model: str, prompt_tokens: int, completion_tokens: int, overrides: Mapping[str, Price] | None = None
) -> float | None:
    """USD for one call; None when the model's price is not known."""
    price = price_of(model, overrides)
    return None if price is None else (prompt_tokens * price[0] + completion_tokens * price[1]) / 1e6


@cache
def _published() -> dict[str, Price]:
    table = read_yaml(TABLE)["usd_per_million_tokens"]
    return {model: (float(read), float(written)) for model, (read, written) in table.items()}
