"""MLflow as a view: complete, idempotent, rebuildable. Everything runs on a database in a temporary folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from journal_fixture import RECORDED, journal, round_one, write_journal
from study_fixture import arms, comparison, headline, make_study, md5_of

from metricloop.comparison.comparison_file import OtherVersionError
from metricloop.data.tables import write_json
from metricloop.study.plan import load_plan
from metricloop.tracking.arm_runs import CURVE_POINTS, arm_runs, thinned
from metricloop.tracking.language_model_calls import calls
from metricloop.tracking.language_model_runs import round_runs
from metricloop.tracking.track import track
from metricloop.tracking.views import ROUNDS, VIEW
from metricloop.tracking.write_run import KEY
from metricloop.tracking.write_study import NOTE, PARENT

ARMS, TRIALS, ROUND_RUNS, CALLS = 5, 15, 3, 8  # the scorecard's run and two rounds


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


def test_a_study_of_another_version_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    write_json(folder / "comparison.json", {"study": "drawn", "arms": arms()})
    with pytest.raises(OtherVersionError, match="written by another version"):
        track(folder)
    assert not (folder / "mlflow.db").exists()


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
    assert best.data.metrics["gain_mAP_shrunken"] == pytest.approx(0.056)
    assert runs["random (baseline)"].data.metrics["gain_mAP"] == 0.0
    assert "gain_mAP_shrunken" not in runs["random (baseline)"].data.metrics
    assert runs["oracle (control)"].data.tags["role"] == "control"


def test_mean_gains_of_groups_are_metrics_of_the_baseline(tmp_path: Path) -> None:
    folder, (base, best, *rest) = make_study(tmp_path), arms()
    means = [headline("round 2", ["a", "b"], 0.02), headline("the model's (best)", ["a", "b"], -0.01)]
    write_json(folder / "comparison.json", comparison([base, best | {"group": "round 2"}, *rest], headlines=means))
    runs = {run.tags["arm"]: run for run, _ in arm_runs(folder)}
    shown = {name: value for name, value in runs["random"].metrics.items() if name.startswith("headline")}
    assert shown == {"headline_round_2_mAP": 0.02, "headline_the_model_s_best_mAP": -0.01}
    assert not any(name.startswith("headline") for name in runs["object_count"].metrics)
    assert (runs["object_count"].tags["group"], "group" in runs["oracle"].tags) == ("round 2", False)


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


def test_a_trial_lasted_as_long_as_its_images_took(study: Path) -> None:
    """30 iterations of 8 images at 41 images/s, in a block that ended when its table of rates was written."""
    _, _, runs = client_of(study)
    first, second, third = (runs[f"tightness seed {seed}"].info for seed in range(3))
    assert second.end_time - second.start_time == pytest.approx(1000 * 30 * 8 / 41, abs=1)
    assert (first.end_time, second.end_time) == (second.start_time, third.start_time)
    rates = study / ".metricloop/rates/tightness.0.parquet"
    assert third.end_time == pytest.approx(1000 * rates.stat().st_mtime, abs=1)
    arm = runs["tightness"].info
    assert (arm.start_time, arm.end_time) == (first.start_time, third.end_time)


def test_arms_without_clocks_stand_in_order_when_sorted_by_time(study: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study, tmp_path / "study", ignore=shutil.ignore_patterns("mlflow.db", "mlruns")))
    shutil.rmtree(folder / ".metricloop")
    track(folder)
    client, experiment, _ = client_of(folder)
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


def test_report_and_pictures_are_artifacts(study: Path) -> None:
    client, _, runs = client_of(study)
    files = {name: [file.path for file in client.list_artifacts(run.info.run_id)] for name, run in runs.items()}
    assert files["random (baseline)"] == ["report.html", "subset.jpg"]
    assert files["tightness"] == ["subset.jpg"]
    assert files["tightness seed 0"] == []
    picture = cv2.imread(client.download_artifacts(runs["tightness"].info.run_id, "subset.jpg"))
    assert picture.shape[1] > 6 * 160  # six tiles of 160 pixels in a row


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
    shutil.rmtree(folder / ".metricloop")  # the clocks: what was shown before stays
    assert (track(folder).made, track(folder).deleted) == (0, 0)


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


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose treatments were suggested by a language model."""
    folder = write_journal(make_study(tmp_path_factory.mktemp("asked")))
    assert track(folder).made == ARMS + TRIALS + ROUND_RUNS
    return folder


