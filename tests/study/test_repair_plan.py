"""Repairs in a workspace: the plan, the stage in dvc.yaml, and what DVC would run."""

import pyarrow as pa
import pytest
import yaml

from metricloop.data.edits import EDITS, edit_columns
from metricloop.data.tables import write_table
from metricloop.engineer.drop_arms import read_failures
from metricloop.layout import edits_file
from metricloop.mending.failed_edits import failed_edits
from metricloop.params import load_params
from metricloop.study.check_plan import faults
from metricloop.study.graph import wired
from metricloop.study.new_study import demo_plan, params_text, render_arms
from metricloop.study.plan import PlanError, load_plan
from metricloop.study.refresh import wire_repairs
from metricloop.study.rendering import render_stages
from metricloop.study.repair_arm import AppendError, catalogue_repair_arm
from metricloop.study.stage_list import list_stages

REPAIRS = {"consensus": {"code": "metrics/catalogue.yaml", "needs": "data/predictions.parquet"}}
ARM = {
    "role": "treatment",
    "a": "data/images.parquet",
    "b": "edits/consensus.parquet",
    "policy": {"name": "random", "mend": {"repair": "consensus", "least_confidence": 0.7, "when": "after"}},
}


@pytest.fixture
def folder(tmp_path):
    study = demo_plan("demo", full=True)
    (tmp_path / "params.yaml").write_text(params_text(study))
    (tmp_path / "arms.yaml").write_text(render_arms(study))
    return tmp_path


def with_mending(folder, repairs=REPAIRS, arm=ARM):
    plan = yaml.safe_load((folder / "arms.yaml").read_text())
    plan["repairs"], plan["arms"]["mended"] = repairs, arm
    (folder / "arms.yaml").write_text(yaml.safe_dump(plan))
    return load_plan(folder)


def told(folder, **given):
    plan = with_mending(folder, **given)
    return list(faults(folder, load_params(folder / "params.yaml"), plan))


def test_a_sound_entry(folder):
    assert told(folder) == []


@pytest.mark.parametrize(
    ("repairs", "arm", "said"),
    [
        (
            {"consensu": REPAIRS["consensus"]},
            {"b": "edits/consensu.parquet"},
            "no repair 'consensu' in the catalogue; did",
        ),
        ({"consensus": {"code": "mine.py", "needs": "data/images.parquet"}}, {}, "mine.py does not exist"),
        ({"consensus": REPAIRS["consensus"] | {"needs": "data/images.parquet"}}, {}, "needs data/predictions.parquet"),
        (REPAIRS, {"b": "edits/consensos.parquet"}, "nothing writes its b, 'edits/consensos.parquet'; did you mean"),
        (REPAIRS, {"b": "data/images.parquet"}, "reads the edits of the repair as b"),
    ],
)
def test_faults_of_repairs_are_told(folder, repairs, arm, said):
    assert said in "\n".join(told(folder, repairs=repairs, arm=ARM | arm))


def test_keys_that_a_repair_does_not_have(folder):
    with pytest.raises(PlanError, match=r"repairs\.consensus has unknown keys 'metrics'; known: code, needs"):
        with_mending(folder, repairs={"consensus": REPAIRS["consensus"] | {"metrics": []}})


def test_the_stage_comes_and_goes():
    without, with_stage = render_stages(drawn=True), render_stages(drawn=True, mends=True)
    assert wire_repairs(without, True) == with_stage
    assert wire_repairs(with_stage, False) == without
    assert wire_repairs(without, False) == without


def test_what_dvc_runs(folder):
    plan, content = with_mending(folder), yaml.safe_load(render_stages(drawn=True, mends=True))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    stages = list_stages(content, plan, params)
    mend = stages["mend@consensus"]
    assert (
        "metricloop.tasks.mend consensus --code metrics/catalogue.yaml --needs data/predictions.parquet" in mend.command
    )
    assert {"metrics/catalogue.yaml", "data/boxes/pool.parquet", "data/predictions.parquet"} <= set(mend.reads)
    assert ("code.yaml", "mend") in mend.settings
    for option in ("--mend.repair consensus", "--mend.least_confidence 0.7", "--mend.when after"):
        assert option in stages["select@mended"].command
    graph = wired(content["stages"], plan, params)
    assert "mend@consensus" in graph["select@mended"]
    assert not any("mend@consensus" in graph[stage] for stage in graph if stage.startswith("evaluate"))


def test_the_arm_of_a_repair(folder):
    params, plan = load_params(folder / "params.yaml"), load_plan(folder)
    arm, entries = catalogue_repair_arm(params, plan, "consensus")
    assert (arm, entries["repairs"]) == ("consensus", REPAIRS)
    assert entries["arms"][arm] == ARM | {
        "policy": {"name": "random", "mend": {"repair": "consensus", "least_confidence": 0.6}}
    }
    there = {**plan, "arms": plan["arms"] | entries["arms"], "repairs": REPAIRS}
    with pytest.raises(AppendError, match="the arm consensus is this already"):
        catalogue_repair_arm(params, there, "consensus")
    assert "repairs" not in catalogue_repair_arm(params, {**plan, "repairs": REPAIRS}, "consensus")[1]


def test_a_generated_repair_that_failed_drops_its_arms(tmp_path):
    for name, said in (("sound", ""), ("lost", "MendError: failed on 9 of 20")):
        write_table(tmp_path / edits_file(name), EDITS, {key: [] for key in EDITS.names}, {"failed": said})
    assert failed_edits(tmp_path) == {"edits/lost.parquet": "MendError: failed on 9 of 20"}
    assert read_failures(tmp_path) == failed_edits(tmp_path)
    assert pa.table(edit_columns(None, {}, {}), EDITS).num_rows == 0
