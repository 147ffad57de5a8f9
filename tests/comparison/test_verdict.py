"""The verdict on a study says no more than its numbers."""

import pytest
from study_fixture import arm, arms, comparison, headline

from metricloop.comparison.phrases import seeds_text
from metricloop.comparison.verdict import summarise

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
        "tight gains +0.070 mAP (+30\u00a0%), 95\u00a0% interval +0.040 to +0.100, p\u00a00.004 after correction for 1 "
        "metric and 2 looks (3 seeds against 3).",
    )


def test_of_several_winners_the_best_is_named_with_what_to_expect_of_it():
    said = verdict_on(
        one("better", 0.07), one("better", 0.05, "b"), one("undecided", 0.01, "c"), one("worse", -0.06, "d"),
        mean=0.07, p=0.01,
    )  # fmt: skip
    assert said.headline == (
        f"2 of 4 metrics beat {LIKE}; the best is tight: mAP 0.301 against 0.231. On average all 4 gain +0.070 "
        "mAP (+35\u00a0%)."
    )
    assert said.details[0].endswith("The best of several looks better than it is: expect about +0.056 mAP.")
    assert said.details[1:] == (f"Worse than random: d ({MINUS}0.060 mAP).", "Still undecided: c (+0.010 mAP).")
    single = verdict_on(one("better", 0.07), one("undecided", 0.01, "c"))
    assert single.headline == f"One of 2 metrics beats {LIKE}: tight, mAP 0.301 against 0.231."
    both = verdict_on(one("better", 0.07), one("better", 0.05, "b"), mean=0.06, p=0.01)
    assert both.headline == (
        f"Both metrics beat {LIKE}; the best is tight: mAP 0.301 against 0.231. On average both gain +0.060 mAP "
        "(+30\u00a0%)."
    )


def test_the_first_line_of_a_study_that_every_metric_wins():
    tried = [one("better", gain, f"m{place}") for place, gain in enumerate((0.05, 0.04, 0.03))]
    oracle = arm("oracle", "control", 0.285, 0.054, "better", policy="oracle")
    said = verdict_on(*tried, oracle, mean=0.04, p=0.01)
    assert said.headline == (
        f"All 3 metrics beat {LIKE}; the best is m0: mAP 0.281 against 0.231. On average all 3 gain +0.040 mAP "
        "(+20\u00a0%), the oracle gains +0.054 mAP (+23\u00a0%)."
    )


def test_the_level_of_the_baseline_is_that_of_the_winners_look():
    """The table's baseline has more seeds and another mean, .24; the winner was decided at the first look."""
    later = BASELINE | {"mAP": BASELINE["mAP"] | {"mean": 0.24}}
    won = one("better", 0.07, baseline_seeds=12)
    said = summarise(comparison([later, won], headlines=[]))
    assert "mAP 0.301 against 0.231." in said.headline
    assert said.details[0].endswith("(3 seeds against 12).")


def test_p_is_corrected_for_the_planned_metrics():
    """Twelve metrics are planned, two have run."""
    family = {"treatment": 12, "control": 4}
    said = verdict_on(one("better", 0.07), one("worse", -0.05, "b"), family=family)
    assert "after correction for 12 metrics and 2 looks" in said.details[0]
    assert said.headline.startswith("One of 2 metrics beats")
    assert "10 more metrics of the plan have no results yet; they count in the correction of p." in said.details
    alone = verdict_on(one("undecided", 0.012), family={"treatment": 2, "control": 0})
    assert alone.outcome == "undecided"  # "no gain found" is for a study that has run
    assert "1 more metric of the plan has no results yet; it counts in the correction of p." in alone.details


def looks(*planned: bool) -> list[dict]:
    return [{"arms": 3 * n, "baseline": 3 * n, "alpha": 0.02, "planned": it} for n, it in enumerate(planned, start=1)]


