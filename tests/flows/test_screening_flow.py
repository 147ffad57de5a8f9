"""Screening in the flow: short trials come first, and only the arms that pass them are trained in full."""

import pytest
import yaml

from metricloop.comparison.screening import Screening
from metricloop.data.tables import write_json
from metricloop.engineer.drop_arms import drop_failed_arms
from metricloop.flows import improve, pipeline, screening
from metricloop.flows.decisions import full_trials
from metricloop.flows.screening import screening as run_screening
from metricloop.params import check_params
from metricloop.study.plan import load_plan
from metricloop.study.rendering import render_stages

VALUES = {"study": {"name": "s"}, "data": {"source": "y"}, "screen": {"seeds": 2}, "looks": {"arms": [3, 6]}}
PARAMS = check_params(VALUES)
ARMS = """
batches:
  labels: {code: metrics/catalogue.yaml, needs: data/images.parquet, metrics: [object_count]}
  new: {code: metrics/generated/1, needs: data/images.parquet, metrics: [bad]}
arms:
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
blocks:
  random.0: {arm: random, seeds: 0-5}
"""
ARM = {"role": "treatment", "a": "scores/labels/object_count.parquet", "b": "scores/labels/object_count.parquet"}
SHORT = {"random": 0.2, "count": 0.21, "rare": 0.19}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose stages are recorded and not run; short trials give the numbers of SHORT. `lost` fails to score."""
    rounds = {
        "arms": {name: ARM | {"policy": {"name": "best"}} for name in ("count", "rare")},
        "screens": {name: {"arm": name, "seeds": "38-39"} for name in SHORT},
    }
    rounds["arms"]["lost"] = rounds["arms"]["count"] | {"a": "scores/new/bad.parquet"}
    rounds["screens"]["lost"] = {"arm": "lost", "seeds": "38-39"}
    (tmp_path / "arms.yaml").write_text(ARMS)
    (tmp_path / "rounds.yaml").write_text(yaml.safe_dump(rounds))
    (tmp_path / "dvc.yaml").write_text(render_stages(drawn=False))
    write_json(tmp_path / "params.yaml", VALUES)
    ran: list[str] = []

    def note(folder, names, label=""):
        ran.extend(names)
        if "score@new" in names:
            write_json(folder / "scores/new/failed.json", {"bad": "MemoryError"})
        for name in (name.partition("@")[2] for name in names if name.startswith("screen@")):
            write_json(folder / f"screening/{name}.json", {"seeds": {"38": {"mAP": SHORT[name]}}})

    def chains(folder, chains, params):
        for names in chains.values():
            note(folder, names)

    def step(folder, module):
        if module == "metricloop.tasks.steps.drop_arms":
            drop_failed_arms(folder)

    stand_ins = {
        "run_stages": note,
        "side_by_side": chains,
        "step": step,
        "to_do_among": lambda folder, names: [name for name in names if name not in ran],
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(pipeline, name, stand_in)
    return tmp_path, ran


def test_arms_that_pass_get_the_blocks_of_the_first_look():
    passed = full_trials(Screening(0.2, {"a": 0.3, "b": 0.2}, {"c": 0.1}), PARAMS)
    assert passed == {"blocks": {"a.0": {"arm": "a", "seeds": "0-2"}, "b.0": {"arm": "b", "seeds": "0-2"}}}
    assert full_trials(Screening(0.2, {}, {"c": 0.1}), PARAMS) == {}
    many = check_params(VALUES | {"looks": {"arms": [7, 8]}})
    assert list(full_trials(Screening(0.2, {"a": 0.3}, {}), many)["blocks"]) == ["a.0", "a.1"]


def test_short_trials_come_before_full_ones_and_decide_who_gets_these(study):
    folder, ran = study
    improve.experiments(folder, PARAMS)
    kinds = [stage for stage in ran if stage.partition("@")[0] in ("screen", "train", "compare")]
    assert kinds == ["screen@count", "screen@random", "screen@rare", "train@random.0", "train@count.0", "compare"]
    assert ran.index("select@rare") < ran.index("screen@count")
    assert load_plan(folder)["blocks"]["count.0"] == {"arm": "count", "seeds": "0-2"}
    assert "lost" not in load_plan(folder)["screens"]  # its metric failed while the pool was scored
    assert "metricloop.tasks.screen" in (folder / "dvc.yaml").read_text()
    before = list(ran)
    improve.experiments(folder, PARAMS)
    assert ran == before


def test_one_arm_alone_is_screened_with_the_baseline(study):
    folder, ran = study
    run_screening(folder, PARAMS, {"rare", "random"})
    assert [stage for stage in ran if stage.startswith("screen@")] == ["screen@random", "screen@rare"]
    assert list(load_plan(folder)["blocks"]) == ["random.0"]


def test_a_plan_without_screens_asks_dvc_nothing(tmp_path, monkeypatch):
    (tmp_path / "arms.yaml").write_text(ARMS)
    monkeypatch.setattr(screening, "out_of_date", lambda *arguments: pytest.fail("asked"))
    run_screening(tmp_path, PARAMS)
