"""Every stage, killed with -9 before each of its writes, renames and removals: run again, it writes the same bytes."""

import os
import sys

import pytest
from broad_study import make_broad
from kill_points import in_new_process, kill_everywhere, points_of
from tiny_study import dvc

from metricloop.params import load_params
from metricloop.study.looks import record_looks
from metricloop.study.refresh import refresh_code

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="forks")]
STAGES = (
    "draw", "ingest", "second_labels", "predict", "embed", "score@labels", "score@vectors", "mend@consensus",
    "select@random", "select@object_count", "select@mended", "screen@random", "train@random.0", "evaluate@random.0",
    "compare", "confirm",
)  # fmt: skip


@pytest.fixture(scope="module")
def broad(tmp_path_factory):
    """The finished tiny study with every kind of stage, run once by DVC alone."""
    folder = make_broad(tmp_path_factory.mktemp("broad") / "study")
    refresh_code(folder)
    record_looks(folder, load_params(folder / "params.yaml"))
    dvc(folder, "repro")
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_before_any_write_writes_the_same_bytes_when_it_runs_again(broad, tmp_path, stage):
    """METRICLOOP_FAULTS=all: at every event; else at three of them."""
    everywhere = os.environ.get("METRICLOOP_FAULTS") == "all"
    killed, wrong = in_new_process(kill_everywhere, broad, tmp_path, stage, everywhere)
    assert killed
    assert not wrong


def test_the_points_are_all_events_and_every_renaming_twice():
    events = ["open a", "os.rename a", "os.mkdir b", "os.rename c", "os.remove d"]
    assert points_of(events, True) == [*((n, False) for n in range(1, 6)), (2, True), (4, True)]
    assert points_of(events, False) == [(1, False), (5, False), (4, True)]
