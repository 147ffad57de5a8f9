"""What became of every idea, read off a journal made up by hand."""

from __future__ import annotations

import pytest
from journal_fixture import CROWDED, OBJECT_COUNT, event, gate, idea, journal, measured, proposed, round_one
from study_fixture import arm, comparison

from metricloop.engineer.idea_tree import outcome_line, parent_of, tree, tree_text, walk
from metricloop.engineer.ideas import Attempt, Idea, compared, ideas, screened_text, with_variants  # fmt: skip

MINUS = "\u2212"


def by_name(events: list[dict]) -> dict[str, Idea]:
    return {one.name: one for one in ideas(events)}


def test_every_idea_and_its_fate_in_order() -> None:
    found = ideas(journal())
    assert [(one.name, one.round, one.state) for one in found] == [
        ("object_count", 1, "measured"),
        ("tightness", 1, "measured"),
        ("edges", 1, "refused"),
        ("crowded", 2, "measured"),
        ("copy_of_count", 2, "refused"),
        ("late", 2, "dropped"),
    ]


def test_one_that_ran_first_time() -> None:
    one = by_name(journal())["object_count"]
    assert (one.ran, one.first_time, one.repairs, one.failures) == (True, True, 0, ())
    assert (one.metric, one.family, one.predicted_gain, one.verdict) == ("object_count", "counting", 0.03, "better")
    assert one.gain == {"abs": 0.07, "rel": 0.07 / 0.231, "ci95": pytest.approx([0.04, 0.1]), "p_holm": 0.2}
    assert (one.lesson, one.lesson_date) == ("Counting finds what is missing.", None)


def test_one_that_was_repaired_and_one_that_never_ran() -> None:
    found = by_name(journal())
    mended, lost = found["tightness"], found["edges"]
    assert (mended.ran, mended.first_time, mended.repairs) == (True, False, 1)
    assert mended.failures == (Attempt(0, (("no boxes", "IndexError: index 0 is out of bounds, line 5"),)),)
    assert (lost.ran, lost.repairs, lost.refusal) == (False, 2, "gate")
    # the first repair was no JSON: the gate never saw it, and it counts
    assert [(attempt.number, attempt.broken[0][0]) for attempt in lost.failures] == [
        (0, "runs"), (1, "answer"), (2, "varies")
    ]  # fmt: skip


def test_a_lesson_that_was_replayed_keeps_its_date() -> None:
    assert by_name(journal())["crowded"].lesson_date == "2026-11-20"


def test_a_repair_may_change_the_policy() -> None:
    changed = OBJECT_COUNT | {"policy": {"name": "among", "share": 0.4}}
    (one,) = ideas([*proposed(1, OBJECT_COUNT), gate(1, 3, OBJECT_COUNT, 0, ("policy", "no")), gate(1, 4, changed, 1)])
    assert one.policy == {"name": "among", "share": 0.4}
    assert one.state == "proposed"  # killed before it was accepted


def test_an_answer_that_cannot_be_read_is_an_idea_too() -> None:
    (one,) = ideas([event("refused", 1, 2, suggestion="suggestion 2", kind="unusable", reason="policy: missing")])
    assert (one.name, one.state, one.refusal, one.hypothesis) == ("suggestion 2", "refused", "unusable", "")
    assert outcome_line(one) == "refused: policy: missing"


def test_the_same_name_in_a_later_round_is_another_idea() -> None:
    again = [*round_one(), *proposed(2, idea("edges", "pixels", 0.01, parent="edges"))]
    found = ideas(again)
    assert [one.round for one in found if one.name == "edges"] == [1, 2]
    assert (found[2].state, found[3].state) == ("refused", "proposed")
    assert parent_of(found, 3) == 2


def test_events_of_nobody_and_of_early_journals_are_left_alone() -> None:
    early = {"event": "accepted", "round": 1, "reason": None, "suggestion": {"name": "old"}}
    assert ideas([early, measured(1, "stranger", 0.1, "better", 0.0), {"event": "stopped", "round": 1}]) == []


def test_tree_by_parent() -> None:
    roots = tree(ideas(journal()))
    assert [node.idea.name for node in roots] == ["object_count", "tightness", "edges", "late"]  # late: unknown parent
    assert [node.idea.name for node in roots[0].children] == ["crowded", "copy_of_count"]


