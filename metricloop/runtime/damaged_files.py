"""Which files of a workspace are damaged, in what way, and how each is mended: told where a command fails.

A file that was cut short, or overwritten by another program, is rare. So no reader of ours looks for it: the command
line looks at the whole workspace, once, after a command has failed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.runtime.file_forms import FORMS, read_yaml_keys
from metricloop.text.shell import command_line, run_line

SMALL = 5_000_000  # bytes: larger outputs are not summed, because an error should be told at once
PACKAGE = "metricloop"
FORBIDDEN = "may not be read by you"
NOTHING_LOST = "what is finished stays"
LEAST = 100_000  # bytes: with less on the disk, an error comes from that, whatever it says
NO_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "Failed to allocate", "can't start new thread")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Damage:
    """A file that cannot be used. what: a clause, such as "is empty". mend: what to do, with a command line."""

    path: Path
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}; {self.mend}"


def told(error: BaseException, *folders: Path, outputs: bool = False) -> str | None:
    """What to print of an error instead of a traceback, one line per fault; None if it may be a bug of ours.

    folders: the workspaces in question. An error of our own keeps its message; a line is added for each damaged file
    that the message does not tell how to mend. An error of a library says little, such as "Expecting value", so only
    the damaged files are told. outputs: if all files can be read, tell which are not as their stage wrote them.
    """
    if _is_memory(error):
        return f"the memory is used up; end other programs, then give the same command again: {NOTHING_LOST}"
    if isinstance(error, BrokenExecutor):
        return (
            "a worker process was killed from outside, as a system does that runs out of memory; end other programs, "
            f"then give the same command again: {NOTHING_LOST}"
        )
    full = [folder for folder in folders if _is_full(folder)]
    if full or (isinstance(error, OSError) and error.errno in FULL):
        first = str(error).strip().partition("\n")[0]
        return f"{first or full[0]}: the disk is full; make room, then give the same command again: {NOTHING_LOST}"
    own = _is_ours(error)
    found = [one for folder in folders for one in damaged_files(folder)]
    if own:
        said = words_of(error)
        if any(said.startswith(f"{one.path} does not exist") for one in found):
            return "\n".join(map(str, found))  # it is there, but a folder
        if outputs and not found:
            found = [one for folder in folders for one in changed_outputs(folder, said)]
        return "\n".join([said, *(str(one) for one in found if one.mend.partition(": ")[2] not in said)])
    if not found and isinstance(error, PermissionError) and error.filename:
        path = Path(os.fsdecode(error.filename))
        return f"{path} is closed to you; allow it: {command_line('chmod', 'u+rwX', path.parent)}"
    if not found and outputs:
        found = [one for folder in folders for one in changed_outputs(folder)]
    return "\n".join(map(str, found)) or None


def words_of(error: BaseException) -> str:
    """The message of an error; str() of a KeyError would put quotes around it."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def damaged_files(folder: Path) -> Iterator[Damage]:
    """Find the damaged files of a workspace: those that cannot be read, and committed ones that are missing."""
    ways = _Ways(folder)
    for pattern, form in FORMS.items():
        for path in sorted(folder.glob(pattern)):
            if what := _damage(path, form):
                mend = f"allow it: {command_line('chmod', 'u+rwX', path)}" if what == FORBIDDEN else ways.of(path)
                yield Damage(path, what, mend)
    for path in ways.deleted:  # outputs are not among them: they come and go while a study runs
        yield Damage(path, "is missing", ways.of(path))


def changed_outputs(folder: Path, named_in: str | None = None) -> Iterator[Damage]:
    """Find outputs of stages that are missing, or whose content is no longer what the stage wrote.

    named_in: only files that this text names.
    """
    if (folder / layout.RUN).exists():
        return  # a run goes on here, or has not ended well: outputs come and go
    ways = _Ways(folder)
    for name, digest in ways.outputs.items():
        path = folder / name
        if named_in is not None and name not in named_in:
            continue
        if not os.path.lexists(path):
            yield Damage(path, "is missing", ways.of(path))
        elif path.is_file() and path.stat().st_size < SMALL and _md5(path) != digest:
            yield Damage(path, "is not what its stage wrote", ways.of(path))


