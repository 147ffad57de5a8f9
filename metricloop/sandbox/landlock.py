"""Landlock: the kernel limits which files a process and its children may use (landlock(7), Linux 5.13).

The only binding on PyPI is a development release: it takes an old errno for a new failure and knows neither network
nor scope rules. So the three calls are made here (docs/decisions/007).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from metricloop.sandbox.libc import (
    PR_SET_NO_NEW_PRIVS,
    SYS_LANDLOCK_ADD_RULE,
    SYS_LANDLOCK_CREATE_RULESET,
    SYS_LANDLOCK_RESTRICT_SELF,
    prctl,
    syscall,
)

# linux/landlock.h. An access that is handled, and not allowed by a rule, is refused.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << n for n in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << n for n in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX_SOCKET, SCOPE_SIGNAL = 1, 2
RULE_PATH_BENEATH = 1
GET_VERSION = 1

READ = READ_FILE | READ_DIR
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE
SCRATCH = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER  # no links, no sockets
FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the rights that make sense for a single file
SIGNALS_ABI = 6  # from this version on Landlock keeps signals within the process tree


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr: what is handled."""

    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr: what is allowed beneath an open folder, or for an open file."""

    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """The version of Landlock that the running kernel offers; 0 without Landlock."""
    try:
        return syscall(SYS_LANDLOCK_CREATE_RULESET, 0, 0, GET_VERSION)
    except OSError:
        return 0


def handled(version: int) -> int:
    """Every file access that this version of Landlock can refuse."""
    newer = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
    return (1 << 13) - 1 | sum(right for since, right in newer.items() if version >= since)


def open_places(paths: Iterable[str | Path]) -> list[int]:
    """Descriptors that name files or folders without opening them (O_PATH); missing paths are left out."""
    places = []
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            places.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
    return places


def restrict(allowed: Mapping[int, int], version: int) -> None:
    """Refuse every file access that is not allowed, to this thread and all it starts.

    allowed: rights by descriptor of a file or folder. TCP, abstract UNIX sockets and signals to the outside are refused
    too when the version supports that.
    """
    access = handled(version)
    wanted = _Ruleset(
        access,
        BIND_TCP | CONNECT_TCP if version >= 4 else 0,
        SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL if version >= SIGNALS_ABI else 0,
    )
    size = 24 if version >= SIGNALS_ABI else 16 if version >= 4 else 8  # older kernels know a shorter struct
    ruleset = syscall(SYS_LANDLOCK_CREATE_RULESET, ctypes.byref(wanted), size, 0)
    try:
        for place, rights in allowed.items():
            rights &= access if _is_folder(place) else access & FILE_ONLY
            beneath = _PathBeneath(rights, place)
            syscall(SYS_LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(beneath), 0)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _is_folder(place: int) -> bool:
    return (os.fstat(place).st_mode & 0o170000) == 0o040000
