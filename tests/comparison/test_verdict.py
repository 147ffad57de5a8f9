"""The verdict on a study says no more than its numbers."""

import pytest
from study_fixture import arm, arms, comparison, headline

from metricloop.comparison.verdict import seeds_text, summarise

MINUS = "\u2212"
LIKE = "a random sample of the same size"
BASELINE, ORACLE = arms()[0], arms()[3]


def one(verdict: str, gain: float, name: str = "tight", **options) -> dict:
    return arm(name, "treatment", 0.231 + gain, gain, verdict, metric=name, **options)


def verdict_on(*entries: dict, mean: float | None = None, half: float = 0.03, p: float = 0.31, **changes):
    """The verdict on these treatments; mean: of all of them, with its interval's half and its p."""
    names = [entry["name"] for entry in entries if entry["role"] == "treatment"]
    found = [] if mean is None else [headline("all", names, mean, half, p)]
    return summarise(comparison([BASELINE, *entries], headlines=found, **changes))


def text_of(verdict) -> str:
    return " ".join([verdict.headline, *verdict.details])


def test_nothing_was_tested():
    assert verdict_on().headline == "No metric was tested yet."
    said = verdict_on(ORACLE | {"verdict": "undecided"})
    assert said.outcome == "none"
    assert "Even the oracle" in said.details[0]


def test_the_first_line_names_the_winner_and_its_level():
    said = verdict_on(one("better", 0.07))
    assert said.outcome == "better"
    assert said.headline == f"Training on what tight selects beats {LIKE}: mAP 0.301 against 0.231."
    assert said.details == (
        "tight gains +0.070 (+30\u00a0%), 95\u00a0% interval +0.040 to +0.100, p 0.004 after correction for 1 metric "
        "and 2 looks (3 seeds against 3).",
    )


def test_of_several_winners_the_best_is_named_with_what_to_expect_of_it():
    said = verdict_on(
        one("better", 0.07), one("better", 0.05, "b"), one("undecided", 0.01, "c"), one("worse", -0.06, "d"),
        mean=0.07, p=0.01,
    )  # fmt: skip
    assert said.headline == (
        f"2 of 4 metrics beat {LIKE}; the best is tight: mAP 0.301 against 0.231. On average all 4 gain +0.070 "
        "(+35\u00a0%)."
    )
    assert said.details[0].endswith("The best of several looks better than it is: expect about +0.056.")
    assert said.details[1:] == (f"Worse than random: d ({MINUS}0.060).", "Still undecided: c (+0.010).")
    single = verdict_on(one("better", 0.07), one("undecided", 0.01, "c"))
    assert single.headline == f"One of 2 metrics beats {LIKE}: tight, mAP 0.301 against 0.231."
    both = verdict_on(one("better", 0.07), one("better", 0.05, "b"))
    assert both.headline.startswith("All 2 metrics beat")


def test_all_are_worse():
    said = verdict_on(one("worse", -0.07))
    assert (said.outcome, said.headline) == ("worse", f"No gain: every metric that was tried does worse than {LIKE}.")
    assert said.details == (f"Worse than random: tight ({MINUS}0.070).",)


def test_no_gain_is_said_where_every_interval_ends_below_the_smallest_gain_of_interest():
    small = [one("undecided", 0.001, half=0.015), one("undecided", -0.002, "b", half=0.015)]
    said = verdict_on(*small, mean=-0.0005)
    assert said.outcome == "no_gain"
    assert said.headline == (
        "No gain: with 95\u00a0% confidence, each of the 2 metrics gains less than +0.020 mAP, the smallest gain of "
        f"interest, over {LIKE}."
    )
    below = verdict_on(one("undecided", -0.03, half=0.01), smallest_gain=0.0)
    assert below.headline == f"No gain: with 95\u00a0% confidence, tight does worse than {LIKE}."


def test_no_gain_found_tells_the_mean_and_what_is_not_ruled_out():
    """Undamaged labels: nobody is ahead, nobody is better, and one wide interval reaches beyond what is of interest."""
    tried = [one("undecided", 0.012, half=0.03), one("undecided", -0.004, "b", half=0.02)]
    said = verdict_on(*tried, mean=0.004, half=0.014)
    assert said.outcome == "no_gain"
    assert said.headline == (
        f"No gain found: none of the 2 metrics is shown to beat {LIKE}, and their mean gain is +0.004 mAP "
        f"(95\u00a0% interval {MINUS}0.010 to +0.018)."
    )
    assert said.details == (
        "Their mean gain is below +0.020, the smallest gain of interest, with 95\u00a0% confidence; not ruled out is a "
        "gain of up to +0.042 for tight.",
    )
    wide = verdict_on(*tried, mean=0.004, half=0.2)
    assert wide.headline.startswith("No gain found:")
    assert wide.details == ("Not ruled out: a mean gain of up to +0.204, and up to +0.042 for tight.",)
    alone = verdict_on(tried[0])
    assert alone.headline.endswith(
        f"tight is not shown to beat {LIKE}; its gain is +0.012 mAP (95\u00a0% interval {MINUS}0.018 to +0.042)."
    )
    assert alone.details == ("Not ruled out: a gain of up to +0.042 for tight.",)


