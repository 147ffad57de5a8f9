"""Every stage, killed with -9 before each of its writes, renames and removals: run again, it writes the same bytes."""

import os
import signal
import sys

import pytest
from damaging import copy, digests
from kill_points import commands, prepare, run_stage

from metricloop.runtime.code_digest import digests as code_digests
from metricloop.study.leftovers import clear_leftovers
from metricloop.study.rendering import stage_kinds

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="forks")]
STAGES = ("draw", "ingest", "predict", "score@labels", "select@random", "select@object_count", "train@random.0",
          "evaluate@random.0", "compare", "confirm")  # fmt: skip
WRITTEN = ("data", "scores", "subsets", "models", "results", "numbers", "plots", "source", "comparison.json",
           "finalists.json", "metrics.json", "confirmation.json")  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_before_any_write_writes_the_same_bytes_when_it_runs_again(finished, tmp_path, stage):
    """METRICLOOP_FAULTS=all: at every event; else at three of them."""
    code_digests(stage_kinds())  # remembered by the children
    killed, wrong = kill_everywhere(finished, tmp_path, stage, os.environ.get("METRICLOOP_FAULTS") == "all")
    assert killed
    assert not wrong


def kill_everywhere(finished, place, stage, everywhere):
    """The number of events at which the stage was killed, and event -> what was wrong then."""
    words = commands(finished)[stage]
    folder, log = place / "whole", place / "events.txt"
    copy(finished, folder)
    prepare(folder, stage)
    assert run_stage(folder, words, log=log) == 0, (place / "output.txt").read_text()
    expected, events = digests(folder, *WRITTEN), log.read_text().splitlines()
    points = range(1, len(events) + 1)
    if not everywhere:
        points = sorted({1, (len(events) + 1) // 2, len(events)})
    wrong = {}
    for number in points:
        own = copy(finished, place / f"{number}")
        prepare(own, stage)
        status = run_stage(own, words, kill_at=number)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            wrong[number, events[number - 1]] = f"was not killed: {status}"
            continue
        prepare(own, stage)
        clear_leftovers(own)
        status = run_stage(own, words)
        left = [str(path.relative_to(own)) for path in own.rglob(".*.????????") if ".git" not in path.parts]
        differ = [name for name, value in digests(own, *WRITTEN).items() if expected.get(name) != value]
        lost = [name for name in expected if not (own / name).exists()]
        if status or left or differ or lost:
            wrong[number, events[number - 1]] = f"status {status}, left {left}, differ {differ}, lost {lost}"
    return len(points), wrong
