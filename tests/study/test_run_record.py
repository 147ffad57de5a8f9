"""One run at a time in a workspace; anybody can see how far it is, or what became of it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
from study_fixture import make_study

from metricloop import layout
from metricloop.cli.main import main
from metricloop.params import ParamsError
from metricloop.study import processes
from metricloop.study.run_record import (
    BusyError,
    check_free,
    claimed,
    current,
    describe,
    describe_stopped,
    known_seconds,
    last_run,
    left_text,
)

HOLD = """
import sys
from pathlib import Path
from metricloop.study.run_record import claimed
with claimed(Path(sys.argv[1]), "run") as run:
    run.plan(["ingest", "train@a", "compare"])
    run.begin("ingest"); run.end("ingest"); run.begin("train@a")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("record") / "study")


@pytest.fixture
def other(study):
    """Another process that works in the study: it has begun the second of three stages."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(study)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    (study / layout.RUN).unlink(missing_ok=True)


def test_a_second_command_says_who_works_here_and_how_far_it_is(study, other, capsys):
    found = last_run(study)
    assert found.alive
    since = time.strftime("%H:%M", time.localtime(found.began))
    said = f"`metricloop run`, running since {since} (process {other.pid}), stage 2 of 3: train@a"
    with pytest.raises(BusyError) as caught, claimed(study, "audit"):
        pass
    waits = "wait for it, or stop it with Ctrl-C where it runs"
    assert str(caught.value) == f"another command works in {study}: {said}; {waits}"
    for typed in (["run"], ["run", "--arm", "tightness"], ["audit", "--no-training"]):
        assert main([*typed, "-C", str(study)]) == 1
        assert said in capsys.readouterr().err
    assert main(["run", "--dry-run", "-C", str(study)]) == 0
    assert capsys.readouterr().out == f"{said}\n"


def test_what_trains_beside_a_run_or_changes_its_plan_is_refused(study, other, capsys, monkeypatch):
    started = []
    monkeypatch.setattr(processes, "call", lambda *given, **more: started.append(given))
    monkeypatch.setattr(processes, "call_model_step", lambda *given, **more: started.append(given))
    monkeypatch.setattr("metricloop.comparison.comparison_file.read_comparison", lambda folder: {})
    monkeypatch.setattr("metricloop.delivery.choose.choose", lambda *given: {"name": "random"})
    monkeypatch.setattr("metricloop.delivery.choose.refuse_old_labels", lambda *given: "")
    monkeypatch.setattr("metricloop.cli.language_model.existing_result", lambda *given: None)
    monkeypatch.setattr("metricloop.engineer.progress.next_round", lambda events: 1)
    for name in ("promote", "suggest"):
        assert main([name, "-C", str(study)]) == 1
        assert f"another command works in {study}: `metricloop run`" in capsys.readouterr().err
    assert started == []


def test_a_killed_run_is_told_and_keeps_nobody_out(study, other):
    other.kill()
    other.wait()
    found = last_run(study)
    assert not found.alive
    assert describe_stopped(found, study).endswith(
        f"was stopped after 1 of 3 stages; go on with: metricloop run -C {study}"
    )
    check_free(study)
    with claimed(study, "run") as run:
        assert last_run(study).alive
        assert run.state.pid == os.getpid()
    assert last_run(study) is None


def test_a_stopped_run_tells_the_trials_that_it_keeps(study, other):
    other.kill()
    other.wait()
    found = last_run(study)
    for name, moment in (("before", found.began - 9), ("one", found.began + 1), ("two", found.began + 2)):
        trial = study / layout.CACHE / "resume" / name / "final.pt"
        trial.parent.mkdir(parents=True)
        trial.touch()
        os.utime(trial, (moment, moment))
    assert "was stopped after 1 of 3 stages and 2 trials of the next; go on with" in describe_stopped(found, study)


def test_a_failed_run_says_why(study):
    def work():
        with claimed(study, "run") as run:
            run.plan(["ingest"])
            raise ValueError("train@a failed (exit status 1):\n  more")

    with pytest.raises(ValueError):
        work()
    found = last_run(study)
    assert not found.alive
    assert "failed: train@a failed (exit status 1): after 0 of 1 stages" in describe_stopped(found, study)
    (study / layout.RUN).unlink()


def test_a_run_that_a_person_stopped_has_not_failed(study):
    with pytest.raises(KeyboardInterrupt), claimed(study, "run"):
        raise KeyboardInterrupt
    found = replace(last_run(study), pid=2**22 + 1)  # the process has ended since
    assert not found.alive
    assert describe_stopped(found, study).startswith("`metricloop run`")
    assert "was stopped" in describe_stopped(found, study)
    assert describe_stopped(replace(found, doing="promote"), study).endswith("was stopped; to go on, type it again")
    (study / layout.RUN).unlink()


def test_another_process_with_the_number_of_the_old_one_is_not_taken_for_it(study):
    with claimed(study, "run") as run:
        state = run.state
    assert not replace(state, born="1 other").alive
    assert not replace(state, pid=2**22 + 1).alive
    (study / layout.RUN).write_text(json.dumps(asdict(state)))
    assert last_run(study) == state
    (study / layout.RUN).write_text("{half")
    assert last_run(study) is None
    (study / layout.RUN).unlink()


def test_a_run_within_a_run_is_the_same_run(study):
    with claimed(study, "run") as outer, claimed(study, "audit") as inner:
        assert inner is outer is current(study)
    assert current(study) is None


def test_a_folder_that_is_no_workspace_stays_empty(tmp_path):
    with pytest.raises(ParamsError), claimed(tmp_path, "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_stages_are_counted_once_and_again_when_they_are_planned_again(study):
    with claimed(study, "run") as run:
        run.plan(["a", "b"])
        run.begin("a")
        run.end("a")
        assert (run.state.stages, run.state.done) == (("a", "b"), ("a",))
        run.plan(["b", "c"])
        run.end("b", ran=False)
        assert (run.state.stages, run.state.done) == (("a", "b", "c"), ("a", "b"))
        run.plan(["a"])  # more seeds: compare runs again, for example
        assert (run.state.stages, run.state.done) == (("b", "c", "a"), ("b",))
    assert 0 <= known_seconds(study)["a"] < 1


@pytest.mark.parametrize("line", ["a.0 seed 1: continues at iteration 40 of 100", "a.0 seed 0: already trained"])
def test_the_time_of_a_stage_that_went_on_from_a_stopped_run_is_not_kept(study, line):
    with claimed(study, "run") as run:
        stages = processes._Stages(run)
        for one in ("Running stage 'train@a.0':", line, "Running stage 'compare':"):
            stages.read(one)
        stages.end()
        assert run.state.done == ("train@a.0", "compare")
    assert "compare" in known_seconds(study)
    assert "train@a.0" not in known_seconds(study)


def test_what_dvc_prints_moves_the_run_on(study):
    lines = ["Stage 'ingest' didn't change, skipping", "Running stage 'score@a':", "> python", "Running stage 'b':"]
    with claimed(study, "run") as run:
        processes.call(study, [sys.executable, "-c", f"print({chr(10).join(lines)!r})"], "two")
        assert run.state.done == ("ingest", "score@a", "b")
        with pytest.raises(processes.StageError):
            processes.call(study, [sys.executable, "-c", "print(\"Running stage 'c':\"); raise SystemExit(1)"], "c")
        assert run.state.now == ("c",)
        assert "c" not in run.state.done


def test_the_time_left_is_told(study):
    with claimed(study, "run") as run:
        run.left = lambda run: 754.0
        run.plan(["a"])
        assert describe(run.state, run.state.until - 754).endswith("stage 1 of 1, about 13 min left")
        assert left_text(run.state, run.state.until - 60) == "about 60 s left"
        for late in (59, 1, 0, -90):  # the tail is not counted down, and an end that has passed is no "1 s left"
            assert describe(run.state, run.state.until - late).endswith("stage 1 of 1, nearly done")
        run.begin("a")
        run.end("a")
        assert left_text(run.state, run.state.until - 754) == "nearly done"
        run.left = lambda run: None
        run.plan(["b"])
        assert left_text(run.state) == ""
