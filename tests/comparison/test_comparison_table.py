"""metricloop/comparison/comparison_table.py and table_notes.py: what a person reads."""

import io

import pytest
from rich.console import Console
from study_fixture import arm, headline
from study_fixture import comparison as made_of

from metricloop.comparison.comparison_table import cells, markdown_table, print_confirmation, print_table
from metricloop.comparison.table_notes import notes, warnings
from metricloop.text.numbers import gain

MINUS = "\u2212"
WIDE = {"images": 1500, "boxes": 12345, "boxes_ratio": 1.0}


@pytest.fixture
def comparison():
    arms = [
        arm("random", "baseline", 0.2, None, None, policy="random", seeds=12) | WIDE,
        arm("object_proximity", "treatment", 0.21, 0.01, "undecided", half=0.05, needed=[7, 29], goes_on=True) | WIDE,
        arm("aspect_ratio", "treatment", 0.19, -0.001, "undecided") | WIDE,
        arm("oracle", "control", 0.33, 0.13, "better", policy="oracle") | WIDE,
        arm("upside_down", "control", 0.1, -0.1, "worse", policy="inverse") | WIDE,
    ]
    return made_of(arms, "lion", headlines=[headline("all", ["object_proximity", "aspect_ratio"], 0.0045)])


def shown(print_it, *arguments):
    stream = io.StringIO()
    print_it(*arguments, Console(file=stream, width=100))
    return stream.getvalue()


@pytest.fixture
def printed(comparison):
    return shown(print_table, comparison)


def test_a_row_stays_on_one_line_of_a_hundred_columns(printed, comparison):
    line = next(line for line in printed.splitlines() if line.startswith("object_proximity"))
    found = cells(comparison["arms"][1])
    assert found[1:4] == ["1,500", "12,345", "0.210 ± 0.011"]
    assert found[6:] == ["0.310", "0.410", "undecided"]
    assert all(text in line for text in found)
    assert max(map(len, printed.splitlines())) <= 100


def test_no_winner_is_claimed_where_there_is_none(printed, comparison):
    assert printed.startswith("Undecided")
    assert gain(0.13, 0.13 / 0.2, "mAP") in printed.split("lion")[0]  # what the oracle gains
    assert "Mean gain of both metrics" not in printed
    stream = io.StringIO()
    print_table(comparison, Console(file=stream, width=100), with_notes=True)
    assert "Mean gain of both metrics: +0.004 mAP (+2\u00a0%)" in stream.getvalue()
    assert "p is corrected for 2 metrics" in stream.getvalue()


def test_how_the_numbers_are_made(comparison):
    said = notes(comparison)
    assert said[0].startswith("12 seeds of random, 3 of every other arm; gain is the difference of their mean mAP")
    assert said[0].endswith(
        "p is corrected for 2 metrics (controls apart) and for 2 looks; below 0.05 an arm is decided."
    )
    assert said[1] == (
        "Each mean gain (95\u00a0% interval, p) takes the seeds of the first look of every metric. It is a test of its "
        "own, corrected for the looks and not for the other means."
    )
    assert "oracle (control): keep the images with the smallest share of damaged objects." in said
    assert any(line.startswith("upside_down (control): keep the worst images") for line in said)
    own = next(arm for arm in comparison["arms"] if arm["name"] == "upside_down")
    corrected = own | {"policy": {"name": "relabel", "worst": 50}, "metric": "box_fit"}
    told = notes(comparison | {"arms": [corrected if arm is own else arm for arm in comparison["arms"]]})
    assert any(line.endswith("other labels for the worst images of the pool: 50 by box_fit.") for line in told)
    comparison["arms"][1]["seeds"] = list(range(6))
    assert notes(comparison)[0].startswith("12 seeds of random, 3 to 6 of every other arm;")
    assert notes(made_of([comparison["arms"][0]])) == ["12 seeds of random; nothing is compared with it yet."]


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ({"treatment": 12, "control": 2}, "p is corrected for 12 metrics (controls apart) and for 2 looks;"),
        ({"treatment": 1, "control": 0}, "p is corrected for 1 metric and for 2 looks;"),
        ({"treatment": 0, "control": 2}, "p is corrected for 2 controls and for 2 looks;"),
        ({"treatment": 0, "control": 0}, "p is corrected for 2 looks;"),  # controls that the study added by itself
    ],
)
def test_p_is_corrected_for_the_planned_arms(comparison, family, said):
    assert said in notes(comparison | {"family": family})[0]


