"""Every stage, killed with -9 before each of its writes, renames and removals: run again, it writes the same bytes."""

import os
import sys

import pytest
from kill_points import in_new_process, kill_everywhere

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="forks")]
STAGES = ("draw", "ingest", "predict", "score@labels", "select@random", "select@object_count", "train@random.0",
          "evaluate@random.0", "compare", "confirm")  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_before_any_write_writes_the_same_bytes_when_it_runs_again(finished, tmp_path, stage):
    """METRICLOOP_FAULTS=all: at every event; else at three of them."""
    everywhere = os.environ.get("METRICLOOP_FAULTS") == "all"
    killed, wrong = in_new_process(kill_everywhere, finished, tmp_path, stage, everywhere)
    assert killed
    assert not wrong