@pytest.mark.parametrize(
    ("parents", "depths"),
    [
        ({"a": "b", "b": "a"}, [("a", 0), ("b", 1)]),  # a circle: the first proposed is the root
        ({"a": "a", "b": None}, [("a", 0), ("b", 0)]),  # itself
        ({"a": None, "b": "a", "c": "b"}, [("a", 0), ("b", 1), ("c", 2)]),
        ({"a": "c", "b": None, "c": None}, [("a", 0), ("b", 0), ("c", 0)]),  # one that comes later is no parent
    ],
)
def test_circles_and_strangers_become_roots(parents: dict, depths: list) -> None:
    found = [Idea(name, 1, parent=parent) for name, parent in parents.items()]
    assert [(one.name, depth) for depth, one in walk(tree(found))] == depths


def test_the_parent_is_the_one_that_ran() -> None:
    found = [Idea("a", 1, state="measured"), Idea("a", 2, state="refused"), Idea("b", 3, parent="a")]
    assert parent_of(found, 2) == 0


def test_tree_as_text() -> None:
    lines = tree_text(ideas(journal())).splitlines()
    assert lines[:4] == [
        "object_count (round 1, counting): ran the first time, +0.070 (better)",
        f"  └ crowded (round 2, counting): ran the first time, {MINUS}0.020 (undecided)",
        "  └ copy_of_count (round 2, counting): refused as a repeat: is object_count again: object_count with the same "
        "policy",
        "tightness (round 1, geometry): ran after 1 repair, +0.011 (undecided)",
    ]
    assert lines[4] == "edges (round 1, pixels): refused after 2 repairs: varies: every score is 0"
    assert lines[5].startswith("late (round 2, timing): ran the first time, dropped: late fails on 12 of 400 images")


def test_words_of_a_model_cannot_break_a_line() -> None:
    evil = Idea("a", 1, state="refused", reason="x\n\x1b[2Jcleared")
    assert tree_text([evil]) == "a (round 1): refused: x / ?[2Jcleared"


def test_comparison_has_the_last_word() -> None:
    """More seeds and arms were added since the model was told; an arm that is not the idea's own changes nothing."""
    now = comparison([
        arm("crowded", "treatment", 0.25, 0.02, "better"), arm("edges", "control", 0.2, -0.03, "worse"),
        arm("accepted_late", "treatment", 0.24, 0.01, "undecided"),
    ])  # fmt: skip
    waiting = Idea("accepted_late", 2, state="accepted")
    found = {one.name: one for one in compared([*ideas(journal()), waiting], now)}
    assert (found["crowded"].measured_gain, found["crowded"].verdict) == (0.02, "better")
    assert found["object_count"].measured_gain == 0.07
    assert found["edges"].measured_gain is None  # refused: the arm of that name is a person's
    assert (found["accepted_late"].state, found["accepted_late"].measured_gain) == ("measured", 0.01)
    assert compared([waiting], None) == [waiting]
    assert CROWDED["predicted_gain"] == found["crowded"].predicted_gain


def test_an_idea_that_short_trials_stopped_says_so_until_it_has_full_trials() -> None:
    said = "stopped after short trials: mAP 0.170 against 0.200 of random"
    events = [*journal(), {"event": "screened", "round": 2, "suggestion": "crowded", "mAP": 0.17, "baseline": 0.2}]
    one = by_name(events)["crowded"]
    assert (one.state, one.reason, one.ran) == ("screened", said, True)
    assert tree_text([one]).endswith(f"ran the first time, {said}")
    waiting = Idea("dim", 2, state="accepted")
    stopped = comparison([], screened=[{"name": "dim", "mAP": 0.17, "baseline": 0.2}])
    (now,) = compared([waiting], stopped)
    assert (now.state, now.reason) == ("screened", said)
    (later,) = compared([now], comparison([arm("dim", "treatment", 0.25, 0.02, "better")]))
    assert (later.state, later.reason, later.measured_gain) == ("measured", None, 0.02)


def test_an_idea_has_the_result_of_the_variant_that_was_tried_in_full():
    gain = {"abs": 0.04, "rel": None, "ci95": [0.01, 0.07], "p_holm": 0.01}
    first = Idea("idea", 1, state="screened", reason="stopped after short trials", policy={"name": "best"})
    second = Idea(
        "idea_v2", 1, variant_of="idea", state="measured", gain=gain, verdict="better", policy={"name": "strata"}
    )
    third = Idea("idea_v3", 1, variant_of="idea", state="screened", reason="stopped")
    (whole, other) = with_variants([first, second, third, Idea("idea", 2)])
    assert (whole.name, whole.state, whole.gain, whole.policy) == ("idea", "measured", gain, {"name": "strata"})
    assert other == Idea("idea", 2)  # another round's idea of the same name
    assert with_variants([first, third]) == [first]


def test_a_variant_that_stops_above_random_was_worse_than_another():
    assert screened_text(0.1, 0.2) == "stopped after short trials: mAP 0.100 against 0.200 of random"
    assert "another variant of it did better: mAP 0.300" in screened_text(0.3, 0.2)