AHEAD = one("undecided", 0.02, goes_on=True, needed=[5, 9])
NEXT = one("undecided", 0.01, "b", goes_on=True)
UNKNOWN = {"gain": {"mAP": {"abs": 0.02, "rel": 0.1, "ci95": None, "p_holm": None}}}
FOUR = {"looks": [{"arms": 4, "baseline": 4, "alpha": 0.05, "planned": True}]}


@pytest.mark.parametrize(
    ("entries", "changes", "told"),
    [
        ([AHEAD], {}, "1 metric is ahead and gets more seeds."),
        ([AHEAD, NEXT], {"mean": 0.015}, "2 metrics are ahead and get more seeds."),
        ([one("undecided", 0.04, needed=[13, None])], {"looks_taken": 2}, "13 or more seeds would"),
        ([one("undecided", 0.02)], FOUR, "no reasonable"),
        ([one("undecided", -0.01, half=0.05, seeds=2, needed=[30, 40])], {}, "None is ahead; the nearest is tight"),
        ([one("undecided", 0.02) | UNKNOWN], {}, ""),
        ([one("undecided", 0.01), one("undecided", 0.01, "b")], {"mean": 0.04, "p": 0.06}, "no reasonable"),
    ],
)  # fmt: skip
def test_undecided_while_a_gain_may_still_show(entries, changes, told):
    """Arms that go on, a hint that is not enough, too few seeds for the first look, and nothing known of the error."""
    said = verdict_on(*entries, **changes)
    assert said.outcome == "undecided"
    assert said.headline.startswith("Undecided: after ")
    assert told in text_of(said)
    assert "beats" not in text_of(said)
    assert "No gain" not in text_of(said)


def test_all_together_may_be_better_where_no_single_one_is():
    tried = [one("undecided", 0.03), one("undecided", 0.03, "b")]
    said = verdict_on(*tried, mean=0.03, half=0.02, p=0.004)
    assert said.outcome == "together"
    assert said.headline == (
        f"Together, the 2 metrics beat {LIKE}: their mean gain is +0.030 (+15\u00a0%) mAP. No single one is shown to."
    )
    assert verdict_on(*tried, mean=0.03, half=0.02, p=0.06).outcome == "undecided"


def test_mean_gains_stand_in_order_with_their_verdicts():
    names = {"all": 13, "the model": 8, "round 10": 2, "round 2": 3, "article": 5, "mine": 2}
    found = [headline(name, [f"a{n}" for n in range(k)], 0.04, p=0.001) for name, k in names.items()]
    said = summarise(comparison(headlines=found))
    assert [mean.split(":")[0] for mean in said.means] == [
        "Mean gain of the article's 5 metrics", "Mean gain of the 2 metrics of mine",
        "Mean gain of the 3 metrics of round 2", "Mean gain of the 2 metrics of round 10",
        "Mean gain of the model's 8 metrics", "Mean gain of all 13 metrics",
    ]  # fmt: skip
    assert said.means[0].endswith(
        ": +0.040 (+20\u00a0%) mAP (+0.010 to +0.070, p 0.001), better than random; +0.020 (+10\u00a0%) mAR "
        f"({MINUS}0.010 to +0.050, p 0.001)."
    )
    for gain, p, told in ((0.04, 0.06, "undecided"), (-0.04, 0.001, "worse than random")):
        (mean,) = summarise(comparison(headlines=[headline("all", ["a", "b"], gain, p=p)])).means
        assert f"), {told};" in mean


def test_the_oracle_is_better_or_not():
    said = text_of(verdict_on(one("better", 0.07), ORACLE))
    assert "is better, by +0.100 (+43\u00a0%), 95\u00a0% interval +0.070 to +0.130: about the most" in said
    assert said.endswith("tight reaches 70\u00a0% of it.")
    assert "the oracle, which knows every deliberate mistake, is not shown to beat random here, at +0.100" in text_of(
        verdict_on(one("better", 0.07), ORACLE | {"verdict": "undecided"})
    )


@pytest.mark.parametrize(
    ("needed", "said"), [([4, 6], "4 to 6 seeds"), ([4, 4], "4 seeds"), ([13, None], "13 or more seeds")]
)
def test_a_range_of_seeds_in_words(needed, said):
    assert seeds_text(needed) == said


STOPPED = [{"name": "dim", "mAP": 0.17, "baseline": 0.2}, {"name": "far", "mAP": 0.19, "baseline": 0.2}]


def test_metrics_that_short_trials_stopped_are_counted_and_named():
    said = verdict_on(one("better", 0.07), screened=STOPPED)
    assert said.headline == f"One of 3 metrics beats {LIKE}: tight, mAP 0.301 against 0.231."
    assert "after correction for 3 metrics" in said.details[0]
    assert f"Below random in short trials, and not trained further: dim ({MINUS}0.030) and far ({MINUS}0.010)." in (
        said.details
    )
    worse = verdict_on(one("worse", -0.06), screened=STOPPED)
    assert worse.headline == f"No gain: every metric that was trained in full does worse than {LIKE}."


def test_a_study_whose_metrics_all_stopped_found_no_gain():
    said = verdict_on(screened=STOPPED)
    assert said.outcome == "no_gain"
    assert said.headline == (
        f"No gain found: all 2 metrics are below {LIKE} in short trials: dim ({MINUS}0.030) and far ({MINUS}0.010)."
    )
    alone = verdict_on(screened=STOPPED[:1])
    assert alone.headline == (
        f"No gain found: the metric that was tried is below {LIKE} in short trials: dim ({MINUS}0.030)."
    )
