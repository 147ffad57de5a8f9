"""Short trials decide which arms get full ones; arms that stop are in their family of tests with p = 1."""

import pytest
from study_fixture import comparison

from metricloop.comparison.results import CompareError
from metricloop.comparison.screening import NONE, read_screening, screened
from metricloop.comparison.table_notes import notes
from metricloop.data.tables import write_json

PLAN = {
    "arms": {name: {"role": "treatment"} for name in ("low", "equal", "high", "trained", "waiting")}
    | {"random": {"role": "baseline"}},
    "screens": {name: {"arm": name, "seeds": "38-39"} for name in ("random", "low", "equal", "high")},
    "blocks": {"random.0": {"arm": "random"}, "trained.0": {"arm": "trained"}},
}


def test_an_arm_below_the_baseline_stops_and_any_other_goes_on():
    short = {"low": 0.19, "equal": 0.2, "high": 0.3, "trained": 0.1, "random": 0.2}
    found = screened(PLAN, short)
    assert found.baseline == 0.2
    assert found.passed == {"equal": 0.2, "high": 0.3}
    assert found.stopped == {"low": 0.19}  # `trained` has full trials already, and `waiting` no short ones


VARIANTS = {
    "arms": {"random": {"role": "baseline"}, "idea": {"role": "treatment"}}
    | {name: {"role": "treatment", "variant_of": "idea"} for name in ("idea_v2", "idea_v3")},
    "screens": {}, "blocks": {"random.0": {"arm": "random"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("short", "passed", "stopped"),
    [
        ({"idea": 0.3, "idea_v2": 0.31, "idea_v3": 0.29}, ["idea_v2"], ["idea", "idea_v3"]),
        ({"idea": 0.1, "idea_v2": 0.12, "idea_v3": 0.11}, ["idea_v2"], ["idea", "idea_v3"]),  # all below random's
        ({"idea": 0.3, "idea_v2": 0.3, "idea_v3": 0.3}, ["idea"], ["idea_v2", "idea_v3"]),  # the first of equals
        ({"idea": 0.3, "idea_v2": 0.31}, [], []),  # one has no short trials yet
    ],
)
def test_the_best_variant_of_an_idea_goes_on_and_the_others_stop(short, passed, stopped):
    found = screened(VARIANTS, short | {"random": 0.2})
    assert (list(found.passed), list(found.stopped)) == (passed, stopped)


def test_when_a_variant_has_full_trials_the_others_stay_stopped():
    plan = VARIANTS | {"blocks": {name: {"arm": name} for name in ("random", "idea_v2")}}
    found = screened(plan, {"random": 0.2, "idea": 0.9, "idea_v2": 0.31, "idea_v3": 0.29})
    assert (found.passed, found.stopped) == ({}, {"idea": 0.9, "idea_v3": 0.29})


def test_a_variant_that_is_left_alone_is_held_against_the_baseline():
    """The metric of the others' partner failed, so their arms are gone."""
    arms = {name: arm for name, arm in VARIANTS["arms"].items() if name not in ("idea", "idea_v3")}
    found = screened(VARIANTS | {"arms": arms}, {"random": 0.2, "idea_v2": 0.19})
    assert found.stopped == {"idea_v2": 0.19}


def test_nothing_is_decided_before_the_baseline_has_short_trials():
    assert screened(PLAN, {"low": 0.19}) == NONE


def write(folder, name, *values):
    write_json(folder / f"screening/{name}.json", {"seeds": {str(n): {"mAP": v} for n, v in enumerate(values)}})


def test_the_means_are_read_from_the_files_that_are_there(tmp_path):
    assert read_screening(PLAN, tmp_path) == NONE
    write(tmp_path, "random", 0.1, 0.2, 0.3)
    write(tmp_path, "high", 0.25, 0.35)
    found = read_screening(PLAN, tmp_path)
    assert (found.baseline, found.passed, found.stopped) == (pytest.approx(0.2), {"high": pytest.approx(0.3)}, {})


def test_two_screens_of_one_arm_count_together(tmp_path):
    plan = PLAN | {"screens": PLAN["screens"] | {"high.1": {"arm": "high", "seeds": "37"}}}
    for name, values in {"random": [0.2], "high": [0.25, 0.15], "high.1": [0.05]}.items():
        write(tmp_path, name, *values)
    assert read_screening(plan, tmp_path).stopped == {"high": pytest.approx(0.15)}


def test_a_search_split_without_objects_is_an_error(tmp_path):
    write(tmp_path, "low", None)
    with pytest.raises(CompareError, match="short trials of low have no mAP"):
        read_screening(PLAN, tmp_path)


def test_the_notes_below_the_table_say_who_stopped():
    stopped = [{"name": "dim", "mAP": 0.17, "baseline": 0.2}, {"name": "far", "mAP": 0.19, "baseline": 0.2}]
    said = notes(comparison(screened=stopped))
    assert "p is corrected for 4 metrics" in said[0]
    assert (
        "Stopped after short trials, below random's 0.200 mAP: dim (0.170 mAP) and far (0.190 mAP). They were tried, "
        "so they count in the correction of p, but cannot be called better. The mAP of short trials does not compare "
        "with that of full ones."
    ) in said
