"""The price of a model in no table is asked for at a terminal; each answer becomes a change of params.yaml."""

import json

import pytest

from metricloop.cli import price_question
from metricloop.llm.settings import LanguageModel


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """answering(answers, settings) -> the changes; without answers there is nobody at the terminal."""

    def start(*answers, **settings):
        given = iter(answers)
        monkeypatch.setattr(price_question, "asks_here", lambda: bool(answers))
        monkeypatch.setattr("builtins.input", lambda prompt="": next(given))
        usual = {"provider": "openai", "model": "my-own"}
        return price_question.ask_price(tmp_path, LanguageModel(**(usual | settings)))

    return start


def test_two_numbers_are_the_price(answering, capsys):
    assert answering("$1 4.5") == ['llm.prices={"my-own": [1.0, 4.5]}']
    said = capsys.readouterr().out
    assert "The price of my-own is not known, so llm.max_cost ($5) cannot be checked." in said
    assert max(map(len, said.splitlines())) <= 80


def test_other_prices_stay(answering):
    (change,) = answering("0 0", prices={"b": [1, 2]})
    assert json.loads(change.partition("=")[2]) == {"b": [1, 2], "my-own": [0, 0]}


def test_nothing_is_a_limit_by_tokens_alone(answering):
    assert answering("") == ["llm.max_cost=null"]


def test_what_is_no_price_is_asked_for_again(answering):
    assert answering("cheap", "1", "-1 2", "nan 1", "1 2 3", "1 2") == ['llm.prices={"my-own": [1.0, 2.0]}']


@pytest.mark.parametrize(
    "settings",
    [{"model": "gpt-6-sol"}, {"max_cost": None}, {"provider": "none"}, {"provider": "replay", "cassette": "demo"}],
)
def test_where_nothing_is_open_nothing_is_asked(answering, settings):
    assert answering("1 2", **settings) == []


def test_nobody_at_the_terminal_is_not_asked(answering):
    assert answering() == []
