"""Run a stage on a file system of a chosen size."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from damaging import copy, digests
from kill_points import commands, preload, prepare, run_stage

from metricloop.runtime.code_digest import digests as code_digests
from metricloop.study.leftovers import clear_leftovers
from metricloop.study.rendering import stage_kinds

WRITTEN = ("data", "subsets", "models", "results", "numbers", "comparison.json")


def set_room(disk: Path, free: int) -> None:
    """Let so many KiB be free on the file system in memory that is mounted at `disk`."""
    state = os.statvfs(disk)
    used = (state.f_blocks - state.f_bfree) * state.f_frsize // 1024
    subprocess.run(["mount", "-o", f"remount,size={max(used + free, 4)}k", disk], check=True)


def run_on_full_disks(finished: Path, disk: Path, stage: str, rooms: Sequence[int]) -> list[int]:
    """The free rooms, in KiB, at which the stage failed. Errors: AssertionError where it does so in any other way than
    by one line that says so, or does not write the same bytes when there is room again.
    """
    code_digests(stage_kinds())
    words, folder, said = commands(finished)[stage], copy(finished, disk / "study"), disk.parent / "said.txt"
    loaded = disk.parent / "modules.txt"
    prepare(folder, stage)
    assert run_stage(folder, words, said=said, loaded=loaded) == 0, said.read_text()
    preload(loaded)
    before, failed = digests(folder, *WRITTEN), []
    for free in rooms:
        said.unlink(missing_ok=True)
        prepare(folder, stage)
        set_room(disk, free)
        if run_stage(folder, words, said=said):
            failed.append(free)
            text = said.read_text()
            assert "Traceback" not in text, (free, text)
            assert "the disk is full" in text, (free, text)
        set_room(disk, 90_000)
        clear_leftovers(folder)
        prepare(folder, stage)
        assert run_stage(folder, words, said=said) == 0, said.read_text()
        assert digests(folder, *WRITTEN) == before, free
    return failed
