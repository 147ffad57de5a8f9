"""The language model's, MLflow's and Prefect's servers away for a while, and memory used up in a trial, in a study."""

import os
import shutil
import signal
import sys
import threading
import time

import pytest
from personas import capable
from server import SILENCE, Server, failure
from strike import (
    Victim,
    aim,
    end_all,
    events_of,
    finals,
    no_process_left,
    processes,
    run,
    spare,
    temporary_files,
    wait_for,
)
from tiny_study import metricloop

from metricloop.data.tables import read_json
from metricloop.llm.journal import read_journal
from metricloop.study.edit_params import change_params

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
TRIALS = ("models", "results", "subsets", "scores", "data")


def ask(folder, url, **settings):
    """Set a round of a language model at this server."""
    llm = {
        "provider": "record", "base_url": url, "model": "stand-in", "max_cost": "null", "explore": 0, "suggestions": 2,
        "rounds": 1, "call_seconds": 2,
    } | settings  # fmt: skip
    change_params(folder / "params.yaml", [f"llm.{name}={value}" for name, value in llm.items()])


def alone(folder):
    """Let the arm `random` be run by itself with other settings: no other arm has results."""
    shutil.rmtree(folder / "results" / "object_count.0")


def lines_of(done):
    return [line for line in done.stderr.strip().splitlines() if line]


def test_a_language_model_that_is_away_ends_the_round_in_a_line_and_the_same_command_goes_on(tiny, walls):
    with Server(capable) as server:
        url = server.base_url
    ask(tiny, url, retries=1)  # by now nobody listens there
    before = finals(tiny, TRIALS)
    away = metricloop("run", "-C", str(tiny))
    said = away.stdout + away.stderr
    assert away.returncode == 1, said
    assert "Traceback" not in said
    assert url.removesuffix("/v1") in said
    assert "Connection refused" in said or "connection" in said.lower()
    assert finals(tiny, TRIALS) == before
    with Server(capable, port=int(url.rsplit(":", 1)[1].removesuffix("/v1"))):
        back = metricloop("run", "-C", str(tiny))
    assert back.returncode == 0, back.stdout + back.stderr
    arms = {arm["name"] for arm in read_json(tiny / "comparison.json")["arms"]}
    assert arms == {"random", "object_count", "wide_boxes", "left_boxes"}
    kinds = [event["event"] for event in read_journal(tiny / "journal.jsonl")]
    assert (kinds.count("call_failed"), kinds.count("answered")) == (1, 2)


def test_a_language_model_that_is_busy_and_then_hangs_is_asked_again(tiny, walls):
    troubles = [failure(503, "busy", {"Retry-After": "1"}), SILENCE, failure(503, "busy", {"Retry-After": "0"})]
    moments = []

    def answer(body, number):
        moments.append(time.monotonic())
        return troubles[number] if number < len(troubles) else capable(body, number)

    with Server(answer) as server:
        ask(tiny, server.base_url, retries=4)
        done = metricloop("run", "-C", str(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert moments[1] - moments[0] >= 1  # as long as it asked for
    assert moments[2] - moments[1] >= 2  # llm.call_seconds, and a pause
    events = read_journal(tiny / "journal.jsonl")
    assert [event["retries"] for event in events if event["event"] == "answered"] == [3, 0]
    assert "call_failed" not in [event["event"] for event in events]


def test_an_mlflow_that_is_away_costs_a_line_and_catches_up(tiny, tmp_path):
    change_params(tiny / "params.yaml", ["compare.bootstrap=60"])
    away = metricloop("run", "-C", str(tiny), env=os.environ | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"})
    assert away.returncode == 0, away.stdout + away.stderr
    (line,) = [line for line in away.stdout.splitlines() if "was left out" in line]
    assert "nobody answers there; catch up later: metricloop track" in line
    assert lines_of(away) == []
    there = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/other.db"}
    back = metricloop("track", "-C", str(tiny), env=there)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "0 deleted, 0 unchanged" in back.stdout  # all were made there at once
    again = metricloop("track", "-C", str(tiny), env=there)
    assert again.stdout.count("0 runs made, 0 deleted") == 2


def test_memory_used_up_in_a_trial_is_said_in_a_line_and_the_finished_trial_is_kept(tiny):
    """The first of two trials is finished, and the file of its model about to be named so, when the limit falls."""
    change_params(tiny / "params.yaml", ["train.iterations=4"])
    victim = Victim(r"tasks\.train random\.0", r"^os.rename .*/\.final\.pt\.\w+$")
    aim(tiny, {"trial": victim}, "trial", 1, "memory")
    alone(tiny)
    scratch = tiny / ".metricloop/cache/resume"
    before = set(scratch.glob("*/final.pt"))
    try:
        done = run(tiny, "run", "--arm", "random")
        said = done.stdout + done.stderr
        assert events_of(tiny, "trial")
        assert done.returncode == 1, said
        assert "Traceback" not in said
        assert "the memory is used up; end other programs, then give the same command again" in said
        assert no_process_left(tiny) == {}
        spare(tiny)
        assert len(set(scratch.glob("*/final.pt")) - before) == 1
        again = run(tiny, "run", "--arm", "random")
        assert again.returncode == 0, again.stdout + again.stderr
        assert "random.0 seed 0: already trained" in again.stdout, again.stdout
        assert temporary_files(tiny) == []
    finally:
        end_all(tiny)


def test_a_prefect_server_that_is_killed_ends_the_run_in_a_line_and_the_same_command_goes_on(tiny):
    change_params(tiny / "params.yaml", ["train.iterations=40"])
    alone(tiny)
    try:
        outcome = []
        flow = threading.Thread(
            target=lambda: outcome.append(run(tiny, "run", "--arm", "random", PREFECT_CLIENT_MAX_RETRIES="1"))
        )
        flow.start()
        wait_for(lambda: any("tasks.train" in name for name in processes(tiny).values()), 600, "nothing was trained")
        (server,) = [pid for pid, name in processes(tiny).items() if "prefect.server" in name]
        os.kill(server, signal.SIGKILL)
        flow.join(600)
        (done,) = outcome
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in done.stderr, said
        assert "Prefect's server does not answer any more" in said
        assert no_process_left(tiny) == {}
        again = run(tiny, "run", "--arm", "random")
        assert again.returncode == 0, again.stdout + again.stderr
        assert read_json(tiny / "results/random.0/recipe.json")["fields"]["iterations"] == 40
        assert temporary_files(tiny) == []
    finally:
        end_all(tiny)
