"""What a tree of processes uses up, from /proc and the scratch folder: limits of the kernel hold per process only."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

KB = 1024


@dataclass(frozen=True)
class Use:
    """Sums over a tree: processes and threads, bytes of memory not shared with the zygote."""

    tasks: int
    memory: int


def members(group: int) -> list[int]:
    """The processes of a process group. Contained code cannot leave its group: seccomp refuses setsid and setpgid."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError):
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(name))
    return found


def use(pids: Collection[int], shared: int) -> Use:
    """What these processes use. shared: bytes that each has from the zygote and counts as its own until it writes."""
    tasks = memory = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            status = _status(pid)
            tasks += status["Threads"]
            own = (status.get("RssAnon", 0) + status.get("VmSwap", 0)) * KB - shared
            memory += max(0, own) + status.get("RssShmem", 0) * KB
    return Use(tasks, memory)


def anonymous(pid: int) -> int:
    """Bytes of anonymous memory of a process; 0 where it cannot be read."""
    with suppress(OSError, ValueError):
        return _status(pid).get("RssAnon", 0) * KB
    return 0


def tasks_of_user(user: int) -> int:
    """Processes and threads that count towards a user's RLIMIT_NPROC now."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    total += _status(int(name))["Threads"]
    return total


def scratch_use(folder: str, pids: Collection[int], most: int) -> tuple[int, int]:
    """(bytes on disk, entries) of a scratch folder, deleted files that a process still holds open included.

    Counts no further than `most` entries. A folder too deep to be named counts as too many.
    """
    total = entries = 0
    seen: set[tuple[int, int]] = set()
    todo = [folder]
    while todo and entries <= most:
        try:
            with os.scandir(todo.pop()) as listing:
                for entry in listing:
                    entries += 1
                    if entries > most:
                        break
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        seen.add((status.st_dev, status.st_ino))
                        total += status.st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(entry.path)
        except (FileNotFoundError, PermissionError):
            continue
        except OSError:  # ENAMETOOLONG
            return total, most + 1
    return total + _deleted(pids, seen), entries


def _deleted(pids: Collection[int], seen: set[tuple[int, int]]) -> int:
    total = 0
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(f"/proc/{pid}/fd/{name}")
                    key = (status.st_dev, status.st_ino)
                    if status.st_nlink == 0 and key not in seen:
                        seen.add(key)
                        total += status.st_blocks * 512
    return total


def _status(pid: int) -> dict[str, int]:
    """The numbers of /proc/PID/status by name; sizes are in kB."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file]
    return {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