@pytest.mark.parametrize(
    ("planned", "taken", "decided", "corrected", "marked"),
    [
        ((True, True), 2, 2, "after correction for 1 metric and 2 looks", False),
        ((True, True, False), 2, 1, "after correction for 1 metric and 2 looks", False),  # not taken yet
        ((True, True, False), 3, 3, "after correction for 1 metric, at look 3, which was not planned", True),
        ((True, True, False), 3, 1, "after correction for 1 metric and 2 looks", True),
        ((False, False), 1, 1, "after correction for 1 metric, at look 1, which was not planned", True),
    ],
)  # fmt: skip
def test_an_unplanned_look_is_named_in_the_first_line(planned, taken, decided, corrected, marked):
    said = verdict_on(one("better", 0.07, decided_at=decided), looks=looks(*planned), looks_taken=taken)
    assert corrected in said.details[0]
    assert said.headline.startswith(
        f"Training on what tight selects beats {LIKE}{' (unplanned look)' if marked else ''}:"
    )


@pytest.mark.parametrize(
    ("entry", "begins"),
    [
        (one("worse", -0.07), "No gain (unplanned look): "),
        (one("undecided", 0.001, half=0.015), "No gain (unplanned look): "),
        (one("undecided", 0.012), "No gain found (unplanned look): "),
        (one("undecided", 0.04), "Undecided (unplanned look): "),
    ],
)
def test_an_unplanned_look_is_named_whatever_the_verdict(entry, begins):
    assert verdict_on(entry, looks=looks(False), looks_taken=1).headline.startswith(begins)


def with_control(lead: float, half: float | None, ratio: float = 1.31) -> list[dict]:
    """A winner with 31 % more boxes, and its control."""
    change = {"abs": lead, "rel": lead / 0.25, "ci95": None if half is None else [lead - half, lead + half], "p": 0.3}
    own = {"matches": "tight", "lead_over_it": change, "boxes_ratio": ratio}
    return [
        one("better", 0.07, boxes_ratio=ratio),
        arm("as_many", "control", 0.25, 0.02, "undecided", policy="match", **own),
    ]


NOT_SHOWN = ", but it is not shown to beat random images with as many boxes."


@pytest.mark.parametrize(
    ("lead", "half", "ends"),
    [
        (0.01, 0.03, NOT_SHOWN),
        (0.01, None, NOT_SHOWN),
        (-0.01, 0.03, ", but random images with as many boxes do as well."),
        (-0.04, 0.03, ", but random images with as many boxes do better."),
    ],
)
def test_a_winner_that_does_not_beat_as_many_boxes_is_not_praised(lead, half, ends):
    said = verdict_on(*with_control(lead, half))
    assert said.headline == f"Training on what tight selects beats {LIKE}: mAP 0.301 against 0.231{ends}"
    assert said.details[1].startswith(
        "tight trains on 31\u00a0% more boxes than random, which may explain its gain: its lead over as_many, random "
        f"images with as many boxes, is {'+' if lead > 0 else MINUS}{abs(lead):.3f} mAP ("
    )


def test_a_number_of_boxes_that_explains_nothing_is_not_held_against_a_winner():
    for entries in (with_control(0.05, 0.03), with_control(0.01, 0.03, ratio=1.1)):
        said = verdict_on(*entries)
        assert said.headline.endswith("against 0.231.")
        assert "boxes" not in text_of(said)
    alone = verdict_on(with_control(0, 0, ratio=0.7)[0])
    assert alone.headline.endswith("against 0.231.")
    assert alone.details[1] == (
        "tight trains on 30\u00a0% fewer boxes than random, which may explain its gain; no control with as many boxes "
        "has results yet."
    )
    second = verdict_on(one("better", 0.08, "best"), one("better", 0.07, boxes_ratio=1.31))
    assert second.details[1] == "tight trains on 31\u00a0% more boxes than random, which may explain its gain."


