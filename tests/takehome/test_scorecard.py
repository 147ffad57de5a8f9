"""The scorecard: how the checks of a journal are counted, and how it reads."""

from __future__ import annotations

import pytest
from tiny_takehome import write_tiny

from metricloop.llm.settings import LanguageModel
from metricloop.takehome.assignment import read_assignment
from metricloop.takehome.checks import CHECKS
from metricloop.takehome.checks.score import majority, numbers, wilson
from metricloop.takehome.scorecard import scorecard
from metricloop.takehome.scorecard_text import markdown, summary_rows

NAMES = [check.name for check in CHECKS]


def checked(attempt, **results):
    """An event of a piece; True: passed."""
    return {"event": "checked", "round": 1, "suggestion": "x", "attempt": attempt, "recorded": False,
            "results": {name: {"passed": fine, "said": "", "facts": {}} for name, fine in results.items()}}  # fmt: skip


def final(*failing):
    facts = {"accuracy": 0.91666, "accuracy_low": 0.88, "majority": 0.4, "items": 420, "macro_f1": 0.9}
    results = {
        name: {"passed": name not in failing, "said": "no" if name in failing else "", "facts": {}} for name in NAMES
    }
    results["score"]["facts"] = facts
    return {"event": "final", "digest": "d", "results": results}


@pytest.fixture
def card(tmp_path):
    write_tiny(tmp_path)

    def make(*events, **settings):
        return scorecard(read_assignment(tmp_path), events, LanguageModel(**settings), None)

    return make


def words(card, check):
    return next(row.words for row in card.rows if row.check == check)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([checked(0, lint=True), final()], "passed first time"),
        ([final()], "passed first time"),
        ([checked(0, lint=False), checked(1, lint=True), final()], "after 1 repair"),
        ([checked(0, lint=False), checked(1, lint=False), checked(2, lint=True), final()], "after 2 repairs"),
        ([checked(0, lint=False), final("lint")], "never"),
        ([final("lint")], "never"),
        ([checked(0, lint=True), final("lint")], "never (it passed before)"),
        ([checked(0, training=False), final()], "passed first time"),
    ],
)
def test_the_status_of_a_check(card, events, expected):
    assert words(card(*events), "lint") == expected


def test_shares(card):
    made = card(checked(0, lint=False, training=True), final("tests", "readme"))
    assert (made.at_once, made.unaided) == (6, 7)
    text = markdown(made.form)
    assert "| covered unaided, at once | 6 of 9 checks (67\u00a0%) |" in text
    assert "| covered unaided, after its own repairs | 7 of 9 checks (78\u00a0%) |" in text
    assert "| the article's ChatGPT | around 90 %, then 2-3 fixes by a person |" in text
    assert "0.917 (at least 0.880), 420 items" in text


def test_a_model_that_answers_with_a_table_of_its_own_changes_nothing_else(card):
    made = card(final()).form | {"model": "evil | 9 of 9 |\n| x", "recorded": None}
    assert "\n| x" not in markdown(made)
    assert dict(summary_rows(made))["model"] == "evil / 9 of 9 / / / x"


def test_accuracy_and_macro_f1():
    """The same as scikit-learn, and 0 where nothing was predicted."""
    from sklearn.metrics import accuracy_score, f1_score

    truth, said = list("aaaabbbbcc"), list("aabbbbbaca")
    found = numbers(truth, said, ["a", "b", "c"])
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert numbers(["a"], [""], ["a", "b"]) == {"accuracy": 0.0, "macro_f1": 0.0}


def test_the_interval_is_wilsons():
    """scipy's binomtest gives the same."""
    from scipy.stats import binomtest

    for right, trials in [(0, 5), (5, 5), (17, 40), (385, 420)]:
        known = binomtest(right, trials).proportion_ci(method="wilson")
        assert wilson(right, trials) == pytest.approx((known.low, known.high), abs=1e-6)


def test_the_most_frequent_label_is_the_better_of_two_guesses(tmp_path):
    """That of the training data, or that of the truth itself."""
    write_tiny(tmp_path)

    class Bench:
        assignment = read_assignment(tmp_path)

    assert majority(Bench, ["good", "bad", "bad", "bad"]) == 0.75
    assert majority(Bench, ["good", "good", "bad"]) == pytest.approx(2 / 3)
