"""What the flow decides: which arms get more seeds, which stages exist, and how params and dvc.yaml are made."""

import pytest
import yaml

from flows.improve import needs_predictions, promising
from flows.outlook import _duration, _grouped
from flows.reproduce import differences
from flows.workspace import Plan, WorkspaceError, create, render_arms, render_stages
from tasks.code import HOME
from tasks.params import check_params
from tasks.plan import load_plan
from tasks.policies import check_policy

PARAMS = check_params({"study": {"name": "x"}, "data": {"source": "y"}, "seeds": {"block": 3, "max": 9}})


def row(name, role="treatment", verdict="undecided", seeds=3, needed=6):
    return {"name": name, "role": role, "verdict": verdict, "seeds": list(range(seeds)), "seeds_needed": needed}


def plan(*names):
    return {"arms": {name: {} for name in names}}


@pytest.mark.parametrize(
    ("arms", "more"),
    [
        ([row("a")], [("random", "3-5"), ("a", "3-5")]),
        ([row("a", needed=20)], []),  # hopeless within seeds.max
        ([row("a", needed=None)], []),
        ([row("a", verdict="better")], []),
        ([row("a", seeds=9)], []),
        ([row("a", role="control")], []),
        ([row("a", seeds=8, needed=9)], [("random", "8-8"), ("a", "8-8")]),
    ],
)
def test_more_seeds_go_to_the_promising_and_to_the_baseline_with_them(arms, more):
    comparison = {"arms": [row("random", role="baseline", verdict=None), *arms]}
    assert promising(comparison, plan("random", "a"), PARAMS) == more


def test_the_baseline_is_not_trained_twice_on_the_same_seeds():
    comparison = {"arms": [row("random", role="baseline", verdict=None, seeds=6), row("a")]}
    assert promising(comparison, plan("random", "a"), PARAMS) == [("a", "3-5")]


def test_predictions_are_made_only_where_a_batch_asks_for_them():
    assert needs_predictions({"batches": {"m": {"needs": "data/predictions.parquet"}}})
    assert not needs_predictions({"batches": {"m": {"needs": "data/images.parquet"}}})


def test_the_roots_dvc_yaml_is_what_the_template_gives():
    """After an import has changed: python -m flows.workspace > dvc.yaml"""
    assert (HOME / "dvc.yaml").read_text() == render_stages(root=True, drawn=True)


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("drawn", [True, False])
def test_dvc_yaml_is_valid_yaml_with_every_stage(root, drawn):
    stages = yaml.safe_load(render_stages(root=root, drawn=drawn))["stages"]
    assert ("draw" in stages) == drawn
    assert {"ingest", "predict", "score", "select", "train", "evaluate", "compare", "confirm"} <= set(stages)
    train = stages["train"]["do"]
    assert ("tasks/train.py" in train["deps"]) == root
    assert ({"code.yaml": ["train"]} in train["params"]) == (not root)
    assert "data/boxes.parquet" not in train["deps"]  # a trial depends on its manifest, not on the rest of the pool


def test_init_refuses_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(WorkspaceError, match="not empty"):
        create(tmp_path, Plan(name="x", source="y"))


def test_differences_name_the_number():
    assert list(differences({"0": {"mAP": 0.5, "n": [1]}}, {"0": {"mAP": 0.5, "n": [1]}}, 0.0)) == []
    assert list(differences({"0": {"mAP": 0.5}}, {"0": {"mAP": 0.51}}, 0.0)) == ["0.mAP: recorded 0.5, now 0.51"]
    assert list(differences({"0": {"mAP": 0.5}}, {"0": {"mAP": 0.504}}, 0.005)) == []
    assert list(differences({"0": 1.0}, {}, 0.0)) == ["0: recorded 1.0, now None"]


def test_durations_and_groups_read_well():
    assert [_duration(s) for s in (7, 65, 3720)] == ["7 s", "1 min 5 s", "1 h 2 min"]
    assert _grouped(["ingest", "train@a", "train@b"]) == "ingest, train x2"


@pytest.mark.parametrize(
    ("plan", "controls"),
    [
        (Plan("x", "y"), set()),
        (Plan("x", "y", corrupt="article"), {"oracle"}),
        (Plan("x", "y", corrupt="article", full=True), {"oracle", "relabelled", "full", "inverse", "box_matched"}),
        (Plan("x", "y", full=True), {"full", "inverse", "box_matched"}),  # nothing to be an oracle of
    ],
)
def test_arms_yaml_holds_the_controls_that_make_sense_and_a_block_for_every_arm(tmp_path, plan, controls):
    (tmp_path / "arms.yaml").write_text(render_arms(plan))
    made = load_plan(tmp_path)
    assert {name for name, arm in made["arms"].items() if arm["role"] == "control"} == controls
    assert [block["arm"] for block in made["blocks"].values()] == list(made["arms"])
    for arm in made["arms"].values():
        check_policy(arm["policy"])
