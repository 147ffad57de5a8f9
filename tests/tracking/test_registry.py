"""Promoted detectors in MLflow: registered with what they are, moved aliases, kept and rebuilt by `track`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from detector_fixture import add_promoted, picture, write_picture
from study_fixture import make_study

from metricloop.delivery.promoted import make_champion
from metricloop.delivery.torch_detector import load
from metricloop.tracking.registry import (
    OWNER,
    RegistryError,
    download,
    register,
    registered,
    uri_for,
    without_password,
)
from metricloop.tracking.track import track, where_to_look
from metricloop.tracking.write_run import KEY, client_of, database_uri
from metricloop.tracking.write_study import NOTE

BIN = Path(sys.executable).parent
TEST = {
    "images": 9,
    "trials": 6,
    "share": 0.25,
    "mAP": 0.31,
    "mAP50": 0.6,
    "mAR": 0.5,
    "gain": {"mAP": {"abs": 0.05, "rel": 0.2}},
}


@pytest.fixture
def study(tmp_path) -> Path:
    folder = make_study(tmp_path / "study")
    add_promoted(folder, test=TEST)
    return folder


def versions(folder: Path, uri: str = ""):
    client = client_of(uri or database_uri(folder))
    return client, {int(found.tags["promoted"]): found for found in registered(client, "drawn")}


def track_in_a_process(folder: Path) -> None:
    """`metricloop track` as people run it; MLflow keeps the connection to a deleted database within a process."""
    subprocess.run([sys.executable, "-P", "-m", "metricloop.tasks.steps.track"], cwd=folder, check=True)


def test_a_version_says_what_it_is(study):
    track(study)
    client, found = versions(study)
    tags = found[1].tags
    del tags[KEY]
    assert tags == {  # few, because MLflow's table of versions writes them below each other
        "promoted": "1", "arm": "object_count", "verdict": "better", "search_mAP": "0.300", "test_mAP": "0.310",
        "test_gain_mAP": "0.050",
    }  # fmt: skip
    assert (
        "(9 images) 6 other trials of the arm, trained on 25 % of the pool, had mAP 0.310 on average, +0.050"
        in found[1].description
    )
    assert client.get_registered_model("drawn").aliases == {"champion": found[1].version}
    assert "[the promoted detectors](#/models/drawn)" in client.get_experiment_by_name("drawn").tags[NOTE]
    run = client.get_run(found[1].run_id)
    assert (run.data.tags["study"], run.data.tags["anyway"], run.data.tags["subset_md5"]) == ("drawn", "no", "0" * 32)
    assert (run.data.tags["kind"], run.data.metrics["mAP"], run.data.metrics["test_mAP"]) == ("promoted", 0.3, 0.31)
    assert [output.model_id for output in run.outputs.model_outputs] == [found[1].source.removeprefix("models:/")]


def test_the_stamp_of_an_arm_that_was_not_better(study):
    add_promoted(study, seed=1, verdict="undecided", anyway=True, arm="tightness")
    track(study)
    version = versions(study)[1][2]
    assert version.tags["anyway"] == "yes, against its verdict"
    assert version.tags["verdict"] == "undecided"
    assert "PROMOTED AGAINST ITS VERDICT, which is: undecided." in version.description
    assert "(tightness, promoted AGAINST ITS VERDICT;" in where_to_look(study)


def test_the_former_champion_becomes_the_previous_one(study):
    track(study)
    add_promoted(study, seed=1)
    track(study)
    client, found = versions(study)
    aliases = client.get_registered_model("drawn").aliases
    assert aliases == {"champion": found[2].version, "previous": found[1].version}
    make_champion(study, 1)
    track(study)
    aliases = versions(study)[0].get_registered_model("drawn").aliases
    assert aliases == {"champion": found[1].version, "previous": found[2].version}


def test_again_changes_nothing(study):
    track(study)
    before = {number: (v.version, v.run_id, v.source) for number, v in versions(study)[1].items()}
    summary = track(study)
    assert (summary.made, summary.deleted) == (0, 0)
    assert {number: (v.version, v.run_id, v.source) for number, v in versions(study)[1].items()} == before


@pytest.mark.parametrize("gone", [["mlflow.db"], ["mlruns"], ["mlflow.db", "mlruns"]])
def test_what_was_deleted_is_written_again(study, gone, tmp_path):
    add_promoted(study, seed=1)
    track(study)
    for name in gone:
        shutil.rmtree(study / name) if (study / name).is_dir() else (study / name).unlink()
    track_in_a_process(study)
    seen = shutil.copy(study / "mlflow.db", tmp_path / "seen.db")  # this process still holds the deleted one
    client, found = versions(study, f"sqlite:///{seen}")
    assert sorted(found) == [1, 2]
    assert client.get_registered_model("drawn").aliases["champion"] == found[2].version
    copy = download("models:/drawn@champion", f"sqlite:///{seen}", tmp_path)
    assert (copy / "weights.pt").read_bytes() == (study / "promoted/2/weights.pt").read_bytes()


def test_the_folder_is_the_record(study):
    """A version whose folder was deleted goes, with its model and its files."""
    add_promoted(study, seed=1)
    track(study)
    shutil.rmtree(study / "promoted/2")
    summary = track(study)
    client, found = versions(study)
    assert (summary.deleted, list(found)) == (1, [1])
    assert client.get_registered_model("drawn").aliases == {"champion": found[1].version}
    models = client.search_logged_models([summary.experiment_id])
    assert [model.model_id for model in models] == [found[1].source.removeprefix("models:/")]
    assert [path.name for path in (study / "mlruns/models").iterdir()] == [models[0].model_id]


def test_models_of_other_people_stay(study):
    """In the workspace's own MLflow, too, only what metricloop has written is deleted."""
    summary = track(study)
    client = versions(study)[0]
    theirs = client.create_logged_model(summary.experiment_id, "theirs", model_type="other")
    client.create_model_version("drawn", str(study), tags={"promoted": "0"})
    track(study)
    assert sorted(versions(study)[1]) == [0, 1]
    kept = [model.model_id for model in client.search_logged_models([summary.experiment_id])]
    assert theirs.model_id in kept
    assert len(kept) == 2


