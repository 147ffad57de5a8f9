"""What the sandbox needs to know of this machine: where Python's packages lie, and a user id that nobody has."""

from __future__ import annotations

import os
import random
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

# Shared libraries, which packages load at run time, and what they read on the way.
SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom")


def library_folders() -> list[str]:
    """Where the interpreter and the installed packages lie: all that contained code may read besides its own files."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    places = [sysconfig.get_path(kind, vars=variables) for variables in ({}, base) for kind in kinds]
    places.append(str(Path(sysconfig.get_path("stdlib", vars=base)) / "lib-dynload"))
    return [place for place in dict.fromkeys(places) if Path(place).is_dir()]


def readable_places() -> list[str]:
    """The folders and files that Landlock opens to contained code for reading."""
    return [*library_folders(), *(place for place in SYSTEM_LIBRARIES if Path(place).exists())]


def unused_user() -> int | None:
    """A user id that nobody has: not in the password file, no process of its own, known to this user namespace.

    None where none is found.
    """
    import pwd

    ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    inside, _, length = max(ranges, key=lambda one: one[2])
    # Beyond what systems give to people, services and containers; in a container of 65,536 ids what is left there.
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