def _is_ours(error: BaseException) -> bool:
    """Whether the message of an error is our own: its class is ours, or our code raised it with a sentence."""
    if type(error).__module__.partition(".")[0] in (PACKAGE, "__main__"):
        return True
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    raised_here = place is not None and place.tb_frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE
    worded = isinstance(error, ValueError | RuntimeError | KeyError | OSError) and " " in str(error)
    return raised_here and worded and not getattr(error, "errno", None)


def _is_memory(error: BaseException) -> bool:
    """Whether an error says that the memory is used up, in the words of Python, the system, torch or OpenCV."""
    said = type(error).__name__ in ("RuntimeError", "error") and any(words in str(error) for words in NO_MEMORY)
    return isinstance(error, MemoryError) or said or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LEAST
    except OSError:
        return False


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


class _Ways:
    """How to get a file of one workspace back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs = _outputs(folder)
        self.committed = set(self._git("ls-tree", "-r", "-z", "--name-only", "HEAD"))
        gone = set(self._git("ls-files", "-z", "--deleted", "--", "."))
        ours = (name for name in gone if any(Path(name).match(pattern) for pattern in FORMS))
        self.deleted = sorted(folder / name for name in ours if not self._is_output(name))

    def _git(self, *words: str) -> list[str]:
        """The paths that a git command lists, relative to the workspace; [] if there is no repository."""
        try:
            done = subprocess.run(["git", "-C", self.folder, *words], capture_output=True, check=False, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return []
        return [name for name in os.fsdecode(done.stdout).split("\0") if name]

    def _is_output(self, name: str) -> bool:
        return any(name == out or name.startswith(f"{out}/") for out in self.outputs)

    def of(self, path: Path) -> str:
        """What to do with a damaged file."""
        name = str(path.relative_to(self.folder))
        away = command_line("mv", path, f"{path}.damaged")
        first = f"{away} && " if path.is_dir() else ""
        if name.startswith(f"{layout.SCRATCH}/"):
            return f"nothing in it is lost: {command_line('rm', '-r', path)}"
        if name in self.committed:
            back = first + command_line("git", "-C", self.folder, "checkout", "HEAD", "--", name)
            by_hand = "correct it, or take" if name in BY_HAND else "take"
            return f"{by_hand} the last committed version: {back}"
        if self._is_output(name):
            return f"make it again: {first}{run_line(self.folder)}"
        if name == layout.MLFLOW:
            return f"make it again: {away} && {command_line('metricloop', 'track', '-C', self.folder)}"
        if name.startswith(f"{layout.AUDIT}/"):
            return f"make it again: {first}{command_line('metricloop', 'audit', '-C', self.folder)}"
        if name.startswith(f"{layout.PROMOTED}/"):
            return f"make another: {away} && {command_line('metricloop', 'promote', '-C', self.folder)}"
        return f"put a copy of it back, or make it again: {away} && {run_line(self.folder)}"


BY_HAND = (layout.PARAMS, layout.ARMS, layout.STAGES)  # people write these: a mistake in one is no damage


def _outputs(folder: Path) -> dict[str, str]:
    """Path -> MD5 sum of what the stages wrote, as dvc.lock says; {} where that cannot be read."""
    try:
        stages = read_yaml_keys(folder / layout.LOCK)["stages"].values()
        return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", ())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _damage(path: Path, form: Callable[[Path], Any]) -> str:
    """What is wrong with a file; "" when nothing is."""
    if path.is_dir():
        return "is a folder, not a file"
    try:
        form(path)
    except PermissionError:
        return FORBIDDEN
    except UnicodeDecodeError:
        return "is damaged: it is no text"
    except (OSError, ValueError) as error:
        return f"is damaged: {error}" if path.stat().st_size else "is empty"
    return ""
