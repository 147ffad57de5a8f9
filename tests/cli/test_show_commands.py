"""audit, report and track as typed."""

import json
import sys

import pytest
from study_fixture import make_study
from tiny_study import dvc, make_tiny, metricloop

from metricloop.cli.main import main
from metricloop.data.tables import BOXES, TRUTH, read_table, write_table


def test_an_audit_trains_out_of_fold_models_and_measures_what_was_put_in(tmp_path):
    folder = make_tiny(tmp_path / "tiny")
    done = metricloop("audit", "-C", str(folder), "--set", "predict.iterations=2", "--most", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "predict.iterations: 3 -> 2" in done.stdout
    assert f"metricloop audit -C {folder} --set predict.iterations=4\n" in done.stdout  # two steps teach nothing
    assert "AUROC by kind of mistake" in done.stdout
    found = json.loads((folder / "audit/audit.json").read_text())
    assert found["model"]["folds"] == 2
    assert found["model"]["mAP_of_truth"] is not None
    assert {row["kind"] for row in found["measured"]} >= {"spurious", "placed", "missing", "any"}
    assert {"exclusive_agreement", "badly_located"} <= {row["metric"] for row in found["measured"]}
    assert found["seconds"]["predict"] > 0
    assert all(len(listed) <= 3 for listed in found["suspects"].values())
    again = metricloop("audit", "-C", str(folder), "--no-training", "--budget")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Images opened in the order of each metric" in again.stdout
    assert "AUROC by kind of mistake" not in again.stdout
    assert json.loads((folder / "audit/audit.json").read_text())["model"] is None  # though there are predictions


def test_without_training_labels_and_pixels_speak(tmp_path, capfd):
    folder = make_tiny(tmp_path / "tiny")
    assert main(["audit", "-C", str(folder), "--no-training"]) == 0
    told = capfd.readouterr().out
    assert "Without a model: nothing was trained" in told
    assert not (folder / "data/predictions.parquet").exists()
    found = json.loads((folder / "audit/audit.json").read_text())
    assert found["model"] is None
    assert {row["metric"] for row in found["measured"]} >= {"box_tightness", "doubled"}
    assert set(found["suspects"]) == {"placed", "doubled"}
    assert main(["audit", "-C", str(folder), "--no-training", "--json", "--most", "2", "--least", "0"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == json.loads((folder / "audit/audit.json").read_text())
    assert len(json.loads(out)["suspects"]["placed"]) == 2
    assert "score the labels" in err


def test_no_workspace_and_no_labels_are_said_in_a_line(tmp_path, capfd):
    assert main(["audit", "-C", str(tmp_path)]) == 1
    assert "this is not a workspace" in capfd.readouterr().err
    folder = make_tiny(tmp_path / "tiny")
    dvc(folder, "repro", "--single-item", "draw", "ingest")
    assert main(["audit", "-C", str(folder), "--most", "0"]) == 1
    assert "--most is 0; it must be at least 1" in capfd.readouterr().err
    assert main(["audit", "-C", str(folder), "--least", "2"]) == 1
    assert "--least is 2; it is a probability, 0 to 1" in capfd.readouterr().err


def test_a_pool_without_labels_is_refused_before_anything_is_trained(tmp_path):
    from metricloop.auditing.run import AuditError, check
    from metricloop.params import load_params

    folder = make_study(tmp_path / "study")
    params = load_params(folder / "params.yaml")
    check(folder, params)
    check(folder, params, budget=True)  # mistakes were made on purpose
    write_table(folder / "data/truth.parquet", TRUTH, {name: [] for name in TRUTH.names})
    with pytest.raises(AuditError, match="no mistake of these labels is known"):
        check(folder, params, budget=True)
    write_table(folder / "data/boxes/pool.parquet", BOXES, {name: [] for name in BOXES.names})
    assert not len(read_table(folder / "data/boxes/pool.parquet", BOXES))
    with pytest.raises(AuditError, match="none of the 32 images of the pool has a label"):
        check(folder, params)


def test_report_and_track_run_a_step_of_the_study(tmp_path, monkeypatch, capsys):
    folder = make_study(tmp_path / "study")
    called = []
    monkeypatch.setattr("metricloop.study.processes.call", lambda *given, variables: called.append((*given, variables)))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    monkeypatch.setenv("SECRET_OF_OTHERS", "no")
    monkeypatch.setattr("metricloop.tracking.track.where_to_look", lambda folder: f"look in {folder}")
    assert main(["report", "-C", str(folder)]) == 0
    assert main(["track", "-C", str(folder)]) == 0
    python = [sys.executable, "-P", "-m"]
    steps = [
        (folder, [*python, f"metricloop.tasks.steps.{name}"], f"metricloop.tasks.steps.{name}")
        for name in ("report", "track")
    ]
    assert [given[:3] for given in called] == steps
    assert called[0][3] is None
    assert called[1][3]["MLFLOW_TRACKING_URI"] == "http://localhost:5000"
    assert "SECRET_OF_OTHERS" not in called[1][3]
    assert capsys.readouterr().out == f"look in {folder}\n"
