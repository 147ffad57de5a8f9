"""Read what /proc says about a process, as bytes. Names in it come from untrusted code and may hold `\\r` and brackets.

The kernel writes a line break inside a name as `\\012`, so lines end at b"\\n" and nowhere else (proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

File = tuple[int, int]  # device and inode
COUNTED = frozenset({b"Threads", b"RssAnon", b"RssShmem", b"VmSwap"})  # of /proc/PID/status; sizes are in kB
EXITING = 0x4  # PF_EXITING, of the flags in /proc/PID/stat
GONE = (FileNotFoundError, ProcessLookupError)  # it has ended meanwhile, and holds nothing any more


class UnreadableError(Exception):
    """/proc cannot be read or understood, so what a process uses is unknown. The message says where."""


@dataclass(frozen=True)
class Stat:
    """Two facts from /proc/PID/stat: the process group, and whether all threads of the process have ended."""

    group: int
    ended: bool


def processes() -> list[int]:
    """The process ids that /proc lists."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat(pid: int) -> Stat:
    """Group and state of a process. Its name stands between brackets that it may hold itself.

    Errors: OSError when the process is gone or hidden from us; UnreadableError.
    """
    where = f"/proc/{pid}/stat"
    fields = _read(where).rpartition(b")")[2].split()
    try:
        # A leader that has ended is a zombie as long as its threads go on.
        return Stat(int(fields[2]), fields[0] == b"Z" and int(fields[17]) <= 1)
    except (ValueError, IndexError):
        raise UnreadableError(f"{where} cannot be understood") from None


def states(pid: int) -> frozenset[int]:
    """The states of all threads of a process, each as the code of a letter; empty for a process that is gone."""
    found = set()
    for folder in tasks([pid]):
        with suppress(*GONE):
            found.add(_read(f"{folder}/stat").rpartition(b")")[2].split()[0][0])
    return frozenset(found)


def status(pid: int) -> dict[bytes, int]:
    """The COUNTED numbers of /proc/PID/status, from another thread if the first has ended; {} if the process is gone.

    Errors: UnreadableError, also when a number is there twice.
    """
    numbers: dict[bytes, int] = {}
    for folder in (f"/proc/{pid}", *tasks([pid])):
        try:
            numbers = status_numbers(_read(f"{folder}/status"), folder) | numbers
        except GONE:
            continue
        except OSError as error:
            raise UnreadableError(f"{folder}/status cannot be read: {error.strerror}") from None
        if b"RssAnon" in numbers:
            break
    return numbers


def status_numbers(text: bytes, folder: str) -> dict[bytes, int]:
    """The COUNTED numbers in the text of a status file."""
    numbers: dict[bytes, int] = {}
    for line in text.split(b"\n"):
        name, _, value = line.partition(b":")
        if name in COUNTED:
            words = value.split()
            if name in numbers or not words or not words[0].isdigit():
                raise UnreadableError(f"{folder}/status has {name.decode()} twice or without a number")
            numbers[name] = int(words[0])
    return numbers


def written(pid: int) -> int:
    """Bytes that a process, and those it has waited for, sent to a disk; 0 when it is gone or the kernel counts none.

    Errors: UnreadableError.
    """
    folder = f"/proc/{pid}"
    try:
        text = _read(f"{folder}/io")
    except GONE:
        return 0
    except OSError as error:
        if ended(folder):
            return 0
        raise UnreadableError(f"{folder}/io cannot be read: {error.strerror}") from None
    for line in text.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"write_bytes" and value.strip().isdigit():
            return int(value)
    raise UnreadableError(f"{folder}/io cannot be understood")


def mapped(pid: int) -> dict[File, bytes]:
    """The files that a process has mapped into memory, with their paths as /proc/PID/maps shows them.

    Errors: UnreadableError.
    """
    for folder in tasks([pid]):  # all threads share one memory; of those that have ended nothing is shown
        try:
            text = _read(f"{folder}/maps")
        except GONE:
            continue
        except OSError as error:
            if ended(folder):
                continue
            raise UnreadableError(f"{folder}/maps cannot be read: {error.strerror}") from None
        if text:
            return maps_files(text, folder)
    return {}


def maps_files(text: bytes, folder: str) -> dict[File, bytes]:
    """The files in the text of a maps file: lines of addresses, rights, offset, device, inode and path."""
    files: dict[File, bytes] = {}
    for line in text.split(b"\n"):
        fields = line.split(None, 5)
        if not fields:
            continue
        try:
            major, minor = fields[3].split(b":")
            inode = int(fields[4])
            if inode:
                files[os.makedev(int(major, 16), int(minor, 16)), inode] = fields[5] if len(fields) > 5 else b""
        except (ValueError, IndexError):
            raise UnreadableError(f"{folder}/maps cannot be understood") from None
    return files


def ended(task: str) -> bool:
    """Whether a thread has ended, or is at its end: it holds nothing, and what it held may only be seen by root."""
    try:
        fields = _read(f"{task}/stat").rpartition(b")")[2].split()
    except GONE:
        return True
    return fields[0] in (b"Z", b"X") or bool(int(fields[6]) & EXITING)


def tasks(pids: Collection[int]) -> Iterator[str]:
    """The /proc folders of all threads. Each thread may have its own descriptors."""
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/task")
        except GONE:
            continue
        except OSError as error:
            raise UnreadableError(f"/proc/{pid}/task cannot be read: {error.strerror}") from None
        yield from (f"/proc/{pid}/task/{name}" for name in names)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
