"""What was spent is read from the journal, and no call is allowed that could pass a limit."""

import pytest

from metricloop.llm.budget import BudgetError, SpentError, allowance, check_price, spent
from metricloop.llm.settings import LanguageModel

KEY = {"round": 1, "step": "propose", "suggestion": "", "attempt": 0}
ASKED = {"event": "asked", **KEY, "provider": "openai", "model": "m", "tokens": 1000}
ANSWERED = {"event": "answered", **KEY, "provider": "openai", "prompt_tokens": 1200, "completion_tokens": 300,
            "cost": 0.0024, "seconds": 30.0}  # fmt: skip


def settings(**changes) -> LanguageModel:
    return LanguageModel.model_validate({"model": "m", "prices": {"m": [1.0, 4.0]}} | changes)


def test_an_answered_call_counts_by_the_servers_own_count():
    used = spent([ASKED, ANSWERED], settings())
    assert (used.tokens, used.dollars, used.minutes) == (1500, 0.0024, 0.5)


def test_a_call_that_was_sent_and_never_answered_counts_with_its_prompt():
    used = spent([ASKED, ASKED, ANSWERED], settings())  # killed once, then answered
    assert used.tokens == 2500
    assert used.dollars == pytest.approx(0.0024 + 0.001)
    assert spent([ASKED], settings()).tokens == 1000


def test_a_replayed_answer_costs_nothing():
    played = [event | {"provider": "replay"} for event in (ASKED, ANSWERED)]
    assert spent(played, settings()).tokens == 0


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        ({}, 497_500),  # 500,000 - 1500 spent - 1000 of the prompt
        ({"max_tokens": 6500}, 4000),  # 6500 - 1500 spent - 1000 of the prompt
        ({"max_cost": 0.0134}, 2500),  # (0.0134 - 0.0024 spent - 0.001 of the prompt) / 4 dollars a million
    ],
)
def test_a_call_may_take_as_much_as_every_limit_allows(limits, tokens):
    used = spent([ASKED, ANSWERED], settings())
    assert allowance(used, 1000, settings(**limits)).tokens == tokens


def test_a_call_may_take_the_time_that_is_left():
    assert allowance(spent([ASKED, ANSWERED], settings()), 10, settings(max_minutes=2)).seconds == 90


@pytest.mark.parametrize(
    ("limits", "named"),
    [({"max_tokens": 2600}, "llm.max_tokens"), ({"max_cost": 0.003}, "llm.max_cost"),
     ({"max_minutes": 0.5}, "llm.max_minutes")],
)  # fmt: skip
def test_a_limit_that_is_reached_is_named_with_what_was_spent(limits, named):
    with pytest.raises(SpentError, match=named):
        allowance(spent([ASKED, ANSWERED], settings()), 1000, settings(**limits))


def test_a_limit_of_money_needs_a_price():
    with pytest.raises(BudgetError, match=r"llm\.prices: \{my-model: \[1\.0, 4\.0\]\}"):
        check_price(settings(model="my-model", prices={}))
    check_price(settings(model="my-model", prices={}, max_cost=None))


def test_an_answer_of_unknown_price_is_paid_for_at_the_price_that_is_known_by_now():
    unpriced = [ASKED | {"model": "local"}, ANSWERED | {"model": "local-2026", "cost": None}]
    used = spent(unpriced, settings(prices={"local": [1.0, 4.0]}))
    assert used.dollars == pytest.approx(0.0024)  # 1200 tokens at 1 dollar a million and 300 at 4
    assert spent(unpriced, settings(prices={"local-2026": [1.0, 4.0]})).dollars == pytest.approx(0.0024)
    assert (used.unpriced, spent(unpriced, settings()).unpriced) == ((), ("local",))


def test_a_limit_of_money_needs_the_price_of_what_was_answered_before_too():
    used = spent([ASKED | {"model": "local"}, ANSWERED | {"model": "local", "cost": None}], settings())
    with pytest.raises(BudgetError, match=r"llm\.prices: \{local: \[1\.0, 4\.0\]\}"):
        check_price(settings(), used)
    check_price(settings(max_cost=None), used)


def test_the_minutes_of_a_failed_call_count():
    failed = {"event": "call_failed", **KEY, "kind": "timeout", "said": "no answer"}
    assert spent([ASKED, failed | {"seconds": 90.0}, ASKED, ANSWERED], settings()).minutes == 2.0
    assert spent([ASKED, failed], settings()).minutes == 0  # early journals