def test_an_undecided_arm_whose_interval_lies_above_zero_is_explained(comparison):
    said = "Undecided, though the interval lies above zero: "
    assert not any(note.startswith(said) for note in notes(comparison))  # object_proximity: -0.040 to +0.060
    comparison["arms"][1]["gain"]["mAP"]["ci95"] = [0.001, 0.019]
    (note,) = (note for note in notes(comparison) if note.startswith(said))
    assert note.startswith(f"{said}object_proximity; a 95\u00a0% interval speaks of one arm alone")
    assert note.endswith("p is corrected for all arms and looks, and decides.")
    comparison["arms"][1]["verdict"] = "better"
    assert not any(note.startswith(said) for note in notes(comparison))


def test_open_questions_are_told_with_the_seeds_that_would_decide(comparison):
    """aspect_ratio gains -.001; of -.1, the search images or the trials are in the way.

    Both have sd .011: trials make .011^2 / 3 + .011^2 / 3 = .000081 of the squared error, (.1 / t)^2. With t = -8 that
    is .000156, more than half of it from trials; with t = -7 it is .000204, less than half.
    """
    small = (
        "The gain so far is too small for any reasonable number of seeds to decide, though one up to the upper end of "
        "its interval is not ruled out: aspect_ratio."
    )
    few = "Too few search images (50 search images) for any number of seeds: aspect_ratio."
    trials = "Trials differ too much to say how many seeds would decide: aspect_ratio."
    said = notes(comparison)
    assert "Would probably decide the undecided arms: object_proximity 7 to 29 seeds." in said
    assert (small in said, few in said, trials in said) == (True, False, False)
    comparison["arms"][2]["gain"]["mAP"]["abs"] = -0.1
    comparison["search_images"] = 50
    for t, expected in ((-8.0, trials), (-7.0, few)):
        comparison["arms"][2]["t"] = t
        said = notes(comparison)
        assert [text for text in (small, few, trials) if text in said] == [expected]
    comparison["arms"][2]["gain"]["mAP"]["ci95"] = None
    assert any(
        note.startswith("Too few search images (1 search image)") for note in notes(comparison | {"search_images": 1})
    )


def test_images_that_belong_together_are_told_as_groups(comparison):
    comparison["arms"][2]["gain"]["mAP"]["abs"], comparison["arms"][2]["t"] = -0.1, -7.0
    for pictures, expected in ((60, "(50 groups of search images)"), (50, "(50 search images)")):
        said = notes(comparison | {"search_images": 50, "search_pictures": pictures})
        assert any(note.startswith(f"Too few search images {expected} for any number of seeds") for note in said)


def test_a_mean_gain_that_is_not_that_of_the_column_says_so(comparison):
    """The metrics gain .0085 and -.001; a third trial of one of them changes the column, and not the mean."""
    rows = [arm for arm in comparison["arms"] if arm["role"] == "treatment"]
    told = comparison["headlines"][0]
    assert [row["name"] for row in rows] == told["arms"]
    rows[0]["gain"]["mAP"]["abs"], rows[1]["gain"]["mAP"]["abs"] = 0.0085, -0.001
    told["gain"]["mAP"]["abs"] = 0.0037  # +0.004, as .00375
    assert not any(note.startswith("The mean gain") for note in notes(comparison))
    rows[0]["gain"]["mAP"]["abs"] = 0.0385
    expected = (
        "The mean gain, +0.004, is not the mean of the gains in the table, +0.019: it takes the first 3 seeds of every "
        "metric, so that no metric counts by more seeds because it was ahead, and 3 of random; the table takes the "
        "seeds of each arm's last look."
    )
    assert expected in notes(comparison)
    assert expected in warnings(comparison)
    assert expected not in notes(comparison | {"looks_taken": 0})