def test_a_moved_workspace_writes_into_its_new_place(study, tmp_path):
    track(study)
    moved = study.rename(tmp_path / "elsewhere")
    track_in_a_process(moved)
    assert not study.exists()
    assert download("models:/drawn@champion", database_uri(moved), tmp_path / "got").is_dir()


def test_another_mlflow_gets_the_detectors_and_keeps_its_own(study, tmp_path):
    """A database that others use, too: nothing in it is deleted, and nothing is written twice."""
    other = f"sqlite:///{tmp_path}/other.db"
    client = client_of(other)
    client.create_experiment("drawn", artifact_location=(tmp_path / "files").as_uri())
    client.create_registered_model("drawn")
    theirs = client.create_model_version("drawn", str(tmp_path), tags={"promoted": "0"})
    assert register(study, other) == {1: "2"}
    assert register(study, other) == {1: "2"}
    _, found = versions(study, other)
    assert sorted(found) == [0, 1]
    assert found[0].version == theirs.version
    assert not (study / "mlflow.db").exists()


def test_a_model_of_another_workspace_is_refused(study, tmp_path):
    """Two studies of one name at one MLflow: the second changes nothing there, and is told what to do."""
    other = f"sqlite:///{tmp_path}/other.db"
    client_of(other).create_experiment("drawn", artifact_location=(tmp_path / "files").as_uri())
    add_promoted(study, seed=1)
    register(study, other)
    client, before = versions(study, other)
    aliases = client.get_registered_model("drawn").aliases
    second = make_study(tmp_path / "second")
    add_promoted(second, seed=2, made="2026-11-27T00:00:00+00:00")
    track(second)
    for tag in (True, False):  # without it, as earlier versions of metricloop left a model
        if not tag:
            client.delete_registered_model_tag("drawn", OWNER)
        with pytest.raises(RegistryError, match=r"registered model drawn in .* another workspace.*change study\.name"):
            register(second, other)
    assert client.get_registered_model("drawn").aliases == aliases
    assert list(versions(study, other)[1]) == list(before) == [1, 2]
    assert versions(second)[0].get_registered_model("drawn").aliases == {"champion": 1}
    assert register(study, other) == {1: "1", 2: "2"}
    assert client.get_registered_model("drawn").tags[OWNER]
    client_of(other).create_experiment("free", artifact_location=(tmp_path / "files2").as_uri())
    add_promoted(second, seed=3, name="free")
    assert register(second, other) == {1: "1", 2: "2"}
    assert list(versions(study, other)[1]) == [1, 2]


def test_another_mlflow_keeps_its_aliases(study, tmp_path):
    """No alias there is deleted, and `previous` is the champion that was there."""
    other = f"sqlite:///{tmp_path}/other.db"
    client = client_of(other)
    client.create_experiment("drawn", artifact_location=(tmp_path / "files").as_uri())
    client.create_registered_model("drawn")
    for alias in ("previous", "champion"):
        theirs = client.create_model_version("drawn", str(tmp_path), tags={"promoted": "0"})
        client.set_registered_model_alias("drawn", alias, theirs.version)
    for _ in range(2):
        assert register(study, other) == {1: "3"}
        assert client.get_registered_model("drawn").aliases == {"champion": 3, "previous": 2}
    add_promoted(study, seed=1)
    register(study, other)
    assert client.get_registered_model("drawn").aliases == {"champion": 4, "previous": 3}
    shutil.rmtree(study / "promoted/1")
    register(study, other)
    assert client.get_registered_model("drawn").aliases == {"champion": 4, "previous": 3}


