"""What a tree of processes uses, summed from /proc and the scratch folder. The limits of the kernel are per process."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

KB = 1024
WALKS = 5  # tries at a folder that changes while it is listed


@dataclass(frozen=True)
class Use:
    """Sums over a tree: processes and threads, bytes of memory not shared with the zygote."""

    tasks: int
    memory: int


def members(group: int) -> list[int]:
    """The processes of a process group. Sandboxed code cannot leave its group: seccomp refuses setsid and setpgid."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError):
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                # A leader that has ended is a zombie as long as its threads go on.
                if int(fields[2]) == group and (fields[0] != "Z" or int(fields[17]) > 1):
                    found.append(int(name))
    return found


def use(pids: Collection[int], shared: int) -> Use:
    """What these processes use. shared: bytes that each shares with the zygote but /proc counts as its own."""
    tasks = memory = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            status = _status(pid)
            tasks += status.get("Threads", 0)
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
                    total += _status(int(name)).get("Threads", 0)
    return total


def scratch_use(folder: str, pids: Collection[int], most: int, largest: int = 0) -> tuple[int, int]:
    """(bytes on disk, entries) of a scratch folder, including deleted files that a process still holds open.

    Counting stops after `most` entries. Folders that are too deep to be named, or renamed faster than they can be
    listed, count as too many. The size of a deleted file that only a memory mapping holds is not visible, so it counts
    as `largest`, the largest size of a file.
    """
    for _ in range(WALKS):
        if found := _walk(folder, most):
            total, entries, seen = found
            return total + _deleted(pids, seen) + largest * _mapped(folder, pids, seen), entries
    return 0, most + 1


def _walk(folder: str, most: int) -> tuple[int, int, set[tuple[int, int]]] | None:
    """(bytes, entries, inodes) beneath a folder; None when a part of it was renamed or removed meanwhile."""
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
                        total += max(status.st_size, status.st_blocks * 512)  # a copy of a sparse file is whole
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(entry.path)
        except FileNotFoundError:
            return None
        except OSError:  # too deep to be named, or not readable for us
            return total, most + 1, seen
    return total, entries, seen


def _deleted(pids: Collection[int], seen: set[tuple[int, int]]) -> int:
    total = 0
    for task in _tasks(pids):
        with suppress(OSError):
            for name in os.listdir(f"{task}/fd"):
                with suppress(OSError):
                    status = os.stat(f"{task}/fd/{name}")
                    key = (status.st_dev, status.st_ino)
                    if status.st_nlink == 0 and key not in seen:
                        seen.add(key)
                        total += status.st_blocks * 512
    return total


def _mapped(folder: str, pids: Collection[int], seen: set[tuple[int, int]]) -> int:
    """How many deleted files of the folder, not in `seen`, the processes hold by a memory mapping."""
    found = set()
    for task in _tasks(pids):
        with suppress(OSError), open(f"{task}/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.endswith("(deleted)\n") and folder in line:
                    device, inode = line.split(None, 5)[3:5]
                    major, minor = (int(part, 16) for part in device.split(":"))
                    found.add((os.makedev(major, minor), int(inode)))
    return len(found - seen)


def _status(pid: int) -> dict[str, int]:
    """The numbers of /proc/PID/status by name; sizes are in kB. From another thread if the first has ended."""
    numbers: dict[str, int] = {}
    for folder in (f"/proc/{pid}", *_tasks([pid])):
        with suppress(OSError), open(f"{folder}/status", encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
            numbers |= {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}
        if "RssAnon" in numbers:
            break
    return numbers


def _tasks(pids: Collection[int]) -> Iterator[str]:
    """The /proc folders of all threads. Each thread may have its own descriptors."""
    for pid in pids:
        with suppress(OSError):
            yield from (f"/proc/{pid}/task/{name}" for name in os.listdir(f"/proc/{pid}/task"))