@pytest.mark.parametrize("changes", [{"goes_on": True}, {"seeds": [0, 1]}])
def test_nothing_is_called_hopeless_that_goes_on_or_has_not_had_its_first_look(comparison, changes):
    comparison["arms"][2] |= changes
    assert not any("aspect_ratio" in note for note in notes(comparison))


def test_before_the_first_look_is_complete_nothing_is_decided(comparison):
    said = notes(comparison | {"looks_taken": 0})
    assert "The first look, with 3 seeds of an arm and 3 of random, is not complete: nothing is decided yet." in said
    assert not any("aspect_ratio" in note for note in said)


def test_looks_that_were_not_planned_are_named(comparison):
    later = {"arms": 9, "baseline": 27, "alpha": 0.05, "planned": False}
    added = comparison | {"looks": [*comparison["looks"], later]}
    assert not any("no guarantee" in note for note in notes(added))  # it was not taken yet
    (said,) = [note for note in notes(added | {"looks_taken": 3}) if "no guarantee" in note]
    assert said == "Look 3 was added or changed after the first trial: its verdicts have no guarantee."
    assert "and for 2 looks; below 0.05 an arm is decided." in notes(added | {"looks_taken": 3})[0]
    edited = [look | {"planned": False, "alpha": 0.4} for look in comparison["looks"]]
    said = notes(comparison | {"looks": edited, "looks_taken": 2, "alpha": 0.4})
    assert said[0].endswith(
        "p is corrected for 2 metrics (controls apart), and for no look, because none was planned; below 0.4, set for "
        "look 1, an arm is decided."
    )
    assert said[1] == ("Looks 1 and 2 were added or changed after the first trial: their verdicts have no guarantee.")


def test_rows_of_different_looks_are_told_apart(comparison):
    said = "Gain, interval and p of an arm are those of its last look, with as many seeds of random as that look takes."
    assert said not in notes(comparison)
    comparison["arms"][1]["baseline_seeds"] = 18
    assert said in notes(comparison)


def test_seeds_beyond_the_looks_are_told(comparison):
    """The looks take 6 of random and 6 of an arm."""
    comparison["arms"][0] |= {"seeds": list(range(6)), "seeds_beyond": list(range(6, 28))}
    comparison["arms"][1]["seeds_beyond"] = [3]
    said = notes(comparison | {"looks_taken": 2})
    assert "random has 22 more seeds than the looks take; they count in no test." in said
    assert "object_proximity has 1 more seed than its last look takes; it counts in no test." in said
    comparison["arms"][2]["seeds_beyond"] = [3]
    assert (
        "object_proximity and aspect_ratio each have 1 more seed than their last look takes; they "
        "count in no test." in notes(comparison)
    )
    comparison["arms"][0] |= {"seeds": [0, 1, 2], "seeds_beyond": [3, 4]}
    assert "random has 2 more seeds than the looks so far take; they count in no test." in notes(comparison)


def test_trials_that_learnt_next_to_nothing_are_named(comparison):
    comparison["arms"][1] |= {"collapsed": [2]}
    comparison["arms"][1]["mAP"]["per_seed"] = [0.3, 0.32, 0.0061]
    comparison["arms"][3] |= {"collapsed": [0, 1]}
    comparison["arms"][3]["mAP"]["per_seed"] = [0.01, 0.02, 0.33]
    said = notes(comparison)
    assert (
        "object_proximity: the trial with seed 2 learnt next to nothing (mAP 0.006); its scatter does not count for "
        "the other arms." in said
    )
    assert "oracle: the trials with seeds 0 and 1 learnt next to nothing (mAP 0.010 and 0.020)." in said


def test_arms_of_later_rounds_have_conditional_p(comparison):
    for place, group in ((1, "round 1"), (2, "round 2")):
        comparison["arms"][place]["group"] = group
    (said,) = [note for note in notes(comparison) if "conditional" in note]
    assert "when it proposed aspect_ratio: their p is conditional on this split" in said


