"""The stage graph as dvc.yaml declares it: what is read from what, in which order, and what is refused."""

import pytest
import yaml

from metricloop.params import Train
from metricloop.study.graph import GraphError, kinds_before, stages_of, wired
from metricloop.study.rendering import render_stages

PLAN = {
    "batches": {"labels": {"needs": "data/images.parquet"}},
    "arms": {"a": {"from": "scores/labels"}, "b": {"from": "subsets/c.parquet"}, "c": {"from": "data/images.parquet"}},
    "blocks": {},
}
STAGES = {
    "ingest": {"deps": ["${data.source}"], "outs": ["data/images.parquet", {"data/summary.json": {"cache": False}}]},
    "score": {"foreach": "${batches}", "do": {"deps": ["${item.needs}"], "outs": ["scores/${key}"]}},
    "select": {"foreach": "${arms}", "do": {"deps": ["${item.from}"], "outs": ["subsets/${key}.parquet"]}},
    "compare": {"deps": ["subsets", "data/summary.json"], "outs": ["comparison.json"]},
}


def test_a_stage_reads_from_those_whose_outputs_it_depends_on():
    graph = wired(STAGES, PLAN, {"data": {"source": "elsewhere"}})
    assert graph["ingest"] == set()
    assert graph["score@labels"] == {"ingest"}
    assert graph["select@a"] == {"score@labels"}  # a folder that an output is
    assert graph["compare"] == {"ingest", "select@a", "select@b", "select@c"}  # a folder that holds outputs


def test_paths_from_params_yaml_count():
    drawn = {"draw": {"outs": ["source"]}, **STAGES}
    assert wired(drawn, PLAN, {"data": {"source": "source"}})["ingest"] == {"draw"}
    assert wired(drawn, PLAN, {"data": {"source": "elsewhere"}})["ingest"] == set()


@pytest.mark.parametrize("path", ["./scores/labels", "scores/labels/", "scores//labels"])
def test_the_same_path_written_otherwise_is_the_same(path):
    plan = PLAN | {"arms": {"a": {"from": path}}}
    assert wired(STAGES, plan, {"data": {"source": "x"}})["select@a"] == {"score@labels"}


def test_stages_come_after_what_they_read_and_otherwise_as_they_are_written():
    assert list(wired(STAGES, PLAN, {})) == [
        "ingest", "score@labels", "select@a", "select@c", "select@b", "compare"
    ]  # fmt: skip


def test_the_kinds_before_one_are_those_of_dvc_yaml():
    graph = wired(STAGES, PLAN, {})
    assert kinds_before(graph, "select") == ["ingest", "score"]
    assert kinds_before(graph, "ingest") == []
    assert kinds_before(graph, "publish") == []


def test_a_circle_is_named():
    circle = {"one": {"deps": ["b"], "outs": ["a"]}, "two": {"deps": ["a"], "outs": ["b"]}}
    with pytest.raises(GraphError, match="one -> two -> one is a circle"):
        wired(circle, PLAN, {})


def test_the_error_for_an_unknown_section_names_the_nearest_one():
    with pytest.raises(GraphError, match=r"stage score repeats over 'batch'.*did you mean batches"):
        wired({"score": {"foreach": "${batch}", "do": {}}}, PLAN, {})


def test_a_folder_without_stages_is_no_workspace(tmp_path):
    with pytest.raises(GraphError, match="metricloop init"):
        stages_of(tmp_path, PLAN)


def test_the_workspace_of_an_earlier_version_is_refused_with_advice(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages:\n  train:\n    cmd: python -P -m tasks.train ${key}\n")
    with pytest.raises(
        GraphError,
        match=r"earlier version of metricloop.*metricloop init.*params.yaml, arms.yaml.*from metricloop import metric",
    ):
        stages_of(tmp_path, PLAN)


def test_more_iterations_of_the_trials_predict_nothing_anew():
    """predict has iterations of its own; every other setting of training makes its models too."""
    read = yaml.safe_load(render_stages(drawn=True))["stages"]["predict"]["params"]
    settings = {one for one in read if isinstance(one, str) and one.startswith("train")}
    assert settings == {f"train.{name}" for name in Train.model_fields if name != "iterations"}