def traces_of(client, experiment, run=None) -> list:
    return list(client.search_traces(locations=[experiment.experiment_id], run_id=run and run.info.run_id))


def test_a_round_is_a_run_with_what_it_was_about(asked: Path) -> None:
    client, _, runs = client_of(asked)
    one = runs["round 1"]
    assert one.data.tags[PARENT] == runs["language model (scorecard)"].info.run_id
    assert one.data.params == {"model": "gpt-5-mini", "provider": "record", "template": "4f1d02"}
    assert {name: one.data.metrics[name] for name in ("proposed", "accepted", "repaired", "refused")} == {
        "proposed": 3, "accepted": 2, "repaired": 1, "refused": 1
    }  # fmt: skip
    assert one.data.metrics["cost"] == pytest.approx(0.0058)
    files = {file.path for file in client.list_artifacts(one.info.run_id)}
    assert files == {"proposal.md", "reflection.md", "gate.json", "code"}
    assert runs["round 2"].data.params["recorded"] == RECORDED


def test_every_call_is_a_trace_of_its_round(asked: Path) -> None:
    client, experiment, runs = client_of(asked)
    first = {trace.info.tags["mlflow.traceName"]: trace for trace in traces_of(client, experiment, runs["round 1"])}
    assert len(traces_of(client, experiment)) == CALLS
    assert len(traces_of(client, experiment, runs["round 1"])) == 6
    (span,) = first["round 1: repair tightness (1)"].data.spans
    assert span.span_type == "CHAT_MODEL"
    assert [message["role"] for message in span.inputs["messages"]] == ["system", "user", "assistant", "user"]
    assert json.loads(span.outputs["choices"][0]["message"]["content"])["name"] == "tightness"
    info = first["round 1: repair tightness (1)"].info
    assert info.token_usage == {"input_tokens": 400, "output_tokens": 200, "total_tokens": 600}
    assert info.cost["total_cost"] == pytest.approx(0.0006)
    assert info.execution_duration == 30_000
    lost = [t for t in traces_of(client, experiment, runs["round 1"]) if t.info.state == "ERROR"]
    assert [t.data.spans[0].status.description for t in lost] == ["timeout: no answer in 300 s"]


def test_an_unknown_price_is_not_guessed(tmp_path: Path) -> None:
    """MLflow has a price list of its own."""
    folder = make_study(tmp_path)
    events = journal()
    events[1]["cost"] = None
    write_journal(folder, events)
    track(folder)
    client, experiment, runs = client_of(folder)
    assert "cost" not in runs["round 1"].data.metrics
    (trace,) = [t for t in traces_of(client, experiment) if t.info.tags["mlflow.traceName"] == "round 1: propose"]
    assert trace.info.cost is None
    assert trace.info.tags["cost"] == "unknown"
    assert trace.info.token_usage["total_tokens"] == 3000


def test_from_a_trial_to_the_conversation(asked: Path) -> None:
    _, experiment, runs = client_of(asked)
    page = f"#/experiments/{experiment.experiment_id}/runs/{runs['round 1'].info.run_id}"
    for name in ("object_count", "object_count seed 2", "tightness"):
        tags = runs[name].data.tags
        assert (tags["round"], tags["suggestion"]) == ("1", name.split()[0])
        assert tags["conversation"] == f"{page}/traces"
        assert f"({page}/traces)" in tags[NOTE]
    assert "conversation" not in runs["random (baseline)"].data.tags
    assert "round" not in runs["oracle (control)"].data.tags


