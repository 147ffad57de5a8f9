"""Kill a stage at a chosen write, rename or removal: it runs in a forked child, whose audit hook counts them."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from damaging import copy, digests

from metricloop import layout
from metricloop.runtime.code_digest import digests as code_digests
from metricloop.study.leftovers import clear_leftovers
from metricloop.study.rendering import stage_kinds
from metricloop.study.yaml_text import read_as_dvc

EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
WRITTEN = ("data", "scores", "subsets", "models", "results", "numbers", "plots", "source", "comparison.json",
           "finalists.json", "metrics.json", "confirmation.json")  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a module returns, called in a new process that may fork."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def commands(folder: Path) -> dict[str, list[str]]:
    """Stage -> module and arguments, as dvc.lock says it last ran."""
    stages = read_as_dvc((folder / layout.LOCK).read_text())["stages"]
    return {name: shlex.split(one["cmd"].partition(" || ")[0])[3:] for name, one in stages.items()}


def outputs(folder: Path, stage: str) -> list[Path]:
    entry = read_as_dvc((folder / layout.LOCK).read_text())["stages"][stage]
    return [folder / out["path"] for out in entry["outs"]]


def prepare(folder: Path, stage: str) -> None:
    """What DVC does before it runs a stage: its outputs are removed."""
    for path in outputs(folder, stage):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)


def run_stage(
    folder: Path, words: Sequence[str], kill_at: int = 0, log: Path | None = None, said: Path | None = None
) -> int:
    """Run a stage in a child process; the status as of waitpid.

    kill_at: the number, from 1, of the event before which the child kills itself; 0: never. log: gets a line per event.
    said: where its output goes, else output.txt beside the folder.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        os.chdir(folder)
        quiet = os.open(said or folder.parent / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.argv = list(words)
        _watch(folder, kill_at, log)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(status)


def _watch(folder: Path, kill_at: int, log: Path | None) -> None:
    seen = 0
    record = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log else -1
    owner = os.getpid()

    def hook(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event != "open" and event not in EVENTS:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        name = arguments[0]
        if not isinstance(name, str | bytes | os.PathLike) or os.getpid() != owner:
            return
        path = os.path.abspath(os.fsdecode(name))
        if not path.startswith(f"{folder}/") or f"/{layout.LOCKS}/" in path:
            return
        seen += 1
        if record >= 0:
            os.write(record, f"{event} {path.removeprefix(f'{folder}/')}\n".encode())
        if seen == kill_at:
            os.kill(owner, signal.SIGKILL)

    sys.addaudithook(hook)


def kill_everywhere(finished: Path, place: Path, stage: str, everywhere: bool) -> tuple[int, dict[str, str]]:
    """The number of events at which the stage was killed, and event -> what was wrong then.

    everywhere: at every event, else at the first, the last and one between. Called in a process that has not computed
    anything: threads of torch do not survive a fork.
    """
    code_digests(stage_kinds())  # remembered by the children
    words = commands(finished)[stage]
    folder, log = place / "whole", place / "events.txt"
    copy(finished, folder)
    prepare(folder, stage)
    assert run_stage(folder, words, log=log) == 0, (place / "output.txt").read_text()
    expected, events = digests(folder, *WRITTEN), log.read_text().splitlines()
    few = {1, (len(events) + 1) // 2, len(events)}
    points = [number for number in range(1, len(events) + 1) if everywhere or number in few]
    wrong: dict[str, str] = {}
    for number in points:
        own = copy(finished, place / f"{number}")
        prepare(own, stage)
        status = run_stage(own, words, kill_at=number)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            wrong[f"{number} {events[number - 1]}"] = f"was not killed: {status}"
            continue
        prepare(own, stage)
        clear_leftovers(own)
        status = run_stage(own, words)
        left = [str(path.relative_to(own)) for path in own.rglob(".*.????????") if ".git" not in path.parts]
        differ = [name for name, value in digests(own, *WRITTEN).items() if expected.get(name) != value]
        lost = [name for name in expected if not (own / name).exists()]
        if status or left or differ or lost:
            wrong[f"{number} {events[number - 1]}"] = f"status {status}, left {left}, differ {differ}, lost {lost}"
    return len(points), wrong
