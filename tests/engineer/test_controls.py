"""A control that an idea asks for: an arm beside it that counts neither as an idea nor in any correction."""

import json
from dataclasses import replace

import pytest
from round_fixture import IDEA, Model, drawn, make_round, proposal

from metricloop.engineer.controls import control_arm, opposite
from metricloop.engineer.progress import plan_before
from metricloop.engineer.round import run_round
from metricloop.llm.journal import Journal
from metricloop.metrics.contract import Spec
from metricloop.scoring.gate import GateResult
from metricloop.selection.policies import check_policy

FRAMES = drawn(12)


def judge(source, name) -> GateResult:
    return GateResult(Spec(name, "object"), ())


def played(tmp_path, *changes, **llm):
    made, said = make_round(tmp_path, Model(proposal(*changes)), judge, FRAMES, **llm)
    return run_round(made)[0], said, made


def test_the_opposite_of_an_idea_is_a_control_and_a_family_of_its_own(tmp_path):
    policy = {"name": "among", "share": 0.6}
    addition, said, _ = played(tmp_path, {"control": "inverse", "policy": policy})
    file = "scores/round1-pool/wide.parquet"
    assert addition["arms"]["wide_ones_control"] == {
        "role": "control", "automatic": True, "metric": "wide", "a": file, "b": file,
        "policy": {"name": "among", "share": 0.6, "direction": "lower"},
    }  # fmt: skip
    assert [block["arm"] for block in addition["blocks"].values()] == ["wide_ones", "wide_ones_control"]
    assert addition["blocks"]["wide_ones_control.0"]["seeds"] == addition["blocks"]["wide_ones.0"]["seeds"]
    assert said[-1] == "round 1: wide_ones_control: a control of wide_ones, inverse; it does not count as an idea"
    kinds = [event["event"] for event in Journal(tmp_path).events]
    assert (kinds.count("proposed"), kinds.count("accepted"), kinds.count("control")) == (1, 1, 1)


def test_random_images_with_as_many_boxes_read_the_subset_of_the_idea(tmp_path):
    addition, _, _ = played(tmp_path, {"control": "match"})
    assert addition["arms"]["wide_ones_control"] == {
        "role": "control", "automatic": True, "a": "data/images.parquet", "b": "subsets/wide_ones.parquet",
        "policy": {"name": "match"},
    }  # fmt: skip


STRATA = {"policy": {"name": "strata", "by": "size"}, "partner": None}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"variants": [STRATA]}, "since it has variants"),
        (
            {"policy": {"name": "band", "low": 0.2, "high": 0.8}},
            "since the opposite of a band about the middle is that band",
        ),
    ],
)
def test_where_a_control_would_say_nothing_there_is_none_and_a_line_says_why(tmp_path, change, why):
    addition, said, _ = played(tmp_path, {"control": "inverse", **change})
    assert not [name for name in addition["arms"] if name.endswith("_control")]
    assert any(f"wide_ones: no control, {why}" in line for line in said)


def test_with_short_trials_a_control_has_full_ones_all_the_same(tmp_path):
    made, _ = make_round(tmp_path, Model(proposal({"control": "inverse"})), judge, FRAMES)
    screen = made.study.params.screen.model_copy(update={"seeds": 2})
    made.study = replace(made.study, params=made.study.params.model_copy(update={"screen": screen}))
    addition = run_round(made)[0]
    assert [block["arm"] for block in addition["blocks"].values()] == ["wide_ones_control"]
    assert [entry["arm"] for entry in addition["screens"].values()] == ["random", "wide_ones"]


def test_a_round_has_one_control(tmp_path):
    other = {"name": "second", "metric": "second", "family": "pixels", "control": "match"}
    addition, said, _ = played(tmp_path, {"control": "match"}, other)
    assert [name for name in addition["arms"] if name.endswith("_control")] == ["wide_ones_control"]
    assert said[-1] == "round 1: second: no control, since the round has one already"


def test_a_round_that_was_killed_goes_on_with_the_same_control(tmp_path):
    first, _, made = played(tmp_path, {"control": "inverse"})
    again, _ = make_round(tmp_path, Model(), judge, FRAMES)  # asks nothing
    assert run_round(again)[0] == first
    assert [event["arm"] for event in Journal(tmp_path).about("control")] == ["wide_ones_control"]
    (tmp_path / "arms.yaml").write_text(
        "arms:\n  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}\n"
    )
    (tmp_path / "rounds.yaml").write_text(json.dumps(first))
    assert list(plan_before(1, made.journal, tmp_path)["arms"]) == ["random"]


@pytest.mark.parametrize("control", ["oracle", "relabelled", "../x", {"name": "full"}])
def test_no_other_control_can_be_asked_for(tmp_path, control):
    made, said = make_round(tmp_path, Model(json.dumps({"suggestions": [IDEA | {"control": control}]})), judge, FRAMES,
                            repairs=0)  # fmt: skip
    assert run_round(made)[0]["arms"] == {}
    assert "control: Input should be 'inverse' or 'match'" in str(said)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"name": "best", "direction": "lower"}, {"name": "best", "direction": "higher"}),
        (
            {"name": "best", "combine": "product", "direction_b": "lower"},
            {"name": "best", "combine": "product", "direction": "lower", "direction_b": "higher"},
        ),
        ({"name": "best", "combine": "veto"}, {"name": "best", "combine": "veto", "direction": "lower"}),
        ({"name": "best", "objectives": "a, b -2"}, {"name": "best", "objectives": "a -1, b 2"}),
    ],
)
def test_the_opposite_of_a_policy_turns_every_direction_but_that_of_a_veto(policy, expected):
    assert opposite(policy) == expected
    check_policy(opposite(policy))
    assert opposite(opposite(policy)) in (
        policy,
        {"direction": "higher", **policy},
        policy | {"objectives": "a 1, b -2"},
    )


def test_the_control_of_several_objectives_reads_the_same_folders():
    arm = {"metric": "a", "a": "scores/x", "b": "scores", "policy": {"name": "best", "objectives": "a, b -2"}}
    assert control_arm("inverse", "idea", arm) == arm | {
        "role": "control", "automatic": True, "policy": {"name": "best", "objectives": "a -1, b 2"},
    }  # fmt: skip
