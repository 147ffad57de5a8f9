"""A disk that is full, of twenty sizes: a stage says so in a line; with more room it writes what it would have."""

import os
import subprocess

import pytest
from full_disk import run_on_full_disks
from kill_points import in_new_process

SIZES = [0, *(2**power for power in range(3, 12)), *range(300, 3000, 300), 9_000]  # KiB that are free at first
assert len(SIZES) == 20


@pytest.fixture
def disk(tmp_path):
    """A small file system in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m", "none", place]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["ingest", "select@random", "train@random.0", "evaluate@random.0", "compare"])
def test_a_full_disk_is_said_in_a_line_and_nothing_finished_is_lost(finished, disk, stage):
    """METRICLOOP_FAULTS=all: twenty sizes; else three of them."""
    sizes = SIZES if os.environ.get("METRICLOOP_FAULTS") == "all" else SIZES[::7]
    assert in_new_process(run_on_full_disks, finished, disk, stage, sizes)  # it failed where there was no room at all
