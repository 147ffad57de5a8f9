"""A disk that is full, of twenty sizes: a stage says so in a line; with more room it writes what it would have."""

import os
import subprocess

import pytest
from damaging import copy, digests
from kill_points import commands, prepare, run_stage

from metricloop.runtime.code_digest import digests as code_digests
from metricloop.study.leftovers import clear_leftovers
from metricloop.study.rendering import stage_kinds

WRITTEN = ("data", "subsets", "models", "results", "numbers", "comparison.json")
SIZES = [0, *(2**power for power in range(3, 12)), *range(300, 3000, 300), 9_000]  # KiB that are free at first
assert len(SIZES) == 20


@pytest.fixture
def disk(tmp_path):
    """A small file system in memory, and what sets its free room in KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m", "none", place]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system")

    def set_room(free):
        state = os.statvfs(place)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize // 1024
        subprocess.run(["mount", "-o", f"remount,size={max(used + free, 4)}k", place], check=True)

    yield place, set_room
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["ingest", "select@random", "train@random.0", "evaluate@random.0", "compare"])
def test_a_full_disk_is_said_in_a_line_and_nothing_finished_is_lost(finished, tmp_path, disk, stage):
    code_digests(stage_kinds())
    words, (place, set_room) = commands(finished)[stage], disk
    failed = tried(copy(finished, place / "study"), tmp_path, words, set_room, stage)
    assert failed  # with no room at all


def tried(folder, place, words, set_room, stage):
    """The free rooms at which the stage failed."""
    everywhere, failed = os.environ.get("METRICLOOP_FAULTS") == "all", []
    before = digests(folder, *WRITTEN)
    for free in SIZES if everywhere else SIZES[::7]:
        said = place / "said.txt"
        said.unlink(missing_ok=True)
        prepare(folder, stage)
        set_room(free)
        if run_stage(folder, words, said=said):
            failed.append(free)
            text = said.read_text()
            assert "Traceback" not in text, (free, text)
            assert "the disk is full" in text, (free, text)
        set_room(90_000)
        clear_leftovers(folder)
        prepare(folder, stage)
        assert run_stage(folder, words, said=said) == 0, said.read_text()
        assert digests(folder, *WRITTEN) == before, free
    return failed
