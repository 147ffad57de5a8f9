"""Raise the walls: what a forked process does to itself before untrusted code starts. It cannot be undone.

Runs inside the child of the zygote. Any failure here ends the child, so code never runs with only some of the walls.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from itertools import filterfalse

from metricloop.sandbox import landlock, libc

KEPT, MOST_KEPT = 100, 16  # descriptors of library folders, where the user could not reach them by name

# Every wall by name. The supervisor raises all of them. Tests leave one out, to see that the self-test notices.
WALLS = frozenset({
    "environment",  # the zygote starts with no environment variable
    "user",         # root changes to an unused user id; capabilities are given up
    "descriptors",  # every descriptor except those of the job is closed
    "group",        # its own process group, ended as a whole
    "parent",       # the kernel ends it when its parent ends
    "memory",       # RLIMIT_AS, and in a project the supervisor's sum over the tree
    "time",         # RLIMIT_CPU, and the supervisor's clock
    "processes",    # RLIMIT_NPROC, and in a project the supervisor's count
    "files",        # RLIMIT_FSIZE and RLIMIT_NOFILE, and in a project the supervisor's sum over the scratch folder
    "core",         # no core dump, a copy of memory on disk or in a pipe
    "landlock",     # it reads the interpreter and its packages, writes to its scratch folder, and opens no other file
    "seccomp",      # an allow-list of system calls
    "seals",        # shared images in memory cannot be changed
})  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What the supervisor tells the zygote about one child. Nothing in it comes from untrusted code.

    entry: "module:function" of a module that the zygote has imported; it gets the descriptors and `arguments`.
    memory: bytes of address space on top of the present ones. processes: 0 when none may be started.
    filter: hexadecimal seccomp program. seen: the supervisor reads /proc of this child.
    """

    entry: str
    arguments: dict
    walls: tuple[str, ...]
    memory: int
    cpu_seconds: int
    processes: int
    open_files: int
    file_bytes: int
    scratch: str | None
    filter: str
    seen: bool


def raise_all(order: Order, descriptors: list[int], readable: dict[int, int], version: int, parent: int) -> None:
    """Raise the walls of an order around this process; `descriptors` get their new, low numbers in place.

    readable: Landlock rights by descriptor of a folder or file. version: of Landlock. parent: pid of the zygote.
    """
    walls = order.walls
    if "group" in walls:
        os.setpgid(0, 0)
    os.umask(0o022)  # so that the supervisor, as the same user, can count and remove new files
    if "parent" in walls:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise RuntimeError("the zygote ended while its child started")
    allowed = dict(readable)
    if order.scratch is not None:
        os.chdir(order.scratch)
        allowed[os.open(".", os.O_PATH | os.O_CLOEXEC)] = landlock.SCRATCH
    address_space = _address_space()  # /proc cannot be read from here on
    if "core" in walls and not order.seen:
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
    if "user" in walls and libc.capabilities():
        raise RuntimeError("it still has capabilities")
    if "landlock" in walls:
        landlock.restrict(allowed, version)
    descriptors[:] = _renumber(descriptors, walls)
    set_limits(order, address_space)
    if "seccomp" in walls:
        libc.install_filter(bytes.fromhex(order.filter))


def set_limits(order: Order, address_space: int) -> None:
    """Set the kernel's limits, hard and soft. They are per process; the supervisor watches the sum over a tree."""
    wanted = {
        "memory": {"AS": address_space + order.memory, "MEMLOCK": 0},
        "time": {"CPU": order.cpu_seconds},
        "processes": {"NPROC": order.processes},
        "files": {"FSIZE": order.file_bytes, "NOFILE": order.open_files},
        "core": {"CORE": 1},  # not 0, which a core_pattern that is a pipe takes for "any size" (fs/coredump.c)
    }
    for wall, values in wanted.items():
        for name, value in values.items() if wall in order.walls else ():
            kind = getattr(resource, f"RLIMIT_{name}")
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _renumber(descriptors: list[int], walls: Collection[str]) -> list[int]:
    """Move the job's descriptors to 3, 4, ...; send standard streams to /dev/null; close all others."""
    high = [fcntl.fcntl(d, fcntl.F_DUPFD, 3 + len(descriptors)) for d in descriptors]  # out of each other's way
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    low = [os.dup2(d, 3 + n) for n, d in enumerate(high)]
    if "descriptors" in walls:
        libc.close_range(3 + len(low), KEPT - 1)
        for number in filterfalse(names_only, range(KEPT, KEPT + MOST_KEPT)):
            with suppress(OSError):
                os.close(number)
        libc.close_range(KEPT + MOST_KEPT)
    return low


def names_only(descriptor: int) -> bool:
    """Whether a descriptor was opened with O_PATH, so that nothing can be read or written with it."""
    try:
        return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH)
    except OSError:
        return False
