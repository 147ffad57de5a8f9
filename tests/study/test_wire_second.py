"""The stage `second_labels` is there where data.second_labels names a labelling, and nothing that chooses reads it."""

import pytest
import yaml

from metricloop.data.second_labels import SecondLabelsError
from metricloop.study.graph import wired
from metricloop.study.refresh import refresh_code, wire_second
from metricloop.study.rendering import render_stages

PARAMS = {"data": {"source": "s", "root": "s", "second_labels": "second.json"}}


@pytest.mark.parametrize("embeds", [True, False])
def test_the_stage_comes_and_goes(embeds):
    plain = render_stages(drawn=True, embeds=embeds)
    text = wire_second(plain, True)
    assert text == render_stages(drawn=True, embeds=embeds, second=True)
    assert wire_second(text, True) == text
    assert wire_second(text, False) == plain


def test_only_arms_that_name_it_read_it():
    stages = yaml.safe_load(render_stages(drawn=False, second=True))["stages"]
    images, second = "data/images.parquet", "data/second_labels.parquet"
    plan = {
        "batches": {"labels": {"code": "metrics/catalogue.yaml", "needs": images, "metrics": ["object_count"]}},
        "arms": {
            "random": {"a": images, "b": images, "policy": {}},
            "relabel_50": {"a": second, "b": "scores/labels/object_count.parquet", "policy": {}},
        },
        "blocks": {},
        "screens": {},
    }
    graph = wired(stages, plan, PARAMS)
    assert graph["second_labels"] == {"ingest"}
    assert {stage for stage, inputs in graph.items() if "second_labels" in inputs} == {"select@relabel_50"}


def test_a_labelling_that_is_not_there_is_refused_before_dvc_is_asked(tmp_path):
    (tmp_path / "arms.yaml").write_text("{}")
    (tmp_path / "params.yaml").write_text("study: {name: a}\ndata: {source: s, second_labels: gone.json}\n")
    (tmp_path / "dvc.yaml").write_text(render_stages(drawn=False))
    with pytest.raises(SecondLabelsError, match=r"gone\.json does not exist"):
        refresh_code(tmp_path)


def test_an_arm_that_reads_it_needs_it(tmp_path):
    arm = "{role: control, a: data/second_labels.parquet, b: s.parquet, policy: {name: relabel, worst: 1}}"
    random = "{role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}"
    (tmp_path / "arms.yaml").write_text(f"arms: {{random: {random}, relabel_1: {arm}}}\n")
    (tmp_path / "params.yaml").write_text("study: {name: a}\ndata: {source: s}\n")
    (tmp_path / "dvc.yaml").write_text(render_stages(drawn=False))
    with pytest.raises(SecondLabelsError, match=r"relabel_1 in arms.yaml read data/second_labels.parquet"):
        refresh_code(tmp_path)