def test_a_moved_workspace_is_still_the_owner(study, tmp_path):
    other = f"sqlite:///{tmp_path}/other.db"
    client_of(other).create_experiment("drawn", artifact_location=(tmp_path / "files").as_uri())
    for command in (["init", "-q"], ["add", "params.yaml"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=study, check=True)
    register(study, other)
    moved = study.rename(tmp_path / "moved")
    add_promoted(moved, seed=1)
    assert register(moved, other) == {1: "1", 2: "2"}


def test_the_detector_in_the_registry_is_the_promoted_one(study, tmp_path):
    track(study)
    image = picture()
    (own,) = load(study / "promoted/1", "cpu").detect([image])
    copy = download("models:/drawn/1", database_uri(study), tmp_path / "copy")
    (theirs,) = load(copy, "cpu").detect([image])
    assert np.array_equal(own.boxes, theirs.boxes)
    assert len(own.scores) > 3


def test_the_model_of_mlflow_answers_as_the_detector(study, tmp_path):
    import mlflow
    import pandas as pd

    track(study)
    model = mlflow.pyfunc.load_model(str(next((study / "mlruns/models").iterdir()) / "artifacts"))
    file = write_picture(tmp_path / "a.png", picture())
    text = base64.b64encode(file.read_bytes()).decode()
    (own,) = load(study / "promoted/1", "cpu").detect([picture()])
    (answer,) = model.predict(pd.DataFrame({"image": [text]}))
    assert np.allclose(answer["boxes"], own.boxes, atol=1e-4)
    assert answer["labels"] == [["panda", "red panda"][label] for label in own.labels]
    bar = float(own.scores[2:4].mean())
    (few,) = model.predict(pd.DataFrame({"image": [text]}), params={"score": bar})
    assert few["scores"] == answer["scores"][:3]
    assert model.metadata.get_params_schema().params[0].default == 0.05, "best_score of its facts"
    assert model.input_example["image"].tolist()
    assert "Array" in str(model.metadata.signature.outputs)


def test_a_model_that_is_not_there_is_told(study):
    track(study)
    with pytest.raises(RegistryError, match=r"models:/drawn@best cannot be had from MLflow at sqlite:"):
        download("models:/drawn@best", database_uri(study), study)


def test_which_mlflow_is_meant(study, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    track(study)
    assert uri_for(study) == database_uri(study)
    with pytest.raises(RegistryError, match="Set MLFLOW_TRACKING_URI"):
        uri_for(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    assert uri_for(tmp_path) == "http://me:secret@127.0.0.1:1"


def test_a_server_that_does_not_answer_is_told_without_its_password(study, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:9 .*nothing is trained twice") as caught:
        register(study, "http://me:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert without_password("sqlite:////a@home/b.db") == "sqlite:////a@home/b.db"
    assert without_password("https://host/a@b") == "https://b"  # nobody knows whether that is a password
    assert without_password("postgresql://me:a/b@host/runs") == "postgresql://host/runs"
    assert without_password("http://me:secret@[host") == "http://[host"


@contextmanager
def running(command: list[str], port: int, ready: str, **variables: str):
    """A server in a process group of its own, ended at the end."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | variables
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=2).read()
                break
            except OSError:
                assert process.poll() is None, process.stdout.read().decode()
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port: int, text: str) -> tuple[int, dict]:
    body = json.dumps({"dataframe_split": {"columns": ["image"], "data": [[text]]}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_a_real_server_takes_the_detector_and_mlflow_serves_it(study, tmp_path):
    """`mlflow server` on loopback, then `mlflow models serve -m models:/drawn@champion` from it."""
    port, serving = free_port(), free_port()
    stores = ["--backend-store-uri", f"sqlite:///{tmp_path}/s.db", "--artifacts-destination", str(tmp_path / "store")]
    command = [str(BIN / "mlflow"), "server", "--port", str(port), "--workers", "1", *stores]
    uri = f"http://127.0.0.1:{port}"
    serve = [str(BIN / "mlflow"), "models", "serve", "-m", "models:/drawn@champion", "--env-manager", "local"]
    serve += ["--port", str(serving)]
    with running(command, port, "/health"):
        assert register(study, uri) == {1: "1"}
        assert register(study, uri) == {1: "1"}
        copy = download("models:/drawn@champion", uri, tmp_path / "copy")
        assert (copy / "weights.pt").read_bytes() == (study / "promoted/1/weights.pt").read_bytes()
        with running(serve, serving, "/ping", MLFLOW_TRACKING_URI=uri):
            file = write_picture(tmp_path / "a.png", picture())
            status, answer = ask(serving, base64.b64encode(file.read_bytes()).decode())
            (own,) = load(study / "promoted/1", "cpu").detect([picture()])
            assert status == 200
            assert np.allclose(answer["predictions"][0]["boxes"], own.boxes, atol=1e-3)
            status, answer = ask(serving, "no picture")
            assert (status, "is not a picture file as base64" in answer["message"]) == (400, True)
