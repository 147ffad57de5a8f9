"""Prices by model, a user's own first; and what a call costs, computed by hand."""

from datetime import date

import pytest

from metricloop.llm.model_table import ModelTableError, model_table
from metricloop.llm.prices import cost, price_of


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-5-mini", (0.25, 2, 0.025)),
        ("gpt-5-mini-2026-01-01", (0.25, 2, 0.025)),
        ("gpt-5-20260101", (1.25, 10, 0.125)),
        ("gpt-4o-0513", (2.5, 10, 1.25)),
        ("gpt-5.4", (2.5, 15, 0.25)),
        ("gpt-5-pro", None),  # another model, not a gpt-5
        ("gpt-5-mini-tuned", None),
        ("gpt-5-mini-2026", (0.25, 2, 0.025)),
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
    assert price_of("gpt-4o-2024-11-20", mine) == (2.5, 10, 1.25)


def test_the_cost_of_a_call():
    assert cost("gpt-5-mini", 12_000, 3_000) == pytest.approx(0.003 + 0.006)
    assert cost("my-own", 12_000, 3_000, {"my-own": (0, 0)}) == 0
    assert cost("my-own", 12_000, 3_000) is None


def test_cached_tokens_have_their_own_price_where_there_is_one():
    """10,000 tokens read, 8,000 of them from the cache, and 1,000 written."""
    assert cost("gpt-5-mini", 10_000, 1000, cached=8000) == pytest.approx((2000 * 0.25 + 8000 * 0.025 + 1000 * 2) / 1e6)
    assert cost("own", 10_000, 1000, {"own": (1, 4)}, cached=8000) == pytest.approx(0.014)
    assert cost("own", 10_000, 1000, {"own": (1, 4, 0.5)}, cached=8000) == pytest.approx(0.010)


def test_a_service_tier_changes_the_published_prices_and_an_unknown_one_has_none():
    assert price_of("gpt-6-sol", tier="flex") == (1, 5, 0.1)
    assert price_of("gpt-5.5", tier="priority") == (12.5, 75, 1.25)
    assert price_of("gpt-6-sol", {"gpt-6-sol": (3, 9)}, "flex") == (3, 9)
    assert price_of("gpt-6-sol", tier="ultrafast") is None
    assert cost("gpt-6-sol", 1000, 1000, tier="ultrafast") is None


def test_a_persons_own_table_goes_before_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert price_of("gpt-6-sol") == (2, 10, 0.2)
    own = tmp_path / "metricloop" / "models.yaml"
    own.parent.mkdir()
    own.write_text("looked_up: 2027-01-02\nusd_per_million_tokens: {gpt-6-sol: [1, 5], my-own: [0, 0]}\n")
    assert (price_of("gpt-6-sol"), price_of("my-own"), price_of("gpt-6-luna")) == ((1, 5), (0, 0), (0.1, 0.5, 0.01))
    assert model_table().looked_up == date(2027, 1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("looked_up: 2027-01-02\nusd_per_million_tokens: {m: [1]}", "usd_per_million_tokens.m"),
        ("looked_up: 2027-01-02\nprices: {}", "prices: Extra inputs"),
        ("looked_up: 2027-01-02\nusd_per_million_tokens: {m: [.nan, 1]}", "usd_per_million_tokens.m"),
        ("looked_up: [", "not valid YAML"),
        ("[gpt-6-sol]", "the whole file: "),
        ("looked_up: 2027-01-02\nshutdown: {m: 2027-13-45}", "month must be in 1..12"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_its_fault(tmp_path, monkeypatch, text, said):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "metricloop").mkdir()
    (tmp_path / "metricloop" / "models.yaml").write_text(text)
    with pytest.raises(ModelTableError, match=r"models\.yaml") as caught:
        price_of("gpt-6-sol")
    assert said in str(caught.value)
