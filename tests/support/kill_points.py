"""Kill a stage at a chosen write, rename or removal: it runs in a forked child, whose audit hook counts them."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from metricloop import layout
from metricloop.study.yaml_text import read_as_dvc

EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


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
