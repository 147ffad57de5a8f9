"""Run a small Python project that nobody has read, in a copy of its folder, and bring back what it wrote."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.child import MB, Child
from sandbox.errors import BittenError
from sandbox.limits import Limits
from sandbox.supervisor import Sandbox

ENTRIES = ("sandbox.inside_project",)
READ = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """How a project's run ended.

    status: its exit status, minus the signal that ended it, or None when a limit did; reason: which, in a line, else
    ""; output, errors: what it printed, the middle left out beyond `Limits.output_kb`; changed: files it made or
    changed, relative to the folder; left_out: those that could not be brought back, a folder being in their place;
    seconds; peak_mb: the most memory that all its processes were seen to use together.
    """

    status: int | None
    reason: str
    output: str
    errors: str
    changed: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float
    peak_mb: float


def run(folder: Path | str, argv: Sequence[str], limits: Limits | None = None) -> Outcome:
    """Run `python ARGV` in a copy of `folder`, within the walls; then bring files it made or changed into `folder`.

    argv: ["main.py", "--epochs", "3"] or ["-m", "package", ...]. The program may start threads and fork processes
    within the limits; it cannot execute programs or reach a network. Files it deleted stay in `folder`.
    Errors: SandboxError where there are no walls; ValueError when `folder` holds links or devices, or is too large;
    FileNotFoundError when it does not exist.
    """
    folder, limits = Path(folder), limits or Limits()
    if not argv:
        raise ValueError("argv is empty; give the file to run, or -m and a module")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder")
    _check(folder, limits)
    with Sandbox(ENTRIES, limits) as sandbox:
        scratch = Path(tempfile.mkdtemp(prefix="metricloop-run-")).resolve()
        try:
            shutil.copytree(folder, scratch, dirs_exist_ok=True)
            if sandbox.user is not None:
                for path in (scratch, *scratch.rglob("*")):
                    os.chown(path, sandbox.user, sandbox.user)
            began = time.monotonic()
            status, reason, texts, peak = _execute(sandbox, scratch, argv)
            seconds = time.monotonic() - began
            changed, left_out = _bring_back(scratch, folder, limits)
        finally:
            subprocess.run(["rm", "-rf", "--", str(scratch)], check=False)  # copes with any depth, shutil does not
    output, errors = (text.replace(f"{scratch}/", "").replace(str(scratch), ".") for text in texts)
    return Outcome(status, reason, output, errors, changed, left_out, seconds, peak / MB)


class _Kept:
    """What a stream said, its middle left out when it says too much."""

    def __init__(self, most: int) -> None:
        self._half, self._head, self._tail, self._dropped = most // 2, b"", b"", 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if (over := len(self._tail) - self._half) > 0:
            self._tail, self._dropped = self._tail[over:], self._dropped + over

    def text(self) -> str:
        gap = f"\n... {self._dropped} bytes left out ...\n".encode() if self._dropped else b""
        return (self._head + gap + self._tail).decode("utf-8", errors="replace")


def _execute(sandbox: Sandbox, scratch: Path, argv: Sequence[str]) -> tuple[int | None, str, list[str], int]:
    kept = [_Kept(sandbox.limits.output_kb * 1024) for _ in range(2)]
    with ExitStack() as open_ends:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in kept]
        for reader, _ in pipes:
            open_ends.callback(os.close, reader)
        try:
            child = sandbox.child(
                "run", "sandbox.inside_project:main", {"argv": list(argv)}, [writer for _, writer in pipes], scratch
            )
        finally:
            for _, writer in pipes:
                os.close(writer)
        streams = {reader: keep for (reader, _), keep in zip(pipes, kept, strict=True)}
        status, reason = _listen(child, streams)
    return status, reason, [keep.text() for keep in kept], child.peak


def _listen(child: Child, streams: dict[int, _Kept]) -> tuple[int | None, str]:
    """Keep what a child prints until it ends; its status and, where a limit or a signal ended it, the reason."""
    reason = ""
    with child:
        try:
            while ready := child.wait(list(streams)):
                for reader in ready:
                    if data := os.read(reader, READ):
                        streams[reader].add(data)
                    else:
                        del streams[reader]
        except BittenError as bitten:
            return None, bitten.reason
        end = child.end()
        for reader, keep in streams.items():  # the whole group is gone, so what is left in the pipes is all
            while data := os.read(reader, READ):
                keep.add(data)
        if child.status is None or child.status < 0:
            reason = end
    return child.status, reason


def _check(folder: Path, limits: Limits) -> None:
    size = 0
    for path, status in _walk(folder):
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise ValueError(f"{path} is a link or a device; a project is files and folders only")
        size += status.st_size
    if size > limits.scratch_mb * MB:
        raise ValueError(f"{folder} holds {size // MB} MB; scratch_mb allows {limits.scratch_mb}")


def _bring_back(scratch: Path, folder: Path, limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copy new and changed files; nothing runs in `scratch` any more. Only regular files: nothing else can be made."""
    changed, left_out = [], []
    for number, (path, status) in enumerate(_walk(scratch)):
        name = path.relative_to(scratch)
        target = folder / name
        if not stat.S_ISREG(status.st_mode) or (target.is_file() and filecmp.cmp(path, target, shallow=False)):
            continue
        parents = [folder / parent for parent in name.parents]
        if (
            number > 2 * limits.scratch_entries
            or target.is_dir()
            or any(p.is_file() or p.is_symlink() for p in parents)
        ):
            left_out.append(str(name))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)
        changed.append(str(name))
    return tuple(sorted(changed)), tuple(sorted(left_out))


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything beneath a folder that can be named, links not followed."""
    todo = [folder]
    while todo:
        try:
            entries = sorted(todo.pop().iterdir())
        except OSError:  # too deep to be named
            continue
        for path in entries:
            status = path.lstat()
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                todo.append(path)
