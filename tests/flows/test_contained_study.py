"""Metrics that nobody has read, in a whole study: with a sandbox, without one, trusted, and --unsafe-in-process."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date

import pytest
from personas import LEFT, WIDTH, idea, proposal
from tiny_study import metricloop

from metricloop.data.tables import read_json, read_yaml
from metricloop.llm.cassette import Cassette, RecordedCall, save_cassette
from metricloop.llm.journal import read_journal
from metricloop.llm.prompt import template_hash
from metricloop.study.edit_params import change_params

REPLAY = ("--set", "llm.provider=replay", "llm.cassette=recording.yaml", "llm.rounds=1")
MINE = """
from metricloop.metrics.contract import metric

@metric(level="image")
def area(frame):
    return frame.width * frame.height + frame.image_id
"""


def record(folder) -> None:
    """A recording of one round with two ideas, and no reflection."""
    answer = proposal(idea("wide_boxes", "width", WIDTH, "geometry"), idea("left_boxes", "left", LEFT, "coverage"))
    call = RecordedCall(
        round=1, step="propose", template=template_hash("propose"), prompt="", answer=answer, finish="stop",
        rung="schema", prompt_tokens=1, completion_tokens=1, seconds=1.0,
    )  # fmt: skip
    save_cassette(Cassette(model="stand-in", recorded=date(2026, 1, 2), calls=(call,)), folder / "recording.yaml")


def without_walls(folder) -> dict:
    """An environment in which libseccomp is not found, as on a machine without it."""
    fake = folder.parent / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "pyseccomp.py").write_text('raise RuntimeError("Unable to find libseccomp")\n')
    return os.environ | {"PYTHONPATH": str(fake)}


def add_own(folder) -> None:
    (folder / "mine.py").write_text(MINE)
    (folder / "rounds.yaml").write_text(
        "batches:\n  mine: {code: mine.py, needs: data/images.parquet, metrics: [area]}\n"
        "arms:\n  large: {role: treatment, metric: area, a: scores/mine/area.parquet, b: scores/mine/area.parquet,\n"
        "    policy: {name: best, direction: higher}}\n"
        'blocks:\n  large.0: {arm: large, seeds: "0-1"}\n'
    )


def test_replayed_code_runs_in_the_sandbox_and_the_study_says_so(tiny, walls):
    record(tiny)
    done = metricloop("run", "-C", str(tiny), *REPLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {arm["name"] for arm in read_json(tiny / "comparison.json")["arms"]}
    assert {"wide_boxes", "left_boxes"} <= names
    assert (
        "of the prompt differ from what the model was told on 2026-01-02; the answers are from that day" in done.stdout
    )
    assert "round 1: no reflection: the recording of 2026-01-02 has no answer to round 1, reflect" in done.stdout
    kept = subprocess.run(["git", "ls-files", "metrics"], cwd=tiny, capture_output=True, text=True, check=True).stdout
    assert "metrics/generated/1/width.py" in kept
    assert read_json(tiny / "scores/round1-pool/trust.json") == {"trust": "sandbox", "tier": "full"}
    events = [event["event"] for event in read_journal(tiny / "journal.jsonl")]
    assert events.count("accepted") == events.count("measured") == 2
    with closing(sqlite3.connect(tiny / "mlflow.db")) as database:
        tags = dict(database.execute("SELECT value, key FROM tags WHERE key IN ('sandbox.tier', 'metric.trust')"))
    assert tags == {"full": "sandbox.tier", "sandbox": "metric.trust", "catalogue": "metric.trust"}


def test_without_a_sandbox_a_round_is_skipped_with_one_line(tiny):
    record(tiny)
    change_params(tiny / "params.yaml", list(REPLAY[1:]))
    step = [sys.executable, "-P", "-m", "metricloop.tasks.steps.suggest", "1"]
    done = subprocess.run(step, cwd=tiny, env=without_walls(tiny), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = "round 1: left out, because its metrics are unread code and there is no sandbox here: seccomp"
    assert done.stdout.startswith(said)
    assert done.stdout.count("\n") == 1
    assert not (tiny / "journal.jsonl").exists()


@pytest.mark.slow
def test_without_a_sandbox_replayed_arms_are_skipped_and_a_trusted_file_runs(tiny):
    add_own(tiny)
    record(tiny)
    env = without_walls(tiny)
    refused = metricloop("run", "-C", str(tiny), env=env)
    assert refused.returncode == 1
    assert "mine.py must run in the sandbox" in refused.stderr
    assert "If you have read it: metricloop run --trust mine.py" in refused.stderr
    done = metricloop("run", "-C", str(tiny), "--trust", str(tiny / "mine.py"), *REPLAY, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trusted as it is now: mine.py" in done.stdout
    assert read_json(tiny / "scores/mine/trust.json") == {"trust": "trusted", "tier": None}
    assert "unsafe" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "left out" in line]
    assert "round 1: left out, because its metrics are unread code and there is no sandbox here: seccomp" in line
    assert list(read_yaml(tiny / "rounds.yaml")["arms"]) == ["large"]
    assert not (tiny / "journal.jsonl").exists()


@pytest.mark.slow
def test_the_unsafe_option_warns_and_marks_every_result(tiny):
    add_own(tiny)
    done = metricloop("run", "-C", str(tiny), "--arm", "large", "--unsafe-in-process", env=without_walls(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING: metrics that nobody has read will run without the sandbox" in done.stderr
    marked = [arm["name"] for arm in read_json(tiny / "comparison.json")["arms"] if arm["unsafe_in_process"]]
    assert marked == ["large"]
    assert "(unsafe)" in done.stdout
    assert "Scored by unread code without the sandbox (--unsafe-in-process): large." in done.stdout
    assert "without the sandbox" in (tiny / "report.html").read_text()


def test_doctor_lists_what_is_present_and_what_is_missing(tiny, walls):
    sound = metricloop("doctor")
    assert sound.returncode == 0, sound.stdout
    assert "every wall held" in sound.stdout
    assert sound.stdout.rstrip().endswith("full")
    lacking = metricloop("doctor", env=without_walls(tiny))
    assert lacking.returncode == 1
    assert "missing     seccomp: Unable to find libseccomp; install libseccomp2" in lacking.stdout
    assert "tier        none" in lacking.stdout
