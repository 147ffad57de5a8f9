"""Run a small untrusted Python project in a copy of its folder, and collect the files it made."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from metricloop.sandbox.child import MB, Child
from metricloop.sandbox.errors import ChildEndedError, SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.text.clean import printable

ENTRIES = ("metricloop.sandbox.inside_project",)
READ = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """How a project's run ended.

    status: its exit status, or minus the signal that ended it; None when a limit ended it.
    reason: the limit or signal that ended it, in one line, else "".
    output, errors: what it printed, made printable; the middle is left out beyond `Limits.output_kb`.
    made: files it made or changed, relative to the folder. left_out: how many more there are, beyond the limits, with
    hidden or unprintable names, or with paths too long for `results`.
    peak_mb: the most memory that all its processes were seen to use together.
    """

    status: int | None
    reason: str
    output: str
    errors: str
    made: tuple[str, ...]
    left_out: int
    seconds: float
    peak_mb: float


def run(
    folder: Path | str, argv: Sequence[str], limits: Limits | None = None, results: Path | str | None = None
) -> Outcome:
    """Run `python ARGV` in the sandbox, in a copy of `folder`. `folder` itself is never changed.

    argv: ["main.py", "--epochs", "3"] or ["-m", "package", ...]. The program may start threads and fork processes
    within the limits; it cannot execute programs or reach a network.
    results: a new or empty folder that gets the files it made or changed, except hidden ones: a `.git/config` would run
    code at the next `git status`. Trust these files as little as the program: never execute them.
    Errors: SandboxError when there is no sandbox; ValueError when `folder` holds links or devices or is too large, or
    `results` is not empty; FileNotFoundError when `folder` does not exist.
    """
    folder, limits = Path(folder).resolve(), limits or Limits()
    if not argv:
        raise ValueError("argv is empty; give the file to run, or -m and a module")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder")
    if results is not None and Path(results).exists() and any(Path(results).iterdir()):
        raise ValueError(f"{results} is not empty; give a new or empty folder for the results")
    _check(folder, limits)
    with Sandbox(ENTRIES, limits) as sandbox:
        scratch = Path(tempfile.mkdtemp(prefix="metricloop-run-")).resolve()
        try:
            shutil.copytree(folder, scratch, dirs_exist_ok=True, copy_function=shutil.copyfile)
            _hand_over(scratch, sandbox.user)
            began = time.monotonic()
            status, reason, texts, peak = _execute(sandbox, scratch, argv)
            seconds = time.monotonic() - began
            made, left_out = _made(scratch, folder, limits)
            if results is not None:
                copied = tuple(name for name in made if _copied(scratch / name, Path(results, name)))
                made, left_out = copied, left_out + len(made) - len(copied)
        finally:
            subprocess.run(["rm", "-rf", "--", str(scratch)], check=False)  # handles any depth, unlike shutil
    output, errors = (printable(text.replace(f"{scratch}/", "").replace(str(scratch), ".")) for text in texts)
    return Outcome(status, reason, output, errors, made, left_out, seconds, peak / MB)


class _Kept:
    """The text of a stream; the middle is left out when it is too long."""

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
            os.set_blocking(reader, False)  # the program itself may read from the pipe between our poll and our read
        try:
            child = sandbox.child(
                "run",
                "metricloop.sandbox.inside_project:main",
                {"argv": list(argv)},
                [writer for _, writer in pipes],
                scratch,
            )
        except ChildEndedError as ended:
            return None, ended.reason, ["", ""], 0
        finally:
            for _, writer in pipes:
                os.close(writer)
        streams = {reader: keep for (reader, _), keep in zip(pipes, kept, strict=True)}
        status, reason = _listen(child, streams)
    return status, reason, [keep.text() for keep in kept], child.peak


def _listen(child: Child, streams: dict[int, _Kept]) -> tuple[int | None, str]:
    """Collect what a child prints until it ends; its status and, when a limit or a signal ended it, the reason."""
    with child:
        try:
            while ready := child.wait(list(streams)):
                for reader in ready:
                    if not _take(reader, streams[reader]):
                        del streams[reader]
        except ChildEndedError as ended:
            return None, ended.reason
        if failure := child.failure():
            raise SandboxError(f"the sandbox cannot raise its walls ({failure})")
        end = child.end()
        for reader, keep in streams.items():  # the whole group is gone, so what is left in the pipes is all
            while _take(reader, keep):
                pass
    return child.status, end if child.status is None or child.status < 0 else ""


def _take(reader: int, keep: _Kept) -> bool:
    """Read once from a pipe; False at its end."""
    try:
        data = os.read(reader, READ)
    except BlockingIOError:
        return True
    keep.add(data)
    return bool(data)


def _check(folder: Path, limits: Limits) -> None:
    size = 0
    for path, status in _walk(folder):
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise ValueError(f"{path} is a link or a device; a project may hold files and folders only")
        size += status.st_size
    if size > limits.scratch_mb * MB:
        raise ValueError(f"{folder} holds {size // MB} MB; scratch_mb allows {limits.scratch_mb}")


def _hand_over(scratch: Path, user: int | None) -> None:
    """Make the copy writable for the user that the program runs as."""
    for path in (scratch, *scratch.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        if user is not None:
            os.chown(path, user, user)


def _made(scratch: Path, folder: Path, limits: Limits) -> tuple[tuple[str, ...], int]:
    """Names of new and changed files, and how many were left out. Called after the program has ended."""
    made: list[str] = []
    left_out = size = 0
    for path, status in _walk(scratch):
        name = path.relative_to(scratch)
        if not stat.S_ISREG(status.st_mode) or _same(path, folder / name):
            continue
        plain = str(name).isprintable() and not any(part.startswith(".") for part in name.parts)
        if plain and len(made) < limits.scratch_entries and size + status.st_size <= limits.scratch_mb * MB:
            made.append(str(name))
            size += status.st_size
        else:
            left_out += 1
    return tuple(sorted(made)), left_out


def _copied(path: Path, target: Path) -> bool:
    """Copy a file that the program made; False where the path of the copy would be too long."""
    try:
        with suppress(FileNotFoundError):
            target.lstat()  # so that no folders are made for a path that is too long as a whole
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise
    return True


def _same(path: Path, other: Path) -> bool:
    try:
        return other.is_file() and filecmp.cmp(path, other, shallow=False)
    except OSError:  # a name too long for the other folder
        return False


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every path beneath a folder that can be named; links are not followed."""
    todo = [folder]
    while todo:
        try:
            entries = [(path, path.lstat()) for path in sorted(todo.pop().iterdir())]
        except OSError:  # too deep to be named
            continue
        for path, status in entries:
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                todo.append(path)
