"""What an arm of several metrics adds to the arms that use a part of it."""

import pytest
from study_fixture import arm, comparison

from metricloop.comparison.parts import BAND, BY_SCORES, INVERSE, parts_of, strongest_part, used_by
from metricloop.comparison.table_notes import notes
from metricloop.comparison.verdict import summarise
from metricloop.selection.policies import POLICIES

MINUS = "\u2212"


def entry(a: str = "", b: str = "", role: str = "treatment", name: str = "best", **policy) -> dict:
    """An arm as people write it by hand: `metric` may be left out. a, b: metrics, whose scores are read."""
    files = [f"scores/own/{metric}.parquet" if metric else "data/images.parquet" for metric in (a, b)]
    return {"role": role, "a": files[0], "b": files[1], "policy": {"name": name, **policy}}


MEND = {"repair": "consensus", "least_confidence": 0.6}


@pytest.mark.parametrize(
    ("plain", "used"),
    [
        (entry("tight"), {("tight", "higher")}),
        (entry("tight", direction="lower"), {("tight", "lower")}),
        (entry("tight", "blur"), {("tight", "higher")}),  # b is read only when it is combined
        (entry("tight", "blur", combine="product"), {("tight", "higher"), ("blur", "higher")}),
        (entry("tight", "blur", combine="veto", direction_b="lower"), {("tight", "higher"), ("blur", "lower")}),
        (entry("tight", "blur", combine="product", strength_b=0), {("tight", "higher")}),
        (entry("tight", "blur", combine="product", strength="0"), {("blur", "higher")}),
        (entry(objectives="tight, blur -0.5"), {("tight", "higher"), ("blur", "lower")}),
        (entry("tight", mend=MEND), {("tight", "higher"), ("consensus", "mend")}),
        (entry(name="random", mend=MEND), {("consensus", "mend")}),
        (entry("tight", name="inverse"), {("tight", "lower")}),
        (entry("tight", name="band", low=0, high=0.25), {("tight", "band")}),
        (entry("tight", name="drop_worst"), {("tight", "higher")}),
        (entry(name="random"), set()),
        (entry(name="full", mend=MEND), set()),  # the whole pool is no subset of the same size
        (entry("tight", name="oracle"), set()),
        (entry("tight", name="match"), set()),
    ],
)
def test_what_an_arm_uses(plain, used):
    assert used_by(plain) == used


def test_the_policies_by_scores_are_those_that_there_are():
    by_scores = {name for name, policy in POLICIES.items() if "scores" in policy.reads}
    assert by_scores == BY_SCORES | {BAND, INVERSE}
    assert [name for name, policy in POLICIES.items() if policy.flip] == [INVERSE]


def test_the_parts_of_an_arm_use_less_and_in_the_same_direction():
    arms = {
        "random": entry(role="baseline", name="random"),
        "tight": entry("tight"),
        "loose": entry("tight", direction="lower"),
        "twin": entry("tight", "blur", combine="product"),
        "both": entry("blur", "tight", combine="product"),
        "mended": entry(objectives="blur, tight", mend=MEND),
        "mend": entry(name="random", mend=MEND),
        "whole": entry(name="full", mend=MEND),
        "inverse": entry("tight", role="control", name="inverse"),
        "other": entry("size"),
    }
    parts = parts_of(arms)
    assert parts["both"] == ["tight"]  # its twin uses as much, the control is none, `loose` goes the other way
    assert parts["mended"] == ["tight", "twin", "both", "mend"]
    assert parts["tight"] == []
    assert not parts.keys() & {"inverse", "random"}


def lead(value: float, half: float | None) -> dict:
    return {"abs": value, "rel": value / 0.25, "ci95": None if half is None else [value - half, value + half], "p": 0.3}


def told(half: float | None) -> dict:
    leads = {"weak": lead(0.06, 0.01), "tight": lead(0.02, half)}
    return comparison(
        [
            arm("random", "baseline", 0.231, None, None, policy="random"),
            arm("both", "treatment", 0.301, 0.07, "better", metric="blur", lead_over_parts=leads),
            arm("tight", "treatment", 0.281, 0.05, "better", metric="tight", lead_over_parts={}),
            arm(
                "weak", "treatment", 0.241, 0.01, "undecided", metric="weak"
            ),  # of a table made before there were leads
        ]
    )


@pytest.mark.parametrize(
    ("half", "ends"),
    [
        (0.01, "+0.010 to +0.030."),
        (0.03, f"{MINUS}0.010 to +0.050, so that the rest is not shown to add anything."),
        (None, "\u2013."),  # with one seed nothing is known
    ],
)
def test_the_verdict_says_what_the_winner_adds_to_its_strongest_part(half, ends):
    said = summarise(told(half)).details[1]
    alone = "tight, which uses only a part of what both uses, gains +0.050 mAP (+22\u00a0%)"
    assert said == f"{alone}: the lead over it is +0.020 mAP, 95\u00a0% interval {ends}"


def test_a_part_that_loses_explains_nothing():
    table = told(0.01)
    table["arms"][2]["gain"]["mAP"]["abs"] = -0.02
    table["arms"][3]["gain"]["mAP"]["abs"] = -0.01
    assert not [line for line in summarise(table).details if "uses only a part" in line]


def test_the_notes_name_the_lead_of_every_arm_that_has_a_part():
    table = told(0.03)
    found = "Leads over the strongest arm that uses only a part of what they use: both +0.020 mAP over tight"
    assert f"{found} (95\u00a0% interval {MINUS}0.010 to +0.050)." in notes(table)
    both, tight, weak = table["arms"][1:]
    assert strongest_part(table, both) == (tight, both["lead_over_parts"]["tight"])
    assert strongest_part(table, tight) is None
    assert strongest_part(table, weak) is None
    table["arms"][1]["lead_over_parts"] = {}
    assert not [note for note in notes(table) if note.startswith("Leads over")]
