"""A stage that fails leaves what was there, byte for byte; one that succeeds leaves what it has written."""

import os
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

from metricloop.study import kept_outputs
from metricloop.study.dvc_commands import run_stages
from metricloop.study.kept_outputs import keep, settle, settle_all, settle_killed
from metricloop.study.processes import StageError

STAGES = """
stages:
  make:
    cmd: sh make.sh
    deps: [make.sh]
    outs: [made, one.txt, small.json: {cache: false}]
  after:
    cmd: cp one.txt after.txt
    deps: [one.txt]
    outs: [after.txt]
"""
GOOD = "mkdir -p made/inner; echo 1 > made/inner/a; echo 2 > made/b; echo 3 > one.txt; echo '{}' > small.json"


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).as_posix().startswith((".dvc", ".metricloop", "dvc.lock"))
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "ws"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=folder, check=True)
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "make.sh").write_text(GOOD)
    run_stages(folder, ["make", "after"], "both")
    return folder


@pytest.fixture
def ws(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ws")
    return tmp_path / "ws"


def test_a_stage_that_fails_leaves_what_was_there(ws):
    (ws / "make.sh").write_text("mkdir made; echo half > made/b; echo half > one.txt; exit 1")
    before = content(ws)
    assert {"made/inner/a", "made/b", "one.txt", "small.json", "after.txt"} < set(before)
    with pytest.raises(StageError):
        run_stages(ws, ["make", "after"], "both")
    assert content(ws) == before
    assert list((ws / ".metricloop/kept").iterdir()) == []
    (ws / "make.sh").write_text(GOOD.replace("echo 3", "echo 4"))
    run_stages(ws, ["make", "after"], "both")
    assert ((ws / "one.txt").read_text(), (ws / "after.txt").read_text()) == ("4\n", "4\n")


def test_a_stage_that_has_succeeded_before_another_fails_keeps_what_it_wrote(ws):
    (ws / "make.sh").write_text(GOOD.replace("echo 3", "echo 5"))
    stages = yaml.safe_load((ws / "dvc.yaml").read_text())
    stages["stages"]["after"]["cmd"] = "false"
    (ws / "dvc.yaml").write_text(yaml.safe_dump(stages))
    with pytest.raises(StageError):
        run_stages(ws, ["make", "after"], "both")
    assert (ws / "one.txt").read_text() == "5\n"
    assert (ws / "after.txt").read_text() == "3\n"


def test_what_was_killed_is_put_back_by_the_next_run(ws):
    before = content(ws)
    keep(ws, ["make"])
    shutil.rmtree(ws / "made")  # as DVC does, before it is killed
    (ws / "one.txt").unlink()
    (ws / "one.txt").write_text("half")
    kept_outputs._running.clear()  # the process is gone
    assert settle_killed(ws) == ["make"]
    assert content(ws) == before
    assert settle_killed(ws) == []


def test_ctrl_c_puts_back_at_once(ws):
    before = content(ws)
    keep(ws, ["make"])
    shutil.rmtree(ws / "made")
    settle_all()
    assert content(ws) == before


def test_ctrl_c_and_the_threads_of_the_stages_put_back_once(ws):
    """As when a run is stopped: the clock of Ctrl-C settles all stages, while each thread settles its own."""
    before = content(ws)
    for _ in range(20):
        keep(ws, ["make", "after"])
        shutil.rmtree(ws / "made")
        (ws / "after.txt").unlink()
        together, lost, faults = threading.Barrier(4), [], []

        def work(task, together=together, lost=lost, faults=faults):
            together.wait()
            try:
                lost.extend(task() or [])
            except BaseException as error:
                faults.append(error)

        tasks = [settle_all, settle_all, lambda: settle(ws, ["make"]), lambda: settle(ws, ["after"])]
        threads = [threading.Thread(target=work, args=[task]) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        assert len(lost) == len(set(lost))
        assert content(ws) == before
        assert list((ws / ".metricloop/kept").iterdir()) == []
        assert kept_outputs._running == []


def test_files_that_only_one_side_has_are_noticed(ws):
    before = content(ws)
    keep(ws, ["make"])
    (ws / "made/new").write_text("left by a stage that failed")
    assert settle(ws, ["make"]) == ["make"]
    assert content(ws) == before


def test_where_there_are_no_hard_links_files_are_copied(ws, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *given, **more: (_ for _ in ()).throw(OSError("no links here")))
    before = content(ws)
    keep(ws, ["make"])
    (ws / "made/b").write_text("written in place")
    assert settle(ws, ["make"]) == ["make"]
    assert content(ws) == before


def test_a_stage_that_never_ran_has_nothing_to_keep(ws):
    (ws / "dvc.lock").unlink()
    keep(ws, ["make"])
    assert not (ws / ".metricloop/kept").exists()
    assert settle(ws, ["make"]) == []
