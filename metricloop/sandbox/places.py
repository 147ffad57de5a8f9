"""Facts about this machine: the folders of Python's packages, and an unused user id."""

from __future__ import annotations

import os
import random
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

# Shared libraries that packages load at run time, what the loader reads for it, and the rules of time zones.
SYSTEM_LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom",
    "/usr/share/zoneinfo",
)  # fmt: skip


def library_folders() -> list[str]:
    """The folders of the interpreter and the installed packages. Sandboxed code may read these and its own files."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    places = [sysconfig.get_path(kind, vars=variables) for variables in ({}, base) for kind in kinds]
    places.append(str(Path(sysconfig.get_path("stdlib", vars=base)) / "lib-dynload"))
    return [place for place in dict.fromkeys(places) if Path(place).is_dir()]


def readable_places() -> list[str]:
    """The folders and files that Landlock lets sandboxed code read."""
    return [*library_folders(), *(place for place in SYSTEM_LIBRARIES if Path(place).exists())]


def unused_user() -> int | None:
    """A user id without an account or a process, valid in this user namespace; None if none is found."""
    import pwd

    ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    inside, _, length = max(ranges, key=lambda one: one[2])
    # Above the ids of people, services and containers; in a container with 65,536 ids, a range that is free there.
    low, high = (2_000_000_000, 2_100_000_000) if inside + length > 2_100_000_000 else (60_514, 61_183)
    low, high = max(low, inside), min(high, inside + length - 1)
    if low > high:
        return None
    running = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            running.add(os.stat(entry).st_uid)
    chance = random.SystemRandom()
    for _ in range(100):
        user = chance.randint(low, high)
        try:
            pwd.getpwuid(user)
        except KeyError:
            if user not in running:
                return user
    return None
