"""The stage `ingest` reads a version of the labels only where data.labels names one."""

import yaml

from metricloop.study.graph import wired
from metricloop.study.refresh import wire_labels
from metricloop.study.rendering import render_stages


def test_ingest_reads_the_version_and_writes_the_labels_before():

    plain = render_stages(drawn=True)
    assert wire_labels(plain, False) == plain
    text = wire_labels(plain, True)
    assert wire_labels(text, True) == text
    assert wire_labels(text, False) == plain
    stages = yaml.safe_load(text)["stages"]
    assert stages["ingest"]["deps"] == ["${data.source}", "${data.root}", "${data.labels}"]
    assert "data/before.parquet" in stages["ingest"]["outs"]
    assert {name: stage for name, stage in stages.items() if name != "ingest"} == {
        name: stage for name, stage in yaml.safe_load(plain)["stages"].items() if name != "ingest"
    }


def test_the_control_depends_on_ingest():

    stages = yaml.safe_load(wire_labels(render_stages(drawn=False), True))["stages"]
    arms = {"before_repair": {"a": "data/before.parquet", "b": "data/before.parquet", "policy": {}}}
    plan = {"batches": {}, "arms": arms, "blocks": {}, "screens": {}}
    params = {"data": {"source": "s", "root": "s", "labels": "labels/2.json"}}
    assert wired(stages, plan, params)["select@before_repair"] == {"ingest"}
