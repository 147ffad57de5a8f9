"""An arm whose generated metric failed on the pool is dropped, by every flow: it is not trained and not shown."""

import pytest

from metricloop import layout
from metricloop.data.tables import FAILED, SUBSET, write_json, write_table
from metricloop.engineer.drop_arms import drop_failed_arms
from metricloop.flows import experiment, improve, pipeline
from metricloop.llm.journal import Journal
from metricloop.params import check_params
from metricloop.study.plan import PlanError, load_plan
from metricloop.study.rendering import render_stages

PARAMS = {"study": {"name": "s"}, "data": {"source": "y"}}
ARMS = """
batches:
  labels: {code: metrics/catalogue, needs: data/images.parquet, metrics: [object_count]}
arms:
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
blocks:
  random.0: {arm: random, seeds: 0-1}
"""
ROUNDS = """
batches:
  new: {code: metrics/generated/1, needs: data/images.parquet, metrics: [bad, good]}
arms:
  lost: {role: treatment, metric: bad, a: scores/new/bad.parquet, b: scores/new/bad.parquet, policy: {name: best}}
  kept: {role: treatment, metric: good, a: scores/new/good.parquet, b: scores/new/good.parquet, policy: {name: best}}
blocks:
  lost.0: {arm: lost, seeds: 0-1}
  kept.0: {arm: kept, seeds: 0-1}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose stages are recorded and not run; when the batch `new` is scored, its metric `bad` fails."""
    (tmp_path / "arms.yaml").write_text(ARMS)
    (tmp_path / "rounds.yaml").write_text(ROUNDS)
    (tmp_path / "dvc.yaml").write_text(render_stages(drawn=False))
    write_json(tmp_path / "params.yaml", PARAMS)
    Journal(tmp_path).add("accepted", round=1, suggestion="lost", metric="bad")
    ran = []

    def run_stages(folder, names, label=""):
        ran.extend(names)
        if "score@new" in names:
            write_json(folder / "scores/new/failed.json", {"bad": "MemoryError"})

    def step(folder, module):
        if module == "metricloop.tasks.steps.drop_arms":
            drop_failed_arms(folder)

    def train(folder, blocks, params):
        ran.extend(f"train@{block}" for block in blocks)

    stand_ins = {
        "run_stages": run_stages,
        "step": step,
        "train_and_evaluate": train,
        "to_do_among": lambda folder, names: names,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(pipeline, name, stand_in)
    for name in ("hide_keys", "end_server_with_me", "refresh_code", "present"):
        monkeypatch.setattr(experiment, name, lambda *arguments: None)
    return tmp_path, ran


def test_a_study_continues_without_the_arm(study):
    folder, ran = study
    improve.experiments(folder, check_params(PARAMS))
    chain = ["ingest", "predict", "score@labels", "score@new", "select@random", "select@kept"]
    assert ran == [*chain, "train@random.0", "train@kept.0", "compare"]


def test_run_arm_drops_it_and_says_why(study):
    folder, ran = study
    for _ in range(2):  # found out now; known from before
        with pytest.raises(
            PlanError, match=r"lost was dropped, because bad failed while the pool was scored: MemoryError"
        ):
            experiment.experiment.fn(str(folder), "lost")
        assert ran == ["ingest", "score@new"]


def test_an_arm_that_can_draw_no_subset_is_not_trained_and_the_study_continues(study, monkeypatch):
    folder, ran = study
    scored = pipeline.run_stages

    def run_stages(folder, names, label=""):
        scored(folder, [name for name in names if name != "score@new"])
        if "select@lost" in names:
            empty = dict.fromkeys(SUBSET.names, ())
            write_table(folder / "subsets/lost.parquet", SUBSET, empty, {FAILED: "the policy leaves 3 of 9 images"})

    monkeypatch.setattr(pipeline, "run_stages", run_stages)
    improve.experiments(folder, check_params(PARAMS))
    chain = ["select@random", "select@lost", "select@kept", "train@random.0", "train@kept.0", "compare"]
    assert ran[ran.index("select@random") :] == chain
    with pytest.raises(PlanError, match="lost was dropped, because it has no subset: the policy leaves 3 of 9 images"):
        experiment.experiment.fn(str(folder), "lost")


def test_another_arm_of_the_same_batch_runs(study):
    folder, ran = study
    experiment.experiment.fn(str(folder), "kept")
    assert ran == ["ingest", "score@new", "select@random", "select@kept", "train@random.0", "train@kept.0", "compare"]
    assert list(load_plan(folder)["arms"]) == ["random", "kept"]


@pytest.mark.parametrize(
    ("section", "setting", "then"), [("train", "iterations", 7), ("evaluate", "max_detections", 3)]
)
def test_an_arm_that_could_not_be_compared_is_refused_before_anything_runs(study, section, setting, then):
    folder, ran = study
    params = check_params(PARAMS)
    fields = params.train.model_dump() | params.evaluate.model_dump()
    path = folder / layout.recipe_file("lost.0")
    path.parent.mkdir(parents=True)
    write_json(path, {"hash": "a", "fields": fields | {setting: then}})
    with pytest.raises(PlanError, match=rf"{section}.{setting} is \d+ now, but {then} made the results of lost"):
        experiment.experiment.fn(str(folder), "kept")
    assert ran == []
    write_json(path, {"hash": "a", "fields": fields})
    experiment.experiment.fn(str(folder), "kept")
    assert ran[-1] == "compare"


def test_the_error_for_an_unknown_arm_names_the_nearest(study):
    folder, ran = study
    with pytest.raises(PlanError, match=r"no 'kpt' among the arms.*did you mean 'kept'"):
        experiment.experiment.fn(str(folder), "kpt")
    assert ran == []


def test_a_new_kind_of_stage_runs_where_dvc_yaml_puts_it(study):
    folder, ran = study
    stages = (folder / "dvc.yaml").read_text()
    repair = (
        "  repair:\n    foreach: ${arms}\n    do:\n"
        "      deps: ['subsets/${key}.parquet']\n      outs: ['repaired/${key}']\n"
    )
    (folder / "dvc.yaml").write_text(
        stages.replace("  train:\n", f"{repair}  train:\n").replace(
            "  confirm:\n", "  summary:\n    deps: [comparison.json]\n  confirm:\n"
        )
    )
    improve.experiments(folder, check_params(PARAMS))
    assert ran.index("select@kept") < ran.index("repair@kept") < ran.index("train@random.0")
    assert ran[-2:] == ["compare", "summary"]
    assert "confirm" not in ran
