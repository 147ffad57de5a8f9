"""`metricloop takehome` with a scripted server: killed, continued, shown, replayed, and logged to MLflow."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from server import Server, completion
from tiny_study import metricloop
from tiny_takehome import TRAINING, Candidate, write_tiny

from metricloop.llm.journal import read_journal
from metricloop.llm.message import Message

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("walls")]
BROKEN = TRAINING | {"train.py": TRAINING["train.py"].replace("import bayes\n", "import bayess\n")}


def answers(candidate: Candidate):
    """The candidate as the script of a server."""

    def answer(body, number):
        texts = [(m["role"], m["content"]) for m in body["messages"]]
        plain = [Message(role, c if isinstance(c, str) else c[0]["text"]) for role, c in texts]
        reply = candidate.complete(plain, None, most_tokens=0, seconds=0)
        return completion(reply.text, usage=(reply.prompt_tokens, reply.completion_tokens))

    return answer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A take-home that was killed with -9 in the middle and continued; its folder, and the requests of the server."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("runs") / "tiny"
    write_tiny(source)
    with Server(answers(Candidate({("training", 0): BROKEN}))) as server:
        command = [
            "takehome", str(source / "ASSIGNMENT.md"), "--data", str(source / "data"), "--truth", str(source / "truth"),
            "-C", str(folder), "--provider", "record", "--model", "stub", "--base-url", server.base_url,
            "--set", "llm.prices={stub: [1, 2]}", "takehome.seconds=300",
        ]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "metricloop.cli", *command],
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 300
        while not _checked(folder, "predictions") and time.monotonic() < deadline:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        asked = len(server.requests)
        done = metricloop("takehome", "-C", str(folder))
        assert done.returncode == 0, done.stderr
        yield folder, done.stdout, asked, server.bodies


def _checked(folder: Path, piece: str) -> bool:
    events = read_journal(folder / "journal.jsonl")
    return any(event["event"] == "checked" and event["suggestion"] == piece for event in events)


def test_a_kill_costs_no_answer_twice(finished):
    folder, _, asked, bodies = finished
    answered = [e for e in read_journal(folder / "journal.jsonl") if e["event"] == "answered"]
    keys = [(e["round"], e["step"], e["suggestion"], e["attempt"]) for e in answered]
    assert len(set(keys)) == len(keys) == 8
    assert asked >= 3
    assert len(bodies) <= 9, "at most the call that was under way is made again"


def test_the_scorecard(finished):
    folder, printed, _, _ = finished
    card = json.loads((folder / "scorecard.json").read_text())
    assert (card["unaided"], card["checks"], card["repairs"], card["limit"]) == (9, 9, 1, "")
    assert {row["check"]: row["status"] for row in card["rows"]}["training"] == "after repairs"
    assert card["score"]["accuracy"] == 1.0
    assert card["reference"]["accuracy"] > 0.9
    assert card["tokens"] == 8 * 1100
    assert card["dollars"] == pytest.approx(8 * (1000 * 1 + 100 * 2) / 1e6, abs=1e-4)
    assert "after 1 repair" in printed
    assert "around 90 %" in printed


def test_it_is_shown_again(finished):
    folder, *_ = finished
    shown = metricloop("takehome", "-C", str(folder), "--show")
    assert shown.returncode == 0
    assert "9 of 9 checks" in shown.stdout
    as_json = metricloop("takehome", "-C", str(folder), "--show", "--json")
    assert json.loads(as_json.stdout) == json.loads((folder / "scorecard.json").read_text())


def test_the_files_that_are_left(finished):
    folder, *_ = finished
    assert (folder / "project" / "bayes.py").is_file()
    assert len(list((folder / "attempts").iterdir())) == 7
    text = (folder / "transcript.md").read_text()
    assert "No module named 'bayess'" in text
    assert "## training, repair 1" in text
    assert (
        "| training runs within its limits and writes a model | after 1 repair |"
        in (folder / "scorecard.md").read_text()
    )
    for name in ("metricloop-takehome-", "metricloop-run-"):
        assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"{name}*/work-*/bayes.py"))


def test_mlflow_shows_it(finished):
    from metricloop.tracking.takehome_runs import track_takehome
    from metricloop.tracking.write_run import all_runs, client_of, database_uri

    folder, *_ = finished
    summary = track_takehome(folder)
    assert (summary.made, summary.deleted, summary.unchanged) == (0, 0, 1)
    client = client_of(database_uri(folder))
    (run,) = all_runs(client, summary.experiment_id)
    assert run.data.metrics["unaided"] == 9
    assert run.data.tags["training"] == "after repairs"
    assert {"scorecard.md", "transcript.md", "application"} <= {f.path for f in client.list_artifacts(run.info.run_id)}
    traces = client.search_traces(locations=[summary.experiment_id], include_spans=False)
    assert len(traces) == 8


def test_its_recording_replays_to_the_same_scorecard(finished, tmp_path):
    folder, *_ = finished
    source, again = tmp_path / "source", tmp_path / "again"
    source.mkdir()
    write_tiny(source)
    shutil.copy(folder / "cassette.yaml", tmp_path)
    done = metricloop(
        "takehome", str(source / "ASSIGNMENT.md"), "--data", str(source / "data"), "--truth", str(source / "truth"),
        "-C", str(again), "--provider", "replay", "--cassette", str(tmp_path / "cassette.yaml"),
        "--set", "takehome.seconds=300",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lines of the prompt differ" not in done.stdout
    cards = [json.loads((place / "scorecard.json").read_text()) for place in (folder, again)]
    different = {name for name in cards[0] if cards[0][name] != cards[1][name]}
    assert different <= {"provider", "recorded", "dollars"}


def test_the_flow_goes_on_with_it_and_asks_nothing(finished):
    folder, _, _, bodies = finished
    asked, card = len(bodies), (folder / "scorecard.json").read_bytes()
    code = f"from metricloop.flows.takehome import takehome; takehome(workspace={str(folder)!r})"
    patient = os.environ | {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    done = subprocess.run([sys.executable, "-P", "-c", code], env=patient, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (len(bodies), (folder / "scorecard.json").read_bytes()) == (asked, card)


def test_failures_say_what_to_do(tmp_path):
    for words, said in [
        (["takehome"], "name an assignment"),
        (["takehome", "pandas"], "neither a file nor a worked assignment"),
        (["takehome", "-C", str(tmp_path / "none"), "--show"], "does not exist yet"),
        (["takehome", "headlines", "-C", str(tmp_path / "x"), "--set", "repairs=2"], "SECTION.KEY=VALUE"),
        (["takehome", "headlines", "-C", str(tmp_path / "x"), "--provider", "none"], "llm.provider is none"),
    ]:
        done = metricloop(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert said in done.stderr + done.stdout
