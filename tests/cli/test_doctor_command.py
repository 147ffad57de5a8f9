"""doctor as typed: this machine, a workspace, the sandbox, servers that do not answer, a language model's server."""

import http.server
import json
import socket
import threading

import pytest
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.sandbox import doctor, landlock


def told(capsys) -> dict:
    said = json.loads(capsys.readouterr().out)
    return said | {"states": {check["name"]: check["state"] for check in said["checks"]}}


@pytest.fixture(autouse=True)
def no_servers(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "OPENAI_API_KEY", "METRICLOOP_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_sound_machine(walls, capsys, tmp_path):
    assert main(["doctor", "--json", "-C", str(tmp_path)]) == 0
    said = told(capsys)
    assert (said["tier"], said["missing"]) == ("full", [])
    assert list(said["facts"]) == ["system", "Landlock", "seccomp", "runs as", "self-test", "projects"]
    assert said["facts"]["Landlock"] == f"version {landlock.abi()}"
    assert {"Python", "packages", "git", "disk", "memory", "GPU"} <= set(said["states"])
    assert "fail" not in said["states"].values()


def test_without_a_sandbox(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "missing", lambda: ["a wall"])
    assert main(["doctor", "--json", "-C", str(tmp_path)]) == 1
    said = told(capsys)
    assert (said["tier"], said["missing"], list(said["facts"])) == ("none", ["a wall"], ["system"])
    assert main(["doctor", "-C", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:-1] == [f"system      {said['facts']['system']}", "missing     a wall", "tier        none"]
    assert lines[-1].startswith("Without a sandbox")


def test_a_workspace_whose_settings_are_wrong(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "missing", lambda: ["a wall"])
    folder = make_study(tmp_path / "study")
    main(["doctor", "--json", "-C", str(folder)])
    states = told(capsys)["states"]
    assert (states["params.yaml"], states["results"], states["repository"]) == ("ok", "ok", "warn")
    (folder / "params.yaml").write_text("study: {nmae: x}\n")
    main(["doctor", "--json", "-C", str(folder)])
    (wrong,) = [check for check in told(capsys)["checks"] if check["name"] == "params.yaml"]
    assert wrong["state"] == "fail"
    assert "nmae" in wrong["found"]


def test_a_server_that_does_not_answer_is_a_warning_without_its_password(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "missing", lambda: ["a wall"])
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    main(["doctor", "-C", str(tmp_path)])
    said = capsys.readouterr().out
    assert f"warn  server      MLFLOW_TRACKING_URI: http://127.0.0.1:{port} does not answer" in said
    assert "secret" not in said


@pytest.fixture
def model_server():
    """A server that lists one model to those who have the key."""

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers["Authorization"] == "Bearer sk-right"
            body = json.dumps(
                {"object": "list", "data": [{"id": "small", "object": "model"}]} if known else {}
            ).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()


@pytest.mark.parametrize(
    ("key", "model", "sound", "words"),
    [
        ("sk-right", "small", True, "it has small"),
        ("sk-right", "large", False, "it does not list large"),
        ("sk-wrong", "small", False, "it refuses the key"),
    ],
)
def test_the_server_of_a_language_model(model_server, key, model, sound, words):
    from metricloop.llm.check_endpoint import check_endpoint

    assert check_endpoint(model_server, model, {"METRICLOOP_API_KEY": key})[0] is sound
    said = check_endpoint(model_server, model, {"METRICLOOP_API_KEY": key})[1]
    assert words in said
    assert key not in said


def test_openai_without_a_key_is_not_asked():
    from metricloop.llm.check_endpoint import check_endpoint

    sound, said, _ = check_endpoint("https://api.openai.com/v1", "any", {})
    assert not sound
    assert "needs a key and none is set" in said
