"""Ways to damage a file, and what a command says then: the tables behind tests/cli/test_damaged_workspace.py."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

GARBAGE = bytes(range(255, 127, -1)) * 3
OVERRIDE = {1: "CAP_DAC_OVERRIDE", 2: "CAP_DAC_READ_SEARCH"}
MENDS = ("git -C ", "rm -r ", "mv ", "chmod ", "metricloop ")  # how the command lines begin that messages name


def empty(path: Path) -> None:
    _write(path, b"")


def half(path: Path) -> None:
    """The first half of the bytes, as where a disk was full."""
    content = path.read_bytes()
    _write(path, content[: len(content) // 2])


def garbage(path: Path) -> None:
    """Bytes that are neither text nor any format."""
    _write(path, GARBAGE)


def other_type(path: Path) -> None:
    """JSON and YAML alike: a number where keys or a list belong."""
    _write(path, b"17\n")


def missing(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    """A folder with a file in it, in the place of a file."""
    path.unlink()
    path.mkdir()
    (path / "file").write_text("of a person\n")


def unreadable(path: Path) -> None:
    path.chmod(0)


def _write(path: Path, content: bytes) -> None:
    path.unlink()  # a new file: others may share the old one by a link
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    one.__name__: one for one in (empty, half, garbage, other_type, missing, folder, unreadable)
}


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """Meanwhile this thread of root's obeys the permissions of files, as an ordinary user's does; children do not."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    before = sets[0]
    for number in OVERRIDE:
        sets[0] &= ~(1 << number)
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0


def digests(top: Path, *names: str) -> dict[str, str]:
    """Path -> digest, of all files of these folders and files: what a study has finished.

    DVC adds a line to .gitignore when a stage ends, so that the order of its lines is that of stages that ran side by
    side: they count sorted.
    """
    found = {}
    for name in names:
        place = top / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if path.name == ".gitignore":
                    content = b"".join(sorted(content.splitlines(keepends=True)))
                found[str(path.relative_to(top))] = hashlib.sha256(content).hexdigest()
    return found


def told_commands(said: str) -> list[str]:
    """The command lines that a message of a command names after a colon."""
    said = re.sub(r"^metricloop [\w-]+: ", "", said, flags=re.MULTILINE)
    return [part for part in re.split(r": |\n", said) if part.startswith(MENDS)]


def follow(line: str) -> None:
    """Do what a message says, except to run a study."""
    for part in line.split(" && "):
        words = shlex.split(part)
        if words[0] != "metricloop":
            subprocess.run(words, check=True, capture_output=True)


def copy(source: Path, target: Path, without: Sequence[str] = ()) -> Path:
    """Copy a workspace. without: names of files and folders that are left out."""
    return Path(shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*without)))
