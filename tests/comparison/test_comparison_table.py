"""metricloop/comparison/comparison_table.py and table_notes.py: what a person reads."""

import io

import pytest
from rich.console import Console
from study_fixture import arm, headline
from study_fixture import comparison as made_of

from metricloop.comparison.comparison_table import cells, markdown_table, print_confirmation, print_table
from metricloop.comparison.table_notes import notes
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


def test_no_winner_is_claimed_where_there_is_none(printed):
    assert printed.startswith("Undecided")
    assert gain(0.13, 0.13 / 0.2) in printed.split("lion")[0]  # what the oracle gains
    assert "Mean gain of all 2 metrics: +0.004 (+2\u00a0%) mAP" in " ".join(printed.split(" "))


def test_how_the_numbers_are_made(comparison):
    said = notes(comparison)
    assert said[0].startswith("12 seeds of random, 3 of every other arm; gain is the difference of their mean mAP")
    assert said[0].endswith(
        "p is corrected for 2 metrics (controls apart) and for 2 looks; below 0.05 an arm is decided."
    )
    assert "is a test of its own, corrected for the looks and not for the other means" in said[1]
    assert "oracle (control): keep the images with the smallest share of damaged objects." in said
    assert any(line.startswith("upside_down (control): keep the worst images") for line in said)
    comparison["arms"][1]["seeds"] = list(range(6))
    assert notes(comparison)[0].startswith("12 seeds of random, 3 to 6 of every other arm;")
    assert notes(made_of([comparison["arms"][0]])) == ["12 seeds of random; nothing is compared with it yet."]


def test_open_questions_are_told_with_the_seeds_that_would_decide(comparison):
    said = notes(comparison)
    assert "Would probably decide the undecided arms: object_proximity 7 to 29 seeds." in said
    assert "Too close to the baseline for any reasonable number of seeds: aspect_ratio." in said


def test_a_look_that_was_added_later_is_said_to_have_no_guarantee(comparison):
    later = {"arms": 9, "baseline": 27, "alpha": 0.05, "planned": False}
    added = comparison | {"looks": [*comparison["looks"], later]}
    assert not any("no guarantee" in note for note in notes(added))  # it was not taken yet
    assert "The last look was added after the first trial: its verdicts have no guarantee." in notes(
        added | {"looks_taken": 3}
    )


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
        "object_proximity against matched, random images with as many boxes: +0.020 (+10\u00a0%), 95\u00a0% interval "
        f"{MINUS}0.010 to +0.050, p 0.200." in said
    )


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
    assert lines[2].startswith("- Mean gain of all 2 metrics: ")


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
    {"opened": f"2026-11-2{day}T04:29:13+00:00", "study": "lion", "arms": ["random", name], "seeds": {}}
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
        "Confirmed: aspect_ratio beats a random sample of the same size on the test split: +0.050 (+25 %), "
        "95 % interval +0.010 to +0.090, p 0.020; expected was +0.061."
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


def test_a_test_split_that_stayed_closed_says_why(comparison):
    closed = CONFIRMATION | {"arms": {}, "gain": {}, "seeds": {}, "test_images": None, "reason": "no arm is better"}
    assert shown(print_confirmation, closed, comparison, []) == "The test split stayed closed: no arm is better.\n"
    assert "opened 1 time before: 2026-11-20" in shown(print_confirmation, closed, comparison, OPENINGS[:1])


def test_an_arm_scored_without_the_sandbox_is_marked_in_the_table_and_below(comparison):
    comparison["arms"][1]["unsafe_in_process"] = True
    text = markdown_table(comparison)
    assert "undecided (unsafe)" in text
    assert "- Scored by unread code without the sandbox (--unsafe-in-process): object_proximity." in text
