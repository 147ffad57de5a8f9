"""Prices by model, a user's own first; and what a call costs, computed by hand."""

import pytest

from metricloop.llm.prices import cost, price_of


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-5-mini", (0.25, 2)),
        ("gpt-5-mini-2026-01-01", (0.25, 2)),
        ("gpt-5-20260101", (1.25, 10)),
        ("gpt-4o-0513", (2.5, 10)),
        ("gpt-5.4", (2.5, 15)),
        ("gpt-5-pro", None),  # another model, not a gpt-5
        ("gpt-5-mini-tuned", None),
        ("gpt-5-mini-2026", (0.25, 2)),
        ("gpt-5-2026-1-1", None),
        ("my-own", None),
        ("", None),
    ],
)
def test_a_model_has_its_own_price_and_a_dated_snapshot_its_models(model, price):
    assert price_of(model) == price


def test_a_users_price_goes_before_the_table():
    mine = {"gpt-5-mini": (1.0, 4.0), "my-own": (0.0, 0.0), "gpt-4o-2024-08-06": (3.0, 9.0)}
    assert price_of("gpt-5-mini", mine) == (1, 4)
    assert price_of("gpt-5-mini-2026-01-01", mine) == (1, 4)
    assert price_of("my-own", mine) == (0, 0)
    assert price_of("gpt-4o-2024-08-06", mine) == (3, 9)
    assert price_of("gpt-4o-2024-11-20", mine) == (2.5, 10)


def test_the_cost_of_a_call():
    assert cost("gpt-5-mini", 12_000, 3_000) == pytest.approx(0.003 + 0.006)
    assert cost("my-own", 12_000, 3_000, {"my-own": (0, 0)}) == 0
    assert cost("my-own", 12_000, 3_000) is None
