"""MLflow as a view: complete, idempotent, rebuildable. Everything runs on a database in a temporary folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from study_fixture import arms, comparison, make_study, md5_of

from detection.tables import write_json
from tasks.plan import load_plan
from tasks.runs import CURVE_POINTS, arm_runs, thinned
from tasks.track import KEY, PARENT, VIEW, track

ARMS, TRIALS = 5, 15


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("tracked"))
    (folder / "report.html").write_text("<p>report</p>")
    summary = track(folder)
    assert (summary.made, summary.deleted, summary.unchanged) == (ARMS + TRIALS, 0, 0)
    return folder


def client_of(folder: Path):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("drawn")
    return client, experiment, {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_arm_run_shows_role_gain_and_subset(study: Path) -> None:
    _, _, runs = client_of(study)
    best = runs["object_count"]
    assert best.data.tags["role"] == "treatment"
    assert best.data.tags["verdict"] == "better"
    assert best.data.tags["subset_md5"] == md5_of("object_count")
    assert best.data.metrics["gain_mAP"] == pytest.approx(0.07)
    assert best.data.metrics["p_holm"] == pytest.approx(0.004)
    assert best.data.params["detector"] == "fcos_shufflenet"
    assert best.data.params["policy"] == "best"
    dataset = best.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("subsets/object_count.parquet", md5_of("object_count"))
    assert runs["random (baseline)"].data.metrics["gain_mAP"] == 0.0
    assert runs["oracle (control)"].data.tags["role"] == "control"


def test_trials_are_children_with_loss_curves(study: Path) -> None:
    client, _, runs = client_of(study)
    trial = runs["tightness seed 1"]
    assert trial.data.tags[PARENT] == runs["tightness"].info.run_id
    assert trial.data.tags["reproduce"] == "metricloop reproduce tightness.0"
    assert trial.data.metrics["images_per_s"] == 41.0
    curve = client.get_metric_history(trial.info.run_id, "loss")
    assert [point.step for point in curve] == list(range(30))
    assert curve[3].value == pytest.approx(2.0 * 0.95**3 + 0.1, abs=1e-5)
    assert trial.data.metrics["mAP"] == pytest.approx(0.242)


def test_arms_stand_in_order_when_sorted_by_time(study: Path) -> None:
    client, experiment, _ = client_of(study)
    page = client.search_runs([experiment.experiment_id], "tags.kind = 'arm'", order_by=["attributes.start_time DESC"])
    assert [run.data.tags["arm"] for run in page] == ["random", "object_count", "tightness", "oracle", "inverse"]


def test_saved_view_names_what_the_runs_have(study: Path) -> None:
    """A column that no run has would silently be missing in the UI."""
    client, experiment, runs = client_of(study)
    view = json.loads(json.loads(experiment.tags[f"mlflow.sharedViewState.{VIEW}"])["state"])
    data = runs["object_count"].data
    for column in view["selectedColumns"]:
        kind, _, name = column.partition(".")
        if kind in ("tags", "metrics", "params"):
            assert name.strip("`") in getattr(data, kind), column
    found = client.search_runs(
        [experiment.experiment_id], view["searchFilter"], order_by=[f"{view['orderByKey']} DESC"]
    )
    assert [run.data.tags["arm"] for run in found] == ["oracle", "object_count", "tightness", "random", "inverse"]


def test_report_is_an_artifact_of_the_baseline(study: Path) -> None:
    client, _, runs = client_of(study)
    assert [file.path for file in client.list_artifacts(runs["random (baseline)"].info.run_id)] == ["report.html"]


def test_again_changes_nothing(study: Path) -> None:
    before = {name: (run.info.run_id, dict(run.data.tags)) for name, run in client_of(study)[2].items()}
    summary = track(study)
    assert (summary.made, summary.deleted, summary.unchanged) == (0, 0, ARMS + TRIALS)
    assert {name: (run.info.run_id, dict(run.data.tags)) for name, run in client_of(study)[2].items()} == before


def test_changes_replace_only_what_changed(tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    track(folder)
    client, experiment, before = client_of(folder)
    entries = [entry for entry in arms() if entry["name"] != "inverse"]  # the last in order: no other arm moves
    entries[1]["gain"]["mAP"]["p_holm"] = 0.03
    write_json(folder / "comparison.json", comparison(entries))
    stray = client.create_run(experiment.experiment_id, run_name="cut short")  # no key: killed while it was written
    summary = track(folder)
    # object_count is made anew; it, inverse with three trials, and the stray go
    assert (summary.made, summary.deleted) == (1, 6)
    _, _, after = client_of(folder)
    assert stray.info.run_id not in {run.info.run_id for run in after.values()}
    assert "inverse (control)" not in after
    assert after["object_count"].data.metrics["p_holm"] == 0.03
    assert after["object_count seed 0"].info.run_id == before["object_count seed 0"].info.run_id
    assert after["object_count seed 0"].data.tags[PARENT] == after["object_count"].info.run_id
    assert after["oracle (control)"].info.run_id == before["oracle (control)"].info.run_id


def test_rebuilt_from_nothing_shows_the_same(study: Path, tmp_path: Path) -> None:
    """In another folder: MLflow keeps a deleted database of this process open."""
    folder = tmp_path / "rebuilt"
    shutil.copytree(study, folder, ignore=shutil.ignore_patterns("mlflow.db", "mlruns"))
    assert track(folder).made == ARMS + TRIALS
    shown = {run.data.tags[KEY] for run in client_of(folder)[2].values()}
    assert shown == {run.data.tags[KEY] for run in client_of(study)[2].values()}
    assert shown == {run.key for arm, trials in arm_runs(study) for run in [arm, *trials]}


def test_long_curves_are_averaged() -> None:
    steps = np.arange(1000)
    curve = thinned(steps, steps.astype(float))
    assert len(curve) == CURVE_POINTS
    assert curve[0] == (4.5, 9)  # mean of 0..9, at the last step it covers
    assert thinned(np.zeros(0), np.zeros(0)) == ()


def test_an_arm_says_where_its_metrics_code_ran(study: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study, tmp_path / "study"))
    batch = Path(load_plan(folder)["arms"]["object_count"]["a"]).parent
    write_json(folder / batch / "trust.json", {"trust": "sandbox", "tier": "full"})
    track(folder)
    _, _, runs = client_of(folder)
    tags = runs["object_count"].data.tags
    assert (tags["metric.trust"], tags["sandbox.tier"]) == ("sandbox", "full")
    assert "sandbox.tier" not in runs["random (baseline)"].data.tags
