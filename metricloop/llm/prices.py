"""What a call costs, from the user's prices or else from the table of published prices."""

from __future__ import annotations

from collections.abc import Mapping

from metricloop.llm.model_table import Price, model_table, names_of


def price_of(model: str, overrides: Mapping[str, Price] | None = None, tier: str = "") -> Price | None:
    """USD per million tokens, read and written, perhaps read from the server's cache; None when not known.

    A dated snapshot has the price of its model. tier: the service tier, which changes the published prices only.

    >>> price_of("gpt-5-mini-2026-01-01")
    (0.25, 2.0, 0.025)
    """
    for name in names_of(model):
        if overrides and name in overrides:
            return overrides[name]
    table = model_table()
    for name in names_of(model):
        if name in table.usd_per_million_tokens:
            times = table.service_tiers | table.service_tiers_of.get(name, {}) | {"": 1.0}
            known = table.usd_per_million_tokens[name]
            return tuple(amount * times[tier] for amount in known) if tier in times else None  # type: ignore[return-value]
    return None


def cost(
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    overrides: Mapping[str, Price] | None = None,
    *,
    cached: int = 0,
    tier: str = "",
) -> float | None:
    """USD for one call; None when the model's price is not known. cached: how many tokens of the prompt were cached."""
    price = price_of(model, overrides, tier)
    if price is None:
        return None
    from_cache = price[2] if len(price) == 3 else price[0]
    return ((prompt_tokens - cached) * price[0] + cached * from_cache + completion_tokens * price[1]) / 1e6
