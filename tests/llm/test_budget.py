"""What was spent is read from the journal, and no call is allowed that could pass a limit."""

import pytest

from llm.budget import BudgetError, SpentError, allowance, check_price, spent
from llm.settings import LanguageModel

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
        ({}, 16_000),  # llm.answer_tokens
        ({"max_tokens": 6500}, 4000),  # 6500 - 1500 spent - 1000 of the prompt
        ({"max_cost": 0.0134}, 2500),  # (0.0134 - 0.0024 spent - 0.001 of the prompt) / 4 dollars a million
    ],
)
def test_an_answer_may_be_as_long_as_every_limit_allows(limits, tokens):
    used = spent([ASKED, ANSWERED], settings())
    assert allowance(used, 1000, settings(**limits)).answer_tokens == tokens


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
