"""The study at another MLflow: the same runs, no doubles, nothing of others touched, and an outage costs a line."""

from __future__ import annotations

import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from study_fixture import arms, comparison, make_study

from metricloop.data.tables import write_json
from metricloop.tracking import mirror
from metricloop.tracking.mirror import is_own, mirrored
from metricloop.tracking.registry import OWNER
from metricloop.tracking.track import track
from metricloop.tracking.write_run import KEY, client_of

ARMS, TRIALS = 5, 15
LIMITS = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("mirrored"))


@pytest.fixture(autouse=True)
def plain_limits(monkeypatch):
    for name in LIMITS:
        monkeypatch.setenv(name, "5" if name.endswith("TIMEOUT") else "0")


def keys_at(uri: str, experiment: str = "drawn") -> list[str]:
    client = client_of(uri)
    return sorted(
        run.data.tags[KEY] for run in client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_the_mirror_holds_the_same_runs_and_a_second_call_doubles_none(study, tmp_path):
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    track(study)
    said = mirrored(study, uri)
    assert said == f"MLflow at {uri} (from MLFLOW_TRACKING_URI): {ARMS + TRIALS} runs made, 0 deleted, 0 unchanged"
    assert keys_at(uri) == keys_at(f"sqlite:///{study}/mlflow.db")
    assert mirrored(study, uri).endswith(f"0 runs made, 0 deleted, {ARMS + TRIALS} unchanged")
    assert len(keys_at(uri)) == ARMS + TRIALS


def test_runs_of_others_stay_and_those_of_an_arm_that_is_gone_go(tmp_path):
    folder, uri = make_study(tmp_path / "study"), f"sqlite:///{tmp_path}/elsewhere.db"
    mirrored(folder, uri)
    client = client_of(uri)
    experiment = client.get_experiment_by_name("drawn").experiment_id
    theirs = client.create_run(experiment, run_name="a colleague's").info.run_id
    write_json(folder / "comparison.json", comparison(arms()[:-1]))
    assert mirrored(folder, uri).endswith(f"0 runs made, 4 deleted, {ARMS + TRIALS - 4} unchanged")
    assert client.get_run(theirs).info.lifecycle_stage == "active"


def test_another_workspace_with_a_study_of_this_name_gets_an_experiment_of_its_own(study, tmp_path):
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    client = client_of(uri)
    client.set_experiment_tag(client.create_experiment("drawn"), OWNER, "another")
    mirrored(study, uri)
    mirrored(study, uri)
    assert keys_at(uri) == []
    (own,) = [found for found in client.search_experiments() if found.name.startswith("drawn ")]
    assert len(keys_at(uri, own.name)) == ARMS + TRIALS


def test_its_own_database_is_no_mirror(study):
    assert is_own(study, "sqlite:///mlflow.db")
    assert mirrored(study, f"sqlite:///{study}/mlflow.db") == ""
    assert mirrored(study, "") == ""
    assert not is_own(study, "sqlite:////tmp/other.db")


def test_a_server_that_is_not_there_costs_one_line(study):
    began = time.monotonic()
    said = mirrored(study, f"http://user:secret@127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 3
    place = said.split(" (")[0]
    assert said == (
        f"{place} (from MLFLOW_TRACKING_URI) was left out: nobody answers there; "
        f"catch up later: metricloop track -C {study}"
    )
    assert place.startswith("MLflow at http://127.0.0.1:")


def test_a_server_that_never_answers_costs_seconds(study, monkeypatch):
    monkeypatch.setattr(mirror, "PATIENCE", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        said = mirrored(study, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - began < 3
    assert "was left out" in said


def test_a_server_that_is_no_mlflow_costs_one_line(study):
    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = mirrored(study, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    assert "was left out" in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:secret@[127.0.0.1",
        "http://user:sec/ret@127.0.0.1:9",
        "postgresql://user:sec/ret@127.0.0.1:1/runs",
        "postgresql://user:secret@127.0.0.1:port/runs",
        "mysql+no_such_driver://user:secret@127.0.0.1:{port}/runs",
        "sqlite:///{folder}/a folder",
    ],
)
def test_an_address_that_cannot_be_opened_costs_one_line_at_once_and_its_password_is_not_told(study, tmp_path, uri):
    (tmp_path / "a folder").mkdir()
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        there.listen()
        began = time.monotonic()
        said = mirrored(study, uri.format(port=there.getsockname()[1], folder=tmp_path))
    assert time.monotonic() - began < 10  # MLflow itself tries ten times, for 100 s
    assert "was left out" in said
    assert not {"sec", "ret", "secret"} & set(re.split(r"[^a-z]+", said))


@contextmanager
def mlflow_server(folder: Path, port: int):
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{folder}/server.db",
               "--artifacts-destination", str(folder / "files")]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 180
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait()


@pytest.mark.slow
def test_an_outage_is_made_up_for_at_a_real_server(study, tmp_path):
    port = free_port()
    assert "was left out" in mirrored(study, f"http://127.0.0.1:{port}")
    with mlflow_server(tmp_path, port) as uri:
        assert mirrored(study, uri).endswith(f"{ARMS + TRIALS} runs made, 0 deleted, 0 unchanged")
        client = client_of(uri)
        experiment = client.get_experiment_by_name("drawn")
        names = {run.info.run_name: run.info.run_id for run in client.search_runs([experiment.experiment_id])}
        assert [file.path for file in client.list_artifacts(names["tightness"])] == ["subset.jpg"]
    assert "was left out" in mirrored(study, uri)
    with mlflow_server(tmp_path, port) as uri:
        assert mirrored(study, uri).endswith(f"0 runs made, 0 deleted, {ARMS + TRIALS} unchanged")
