"""The verdict on a study says no more than its numbers."""

import pytest
from study_fixture import arm, arms, comparison

from metricloop.comparison.verdict import summarise

MINUS = "\u2212"


def one(verdict: str, gain: float, **options) -> dict:
    return arm("tight", "treatment", 0.231 + gain, gain, verdict, metric="tight", **options)


BASELINE = arms()[0]
ORACLE = arms()[3]


@pytest.mark.parametrize(
    ("entries", "outcome", "said"),
    [
        ([BASELINE], "none", ["No metric was tested"]),
        (
            [BASELINE, one("better", 0.07)],
            "better",
            ["beats a random sample", "0.301 against 0.231", "+0.070", "p 0.004"],
        ),
        (
            [BASELINE, one("undecided", 0.02, needed=11)],
            "undecided",
            ["Undecided: after 3 seeds", "about 11 seeds would"],
        ),
        ([BASELINE, one("undecided", 0.02)], "undecided", ["no reasonable number of seeds"]),
        ([BASELINE, one("undecided", -0.02, needed=30)], "undecided", ["None is ahead; the nearest is tight"]),
        ([BASELINE, one("worse", -0.07)], "worse", ["No gain", f"Worse than random: tight ({MINUS}0.070)"]),
        (
            [BASELINE, one("better", 0.07), ORACLE],
            "better",
            ["most that choosing clean images can gain", "reaches 70\u00a0%"],
        ),
        ([BASELINE, ORACLE | {"verdict": "undecided"}], "none", ["Even the oracle"]),
    ],
)
def test_verdict_says_no_more_than_the_numbers(entries: list[dict], outcome: str, said: list[str]) -> None:
    verdict = summarise(comparison(entries))
    text = " ".join([verdict.headline, *verdict.details])
    assert verdict.outcome == outcome
    for words in said:
        assert words in text
    if outcome != "better":
        assert "beats" not in text