def test_an_arm_with_far_more_boxes_is_marked_and_held_against_its_control(comparison):
    comparison["arms"][1]["boxes_ratio"] = 1.151
    comparison["arms"][2]["boxes_ratio"] = 1.149
    comparison["arms"][3]["boxes_ratio"] = 0.76
    lead = {"abs": 0.02, "rel": 0.1, "ci95": [-0.01, 0.05], "p": 0.2}
    policy = {"policy": {"name": "match"}, "boxes_ratio": 1.151, "matches": "object_proximity", "lead_over_it": lead}
    comparison["arms"].append(arm("matched", "control", 0.2, 0.0, "undecided") | policy)
    comparison["arms"].append(arm("whole", "control", 0.3, 0.1, "better", policy="full", boxes_ratio=4.0))
    assert [cells(row)[2][-1] == "†" for row in comparison["arms"]] == [False, True, False, True, False, False, False]
    said = notes(comparison)
    assert (
        "† over 15\u00a0% more or fewer boxes than the baseline, so that the gain may come from their number: "
        f"object_proximity (+15\u00a0%) and oracle ({MINUS}24\u00a0%)." in said
    )
    assert (
        "object_proximity against matched, random images with as many boxes: +0.020 mAP (+10\u00a0%), 95\u00a0% "
        f"interval {MINUS}0.010 to +0.050, p\u00a00.200." in said
    )
    assert "matched (control): random images with as many boxes as object_proximity." in said


def test_few_search_images_are_told_with_what_they_put_out_of_reach(comparison):
    """Noise of one image .2 and 100 of them: error .02, so a power of .8 at the corrected level takes about .07."""
    few = comparison | {"search_images": 100}
    (said,) = [note for note in notes(few) if "search image" in note]
    planned, ever = (float(said.split(word)[1].split()[0]) for word in ("a gain of ", "below "))
    assert planned > ever == pytest.approx(0.02 * (2.5 + 0.85), abs=0.004)
    assert not any("search image" in note for note in notes(comparison))  # 400
    few["arms"][1]["verdict"] = "better"
    assert not any("search image" in note for note in notes(few))


def test_markdown_holds_the_same_rows(comparison):
    lines = markdown_table(comparison).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 5
    assert {line.count("|") for line in table} == {10}
    assert lines[0].startswith("**Undecided")
    assert lines[2].startswith("- Mean gain of both metrics: ")


CHANGE = {"abs": 0.05, "rel": 0.25, "ci95": [0.01, 0.09], "p": 0.02}
CONFIRMATION = {
    "study": "lion",
    "split": "test",
    "reason": None,
    "test_images": 200,
    "seeds": {"arms": [1000, 1001], "baseline": [1000, 1001, 1002]},
    "arms": {
        "baseline": {"arm": "random", "mAP": [0.1, 0.2, 0.3], "mAR": [0.4, 0.4, 0.4]},
        "winner": {"arm": "aspect_ratio", "mAP": [0.2, 0.3], "mAR": [0.4, 0.5]},
    },
    "gain": {"winner": {"mAP": CHANGE, "mAR": CHANGE}},
}
OPENINGS = [
    {
        "opened": f"2026-11-2{day}T04:29:13+00:00",
        "study": "lion",
        "arms": ["random", name],
        "seeds": {"arms": [1000, 1001], "baseline": [1000, 1001, 1002]},
    }
    for day, name in enumerate(("sharp", "wide", "aspect_ratio"))
]


@pytest.fixture
def better(comparison):
    row = {"verdict": "better", "shrunken_gain": 0.061}
    comparison["arms"][2] |= row | {"gain": {"mAP": CHANGE | {"abs": 0.07}}}
    return comparison


