"""Kill a stage at a chosen write, rename or removal: it runs in a forked child, whose audit hook counts them.

Libraries written in C++ open files unseen by the hook. They write to temporary files that Python renames afterwards, so
at every renaming the stage is killed twice: with the file whole, and with its first half only.
"""

from __future__ import annotations

import importlib
import os
import runpy
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
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
WRITTEN = ("data", "scores", "subsets", "models", "results", "numbers", "plots", "source", "edits",
           "screening", "comparison.json", "finalists.json", "metrics.json", "confirmation.json")  # fmt: skip
NOT_NEEDED = (".git", "files", "mlruns", "mlflow.db", "report.html")  # by a stage; files: of .dvc/cache
LOG = "METRICLOOP_FAULTS_LOG"  # environment variable: a file that gets a line for every point
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
    folder: Path, words: Sequence[str], kill_at: int = 0, cut: bool = False, log: Path | None = None,
    said: Path | None = None, loaded: Path | None = None,
) -> int:  # fmt: skip
    """Run a stage in a child process; the status as of waitpid.

    kill_at: the number, from 1, of the event before which the child kills itself; 0: never. cut: the file of this event
    loses its second half first. log: gets a line per event. said: where its output goes, else output.txt beside the
    folder. loaded: gets the names of the modules that the stage has imported.
    """
    sys.modules.pop(words[0], None)
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
        _watch(folder, kill_at, cut, log)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        if loaded:
            loaded.write_text("\n".join(sys.modules))
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(status)


def _watch(folder: Path, kill_at: int, cut: bool, log: Path | None) -> None:
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
            if cut:
                os.truncate(path, os.stat(path).st_size // 2)
            os.kill(owner, signal.SIGKILL)

    sys.addaudithook(hook)


def preload(loaded: Path) -> None:
    """Import the modules of a list that `run_stage` has written, so that later children need not."""
    for name in loaded.read_text().splitlines():
        with suppress(Exception):
            importlib.import_module(name)


def points_of(events: Sequence[str], everywhere: bool) -> list[tuple[int, bool]]:
    """Where a stage is killed: the number of the event, and whether its file is cut first.

    everywhere: at every event; else at the first, the last, and the renaming in the middle with its file cut.
    """
    renamed = [number for number, event in enumerate(events, 1) if event.startswith("os.rename ")]
    if everywhere:
        return [(number, False) for number in range(1, len(events) + 1)] + [(number, True) for number in renamed]
    return [(1, False), (len(events), False), *((number, True) for number in renamed[len(renamed) // 2 :][:1])]


def kill_everywhere(finished: Path, place: Path, stage: str, everywhere: bool) -> tuple[int, dict[str, str]]:
    """The number of times that the stage was killed, and event -> what was wrong then.

    everywhere: see `points_of`. Called in a process that has not computed anything: threads of torch do not survive a
    fork. What the stage imports is imported here after its first run, which makes the others faster.
    """
    code_digests(stage_kinds())  # remembered by the children
    words = commands(finished)[stage]
    folder, log, loaded = place / "whole", place / "events.txt", place / "modules.txt"
    copy(finished, folder, NOT_NEEDED)
    prepare(folder, stage)
    assert run_stage(folder, words, log=log, loaded=loaded) == 0, (place / "output.txt").read_text()
    expected, events = digests(folder, *WRITTEN), log.read_text().splitlines()
    preload(loaded)
    wrong: dict[str, str] = {}
    points = points_of(events, everywhere)
    for number, cut in points:
        event = f"{number} {events[number - 1]}{' cut' * cut}"
        own = copy(finished, place / "killed", NOT_NEEDED)
        prepare(own, stage)
        status = run_stage(own, words, kill_at=number, cut=cut)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            found = _run_again(own, stage, words, expected)
        else:
            found = f"was not killed: {status}"
        if found:
            wrong[event] = found
        if record := os.environ.get(LOG):
            with open(record, "a") as lines:
                lines.write(f"{stage}\t{event}\t{found or 'held'}\n")
        shutil.rmtree(own)
    return len(points), wrong


def _run_again(own: Path, stage: str, words: Sequence[str], expected: dict[str, str]) -> str:
    """What is wrong after a killed stage has run once more; "" when all is as it should be."""
    prepare(own, stage)
    clear_leftovers(own)
    status = run_stage(own, words)
    made = digests(own, *WRITTEN)
    left = [str(path.relative_to(own)) for path in own.rglob(".*.????????") if ".git" not in path.parts]
    differ = [name for name, value in made.items() if expected.get(name) != value]
    lost = sorted(expected.keys() - made.keys())
    if status or left or differ or lost:
        return f"status {status}, left {left}, differ {differ}, lost {lost}"
    return ""