def test_all_are_worse():
    said = verdict_on(one("worse", -0.07))
    assert (said.outcome, said.headline) == ("worse", f"No gain: every metric that was tried does worse than {LIKE}.")
    assert said.details == (f"Worse than random: tight ({MINUS}0.070 mAP).",)


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
        f"No gain found: neither of the 2 metrics is shown to beat {LIKE}, and their mean gain is +0.004 mAP "
        f"(95\u00a0% interval {MINUS}0.010 to +0.018)."
    )
    assert said.details[0] == (
        "On average they gain less than +0.020 mAP, the smallest gain of interest, with 95\u00a0% confidence; one "
        "alone may gain more: up to +0.042 mAP for tight is not ruled out."
    )
    assert said.details[1].startswith("The bottleneck is the seeds: ")
    assert verdict_on(*tried, mean=-0.02, half=0.01).headline.endswith(
        f"on average they do worse: {MINUS}0.020 mAP (95\u00a0% interval {MINUS}0.030 to {MINUS}0.010)."
    )
    wide = verdict_on(*tried, mean=0.004, half=0.2)
    assert wide.headline.startswith("No gain found:")
    assert wide.details[0] == "Not ruled out: a mean gain of up to +0.204 mAP, and up to +0.042 mAP for tight."
    alone = verdict_on(tried[0])
    assert alone.headline.endswith(
        f"tight is not shown to beat {LIKE}; its gain is +0.012 mAP (95\u00a0% interval {MINUS}0.018 to +0.042)."
    )
    assert alone.details[0] == "Not ruled out: a gain of up to +0.042 mAP for tight."


AHEAD = one("undecided", 0.02, goes_on=True, needed=[5, 9])
NEXT = one("undecided", 0.01, "b", goes_on=True)
UNKNOWN = {"gain": {"mAP": {"abs": 0.02, "rel": 0.1, "ci95": None, "p_holm": None}}}
FOUR = {"looks": [{"arms": 4, "baseline": 4, "alpha": 0.05, "planned": True}]}


@pytest.mark.parametrize(
    ("entries", "changes", "told"),
    [
        ([AHEAD], {}, "1 metric is ahead; `metricloop run` would give it more seeds."),
        ([AHEAD, NEXT], {"mean": 0.015}, "2 metrics are ahead; `metricloop run` would give them more seeds."),
        ([one("undecided", 0.04, needed=[13, None])], {"looks_taken": 2}, "13 or more seeds would probably decide."),
        ([one("undecided", 0.02)], FOUR, "p\u00a00.310."),  # too early to say more
        ([one("undecided", 0.02, goes_on=True)], {}, "p\u00a00.310."),
        ([one("undecided", -0.01, half=0.05, seeds=2, needed=[30, 40])], {}, "None is ahead; the nearest is tight"),
        ([one("undecided", 0.02) | UNKNOWN], {}, ""),
        (
            [one("undecided", 0.01), one("undecided", 0.01, "b")], {"mean": 0.04, "p": 0.06},
            "; its gain so far is too small for any reasonable number of seeds to decide.",
        ),
        (
            [one("undecided", 0.438, half=0.4)], {"search_images": 11, "noise": None},
            "; 11 search images are too few for any number of seeds to decide.",
        ),
        ([one("undecided", 0.2, t=20.0)], {}, "; its trials differ too much to say how many seeds would decide."),
    ],
)  # fmt: skip
def test_undecided_while_a_gain_may_still_show(entries, changes, told):
    """Arms that go on, a hint that is not enough, too few seeds for the first look, and nothing known of the error."""
    said = verdict_on(*entries, **changes)
    assert said.outcome == "undecided"
    assert said.headline.startswith("Undecided: after ")
    assert told in text_of(said)
    assert "None is ahead" in told or text_of(said).count("too ") == told.count("too ")
    assert "beats" not in text_of(said)
    assert "No gain" not in text_of(said)