def test_a_confirmation_shows_the_gain_beside_that_of_the_search_split(better):
    text = shown(print_confirmation, CONFIRMATION, better, OPENINGS[2:])
    lines = text.splitlines()
    assert " ".join(" ".join(lines[:2]).split()) == (
        "Confirmed: aspect_ratio beats a random sample of the same size on the test split: +0.050 mAP (+25 %), "
        "95 % interval +0.010 to +0.090, p 0.020; expected was +0.061 mAP."
    )
    assert "lion: the test split (200 images), 2 fresh seeds an arm, 3 of the baseline" in text
    winner = next(line for line in lines if line.strip().startswith("winner"))
    numbers = ["0.250", "0.450", "+0.070", "+0.061", "+0.050", "(+25", "%)", "+0.010…+0.090", "0.020"]
    assert winner.split() == ["winner", "aspect_ratio", *numbers]
    assert "0.200" in next(line for line in lines if line.split()[:2] == ["baseline", "random"])
    assert "before" not in text
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ci95": [-0.01, 0.11], "p": 0.08}, "Not confirmed: aspect_ratio is not shown to beat a random sample"),
        ({"abs": -0.05, "ci95": [-0.09, -0.01]}, "Refuted: aspect_ratio does worse than a random sample"),
        ({"ci95": None, "p": None}, "Not confirmed: "),
    ],
)
def test_a_confirmation_may_fail(better, change, said):
    gains = {"winner": {"mAP": CHANGE | change, "mAR": CHANGE}}
    assert shown(print_confirmation, CONFIRMATION | {"gain": gains}, better, OPENINGS[2:]).startswith(said)


def test_nothing_is_confirmed_that_was_undecided(comparison):
    said = shown(print_confirmation, CONFIRMATION, comparison, OPENINGS[2:])
    assert said.startswith("aspect_ratio beats a random sample")


def test_earlier_openings_of_the_test_split_are_listed(better):
    told = " ".join(shown(print_confirmation, CONFIRMATION, better, OPENINGS).split())
    assert told.endswith(
        "The test split was opened 2 times before: 2026-11-20 (random, sharp); 2026-11-21 (random, wide)."
    )


def test_the_opening_of_the_table_is_known_by_its_arms_and_seeds(better):
    """A later opening failed, one before it had fewer seeds, and one is of an earlier version."""
    fewer = OPENINGS[2] | {"opened": "2026-11-19T00:00:00+00:00", "seeds": {"arms": [1000], "baseline": [1000]}}
    old = OPENINGS[2] | {"opened": "2026-11-18T00:00:00+00:00", "seeds": [1000, 1001]}
    later = OPENINGS[1] | {"opened": "2026-11-24T00:00:00+00:00"}
    told = " ".join(shown(print_confirmation, CONFIRMATION, better, [old, fewer, OPENINGS[2], later]).split())
    assert told.endswith(
        "The test split was opened 2 times before: 2026-11-18 (random, aspect_ratio); 2026-11-19 (random, "
        "aspect_ratio). The test split was opened 1 time since then, without a result: 2026-11-24 (random, wide)."
    )


def test_the_test_split_has_one_test_at_five_percent_whatever_the_looks_spend(better):
    change = CHANGE | {"p": 0.04}
    gains = {"gain": {"winner": {"mAP": change, "mAR": change}}}
    said = shown(print_confirmation, CONFIRMATION | gains, better | {"alpha": 0.01}, OPENINGS[2:])
    assert said.startswith("Confirmed: ")


def test_a_test_split_that_stayed_closed_says_why(comparison):
    closed = CONFIRMATION | {"arms": {}, "gain": {}, "seeds": {}, "test_images": None, "reason": "no arm is better"}
    assert shown(print_confirmation, closed, comparison, []) == "The test split stayed closed: no arm is better.\n"
    assert "opened 1 time before: 2026-11-20" in shown(print_confirmation, closed, comparison, OPENINGS[:1])


def test_an_arm_scored_without_the_sandbox_is_marked_in_the_table_and_below(comparison):
    comparison["arms"][1]["unsafe_in_process"] = True
    text = markdown_table(comparison)
    assert "undecided (unsafe)" in text
    assert "- Scored by unread code without the sandbox (--unsafe-in-process): object_proximity." in text
