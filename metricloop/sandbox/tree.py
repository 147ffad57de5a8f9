"""What a tree of processes uses, summed from /proc and the scratch folder. The limits of the kernel are per process.

What cannot be counted is not taken for nothing: the functions raise UnreadableError, and the supervisor ends the tree.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from metricloop.sandbox import proc
from metricloop.sandbox.proc import GONE, File, UnreadableError

KB = 1024
WALKS = 5  # tries at a folder that changes while it is listed


@dataclass(frozen=True)
class Use:
    """Sums over a tree: processes and threads, bytes of memory not shared with the zygote."""

    tasks: int
    memory: int


@dataclass(frozen=True)
class Base:
    """What every process of a tree shares with the zygote, but /proc counts as its own.

    memory: bytes. files: those mapped into memory, some of them perhaps replaced on disk since.
    """

    memory: int = 0
    files: frozenset[File] = frozenset()


def base(zygote: int) -> Base:
    """What the children of a zygote share with it. Read before any untrusted code runs."""
    return Base(anonymous(zygote), frozenset(proc.mapped(zygote)))


def members(group: int) -> list[int]:
    """The processes of a process group. Sandboxed code cannot leave its group: seccomp refuses setsid and setpgid."""
    return members_and_ended(group)[0]


def members_and_ended(group: int) -> tuple[list[int], list[int]]:
    """The ids of the processes of a group: of those that run, and of zombies (ended, and not waited for yet)."""
    found: tuple[list[int], list[int]] = [], []
    for pid in proc.processes():
        with suppress(OSError):  # gone, or somebody else's and hidden from us
            stat = proc.stat(pid)
            if stat.group == group:
                found[stat.ended].append(pid)
    return found


def use(pids: Collection[int], shared: int) -> Use:
    """What these processes use. shared: bytes that each shares with the zygote but /proc counts as its own."""
    tasks = memory = 0
    for pid in pids:
        status = proc.status(pid)
        tasks += status.get(b"Threads", 0)
        own = (status.get(b"RssAnon", 0) + status.get(b"VmSwap", 0)) * KB - shared
        memory += max(0, own) + status.get(b"RssShmem", 0) * KB
    return Use(tasks, memory)


class Written:
    """The bytes that a tree has sent to the disk so far. A file rewritten again and again does not grow."""

    def __init__(self) -> None:
        self.bytes = self._sum = 0

    def look(self, pids: Collection[int]) -> int:
        """The bytes until now. pids: of all processes of the tree, ended ones too.

        When a process ends, the kernel adds its bytes to those of the process that waits for it. Where none waits, they
        are lost and the sum of the tree falls. So every rise of the sum is counted here, and a fall is not taken off.
        """
        total = sum(map(proc.written, pids))
        self.bytes, self._sum = self.bytes + max(0, total - self._sum), total
        return self.bytes


def anonymous(pid: int) -> int:
    """Bytes of anonymous memory of a process; 0 where it is gone."""
    return proc.status(pid).get(b"RssAnon", 0) * KB


def tasks_of_user(user: int) -> int:
    """Processes and threads that count towards a user's RLIMIT_NPROC now. Those that cannot be read are left out."""
    total = 0
    for pid in proc.processes():
        with suppress(OSError, UnreadableError):
            if os.stat(f"/proc/{pid}").st_uid == user:
                total += proc.status(pid).get(b"Threads", 0)
    return total


def scratch_use(
    folder: str, pids: Collection[int], most: int, largest: int = 0, known: frozenset[File] = frozenset()
) -> tuple[int, int]:
    """(bytes on disk, entries) of a scratch folder, including deleted files that a process still holds open.

    Counting stops after `most` entries. Folders that are too deep to be named, or renamed faster than they can be
    listed, count as too many. The size of a deleted file that only a memory mapping holds is not visible, so it counts
    as `largest`, the largest size of a file. known: mapped files that are not the tree's own (`Base.files`).
    """
    for _ in range(WALKS):
        if found := _walk(folder, most):
            total, entries, seen = found
            return total + _deleted(pids, seen) + _mapped(pids, seen | known, largest), entries
    return 0, most + 1


def _walk(folder: str, most: int) -> tuple[int, int, set[File]] | None:
    """(bytes, entries, inodes) beneath a folder; None when a part of it was renamed or removed meanwhile."""
    total = entries = 0
    seen: set[File] = set()
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
                        total += _size(status)
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(entry.path)
        except FileNotFoundError:
            return None
        except OSError:  # too deep to be named, or not readable for us
            return total, most + 1, seen
    return total, entries, seen


def _size(status: os.stat_result) -> int:
    return max(status.st_size, status.st_blocks * 512)  # a copy of a sparse file is whole


def _deleted(pids: Collection[int], seen: set[File]) -> int:
    """Bytes of deleted files that the processes hold open; adds the files to `seen`."""
    total = 0
    for task in proc.tasks(pids):
        try:
            names = os.listdir(f"{task}/fd")
        except GONE:
            continue
        except OSError as error:
            if proc.ended(task):
                continue
            raise UnreadableError(f"{task}/fd cannot be read: {error.strerror}") from None
        for name in names:
            try:
                status = os.stat(f"{task}/fd/{name}")
            except GONE:  # closed meanwhile
                continue
            except OSError as error:
                if proc.ended(task):
                    break
                raise UnreadableError(f"{task}/fd/{name} cannot be read: {error.strerror}") from None
            else:
                key = (status.st_dev, status.st_ino)
                if status.st_nlink == 0 and key not in seen:
                    seen.add(key)
                    total += status.st_blocks * 512
    return total


def _mapped(pids: Collection[int], counted: AbstractSet[File], largest: int) -> int:
    """Bytes of the deleted files, not in `counted`, that the processes hold by a memory mapping: `largest` for each.

    A deleted file and a file that is there cannot have the same inode. The device is not compared: on btrfs and older
    overlayfs, maps shows another one than stat. Sandboxed code has one file system to write to, and makes no links.
    """
    files: dict[File, bytes] = {}
    for pid in pids:
        files |= proc.mapped(pid)
    deleted = [file for file in files.keys() - counted if not _has_name(file, files[file])]
    return largest * len(deleted)


def _has_name(file: File, path: bytes) -> bool:
    """Whether a mapped file still has the name that maps shows. The name alone proves nothing; its inode does."""
    with suppress(OSError, ValueError):
        return path.startswith(b"/") and os.lstat(path).st_ino == file[1]
    return False