def test_views_show_arms_or_rounds(asked: Path) -> None:
    client, experiment, runs = client_of(asked)
    for view, kind, number in ((VIEW, "arm", ARMS), (ROUNDS, "round", 2)):
        state = json.loads(json.loads(experiment.tags[f"mlflow.sharedViewState.{view}"])["state"])
        found = client.search_runs([experiment.experiment_id], state["searchFilter"])
        assert [run.data.tags["kind"] for run in found] == [kind] * number
    data = runs["round 1"].data
    for column in state["selectedColumns"]:
        kind, _, name = column.partition(".")
        assert name.strip("`") in getattr(data, kind), column
    assert runs["language model (scorecard)"].info.run_id in experiment.tags[NOTE]


def test_the_scorecard_is_a_table(asked: Path) -> None:
    client, _, runs = client_of(asked)
    run = runs["language model (scorecard)"]
    (file,) = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    table = json.loads(Path(client.download_artifacts(run.info.run_id, file["path"])).read_text())
    assert table["columns"] == ["figure", "drawn"]
    assert ["never ran", "2/6 (10 to 70\u00a0%)"] in table["data"]
    assert "crowded (round 2, counting)" in run.data.tags[NOTE]


def test_again_doubles_no_trace(asked: Path) -> None:
    client, experiment, runs = client_of(asked)
    before = {trace.info.trace_id for trace in traces_of(client, experiment)}
    tags = {name: run.data.tags for name, run in runs.items()}
    summary = track(asked)
    assert (summary.made, summary.deleted) == (0, 0)
    assert {trace.info.trace_id for trace in traces_of(client, experiment)} == before
    assert {name: run.data.tags for name, run in client_of(asked)[2].items()} == tags


def test_a_round_that_went_on_replaces_its_run_and_traces_and_moves_the_links(tmp_path: Path) -> None:
    folder = write_journal(make_study(tmp_path), round_one()[:-3])  # before its reflection
    track(folder)
    client, experiment, before = client_of(folder)
    old = {trace.info.trace_id for trace in traces_of(client, experiment)}
    assert len(old) == 5
    write_journal(folder)
    summary = track(folder)
    _, _, after = client_of(folder)
    # round 1 and the scorecard are made anew, round 2 is new; no arm and no trial is
    assert (summary.made, summary.deleted) == (3, 2)
    assert after["object_count seed 0"].info.run_id == before["object_count seed 0"].info.run_id
    new = {trace.info.trace_id for trace in traces_of(client, experiment)}
    assert len(new) == CALLS
    assert not new & old
    assert after["round 1"].info.run_id != before["round 1"].info.run_id
    assert after["round 1"].info.run_id in after["object_count seed 0"].data.tags["conversation"]


def test_links_go_with_the_journal(tmp_path: Path) -> None:
    folder = write_journal(make_study(tmp_path))
    track(folder)
    (folder / "journal.jsonl").unlink()
    summary = track(folder)
    assert (summary.made, summary.deleted) == (0, ROUND_RUNS)
    client, experiment, runs = client_of(folder)
    assert traces_of(client, experiment) == []
    assert not {"round", "suggestion", "conversation", NOTE} & set(runs["object_count"].data.tags)
    assert ROUNDS not in experiment.tags[NOTE]


def test_traces_reach_their_own_database(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever server this process names to MLflow, and whatever study it tracked before. The key goes nowhere."""
    import mlflow

    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-found")
    other = write_journal(make_study(tmp_path / "other"), round_one())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/elsewhere.db")
    try:
        track(other)
    finally:
        mlflow.set_tracking_uri(None)
    client, experiment, _ = client_of(other)
    assert len(traces_of(client, experiment)) == len(calls(round_one()))
    client, experiment, _ = client_of(asked)
    assert len(traces_of(client, experiment)) == CALLS
    assert not (tmp_path / "elsewhere.db").exists()
    files = [file for file in other.rglob("*") if file.is_file()]
    assert (other / "mlflow.db") in files
    assert not [file for file in files if b"sk-not-to-be-found" in file.read_bytes()]


def test_rounds_are_the_same_whenever_they_are_rebuilt() -> None:
    assert [run.key for run in round_runs(journal())] == [run.key for run in round_runs(journal())]


def test_a_run_whose_rates_were_deleted_keeps_what_it_shows(tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    assert track(folder).made
    shutil.rmtree(folder / ".metricloop")
    again = track(folder)
    assert (again.made, again.deleted) == (0, 0)