def test_nothing_is_decided_before_the_first_look_is_complete():
    """Two seeds whose interval ends below the smallest gain of interest: no verdict, and no word on what would help."""
    said = verdict_on(one("undecided", -0.01, half=0.01, seeds=2), ORACLE | {"verdict": "undecided"}, looks_taken=0)
    assert said.outcome == "undecided"
    assert said.headline == "Undecided: the first look, with 3 seeds of a metric and 3 of random, is not complete."
    assert len(said.details) == 1  # nothing on the oracle either
    assert said.details[0].endswith("p\u00a00.310.")


def test_all_together_may_be_better_where_no_single_one_is():
    tried = [one("undecided", 0.03), one("undecided", 0.03, "b")]
    said = verdict_on(*tried, mean=0.03, half=0.02, p=0.004)
    assert said.outcome == "together"
    assert said.headline == (
        f"Together, the 2 metrics beat {LIKE}: their mean gain is +0.030 mAP (+15\u00a0%). No single one is shown to."
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
        ": +0.040 mAP (+20\u00a0%), 95\u00a0% interval +0.010 to +0.070, p\u00a00.001, better than random; +0.020 mAR "
        f"(+10\u00a0%), 95\u00a0% interval {MINUS}0.010 to +0.050, p\u00a00.001."
    )
    for gain, p, told in ((0.04, 0.06, "undecided"), (-0.04, 0.001, "worse than random")):
        (mean,) = summarise(comparison(headlines=[headline("all", ["a", "b"], gain, p=p)])).means
        assert f"p\u00a0{p:.3f}, {told};" in mean
        assert mean.startswith("Mean gain of both metrics: ")


def test_the_oracle_is_better_or_not():
    said = text_of(verdict_on(one("better", 0.07), ORACLE))
    assert "The oracle gains +0.100 mAP (+43\u00a0%)." in said
    assert said.endswith(
        "On the search split, where it was chosen, tight reaches 70\u00a0% of the gain of the oracle, which knows "
        "every deliberate mistake."
    )
    said = text_of(verdict_on(one("undecided", 0.03), ORACLE))
    assert "is better, by +0.100 mAP (+43\u00a0%), 95\u00a0% interval +0.070 to +0.130: about the most" in said
    assert (
        "the oracle, which knows every deliberate mistake, is not shown to beat random here, at +0.100 mAP"
        in text_of(verdict_on(one("better", 0.07), ORACLE | {"verdict": "undecided"}))
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
    assert (
        f"Below random in short trials, and not trained further: dim ({MINUS}0.030 mAP) and far ({MINUS}0.010 mAP)."
        in (said.details)
    )
    rival = {"name": "twin", "mAP": 0.25, "baseline": 0.2}
    assert verdict_on(one("better", 0.07), screened=[rival, STOPPED[1]]).details[1:3] == (
        f"Below random in short trials, and not trained further: far ({MINUS}0.010 mAP).",
        "Not trained further, as another variant did better in short trials: twin (+0.050 mAP).",
    )
    worse = verdict_on(one("worse", -0.06), screened=STOPPED)
    assert worse.headline == f"No gain: every metric that was trained in full does worse than {LIKE}."


def test_a_study_whose_metrics_all_stopped_found_no_gain():
    said = verdict_on(screened=STOPPED)
    assert said.outcome == "no_gain"
    assert said.headline == (
        f"No gain found: both metrics are below {LIKE} in short trials: dim ({MINUS}0.030 mAP) and far "
        f"({MINUS}0.010 mAP)."
    )
    alone = verdict_on(screened=STOPPED[:1])
    assert alone.headline == (
        f"No gain found: the metric that was tried is below {LIKE} in short trials: dim ({MINUS}0.030 mAP)."
    )
    waiting = verdict_on(screened=STOPPED, family={"treatment": 3, "control": 0})
    assert (waiting.outcome, waiting.headline) == ("none", "No metric was tested yet.")
    assert waiting.details[0].startswith("Below random in short trials")
    assert waiting.details[1].startswith("1 more metric of the plan has no results yet")
