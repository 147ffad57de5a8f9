"""An arm of the policy relabel, as `metricloop add --relabel` writes it; and what the plan refuses."""

import pytest
import yaml
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.selection.policies import PolicyError
from metricloop.study.add_arm import AppendError
from metricloop.study.plan import PlanError, load_plan
from metricloop.study.relabel_arm import add_relabel_arm


@pytest.fixture
def folder(tmp_path):
    """A finished study of 32 images of the pool, with planted mistakes."""
    return make_study(tmp_path / "study")


def test_the_arm_its_block_and_its_scores_are_added(folder, capsys):
    before = load_plan(folder)
    assert main(["add", "object_confidence", "--relabel", "8", "-C", str(folder)]) == 0
    told = capsys.readouterr().out
    plan = load_plan(folder)
    assert plan["arms"]["relabel_8"] == {
        "role": "control", "metric": "object_confidence", "a": "data/truth.parquet",
        "b": "scores/mine-object_confidence/object_confidence.parquet",
        "policy": {"name": "relabel", "worst": 8, "direction": "higher"},
    }  # fmt: skip
    assert plan["batches"]["mine-object_confidence"] == {
        "code": "metrics/catalogue.yaml", "needs": "data/predictions.parquet", "metrics": ["object_confidence"]
    }  # fmt: skip
    assert plan["blocks"]["relabel_8.0"] == {"arm": "relabel_8", "seeds": "0-2"}
    assert {name: arm for name, arm in plan["arms"].items() if name != "relabel_8"} == before["arms"]
    assert "relabel_8:" in told
    assert f"metricloop run -C {folder} --arm relabel_8" in told


def test_a_metric_that_is_scored_already_is_not_scored_twice_and_lower_is_better_where_it_says_so(folder):
    add_relabel_arm(folder, "possible_spurious", 4)
    name, addition = add_relabel_arm(folder, "possible_spurious", 9)
    assert (name, addition["batches"]) == ("relabel_9", {})
    assert addition["arms"][name]["policy"]["direction"] == "lower"
    assert add_relabel_arm(folder, "box_fit", 9)[0] == "relabel_9_box_fit"


@pytest.mark.parametrize(
    ("metric", "worst", "source", "error", "says"),
    [
        ("object_confidense", 5, None, AppendError, "did you mean 'object_confidence'"),
        ("object_confidence", 33, None, PolicyError, "worst is 33, but the truth of 32 images is known, of 32"),
        ("object_confidence", 5, "second", AppendError, "no second labelling; name one in data.second_labels"),
    ],
)
def test_refusals_leave_the_plan_as_it_was(folder, metric, worst, source, error, says):
    before = (folder / "arms.yaml").read_text()
    with pytest.raises(error, match=says):
        add_relabel_arm(folder, metric, worst, source)
    assert (folder / "arms.yaml").read_text() == before


def test_an_arm_that_is_there_is_not_added_again(folder):
    add_relabel_arm(folder, "box_fit", 5)
    with pytest.raises(AppendError, match="has the arm relabel_5 already"):
        add_relabel_arm(folder, "box_fit", 5)


def test_where_there_is_a_second_labelling_it_is_taken(folder):
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["data"]["second_labels"] = "second.json"
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    assert add_relabel_arm(folder, "box_fit", 5)[1]["arms"]["relabel_5"]["a"] == "data/second_labels.parquet"
    assert add_relabel_arm(folder, "box_fit", 6, "planted")[1]["arms"]["relabel_6"]["a"] == "data/truth.parquet"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"role": "treatment"}, "relabel knows the true labels, so its role is control, not treatment"),
        ({"a": "data/images.parquet"}, "reads the true labels as its input a"),
        ({"policy": {"name": "relabel"}}, "worst"),
    ],
)
def test_the_plan_refuses(folder, change, says):
    add_relabel_arm(folder, "box_fit", 5)
    plan = yaml.safe_load((folder / "arms.yaml").read_text())
    plan["arms"]["relabel_5"] |= change
    (folder / "arms.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(PlanError, match=says):
        load_plan(folder)
