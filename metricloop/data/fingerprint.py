"""A fingerprint of the files of a data set: their names, sizes and times, without opening any of them.

It notices that a picture or label file was changed, added or removed. 100,000 files take about half a second, where
reading them would take minutes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from metricloop import layout
from metricloop.data import door

WORKSPACE = {layout.PARAMS, layout.ARMS, layout.STAGES}  # files by which one is told
LINK = -2  # in place of a size: a link to a folder of the set, which is no file of its own


class Fingerprint(NamedTuple):
    """files: how many; bytes: of all together; digest: of names, sizes and times."""

    files: int
    bytes: int
    digest: str


def fingerprint(folders: Iterable[Path | str]) -> Fingerprint:
    """The fingerprint of all files below some folders, hidden ones left out; a folder below another counts once.

    A link to a file stands for the file, and a link to a folder for what is in it, unless that lies in one of the
    folders already. A workspace that lies among them is left out: it changes while it works. What cannot be looked at,
    such as a link that leads nowhere, counts by its name. Nothing is opened, so a pipe does no harm.
    """
    total = hashlib.sha256()
    files = size = 0
    for name, length, changed in sorted(_files(folders)):
        total.update(b"%b\0%d\0%d\0" % (name, length, changed))
        files, size = files + (length != LINK), size + max(length, 0)
    return Fingerprint(files, size, total.hexdigest()[:32])


def _files(folders: Iterable[Path | str]) -> Iterator[tuple[bytes, int, int]]:
    """(path, bytes, times in ns) of every file; paths are relative to their folder, and begin with its number.

    The time is the sum of those of the content and of the file itself (its name, its rights): two files that change
    places keep the first.
    """
    tops = list(dict.fromkeys(os.path.realpath(folder) for folder in folders))
    tops = [top for top in tops if not any(other != top and door.inside(top, [other]) for other in tops)]
    seen = set(tops)
    todo = [(top, f"{number}") for number, top in enumerate(tops)]
    for top, shown in [(top, shown) for top, shown in todo if os.path.isfile(top)]:  # a tar
        todo.remove((top, shown))
        yield _file(shown, os.stat(top))
    while todo:
        folder, shown = todo.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError:
            yield os.fsencode(f"{shown}/"), -1, 0
            continue
        if folder not in tops and {entry.name for entry in entries} >= WORKSPACE:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{shown}/{entry.name}"
            try:
                if entry.is_dir():
                    if entry.is_symlink() and not _new(real := os.path.realpath(entry.path), tops, seen):
                        yield os.fsencode(f"{name} -> {os.readlink(entry.path)}"), LINK, 0
                        continue
                    todo.append((real if entry.is_symlink() else entry.path, name))
                    continue
                yield _file(name, entry.stat())
            except OSError:
                yield os.fsencode(name), -1, 0


def _file(name: str, state: os.stat_result) -> tuple[bytes, int, int]:
    return os.fsencode(name), state.st_size, state.st_mtime_ns + state.st_ctime_ns


def _new(real: str, tops: list[str], seen: set[str]) -> bool:
    """Whether a folder that a link leads to is looked at for the first time."""
    if real in seen or door.inside(real, tops) or any(door.inside(top, [real]) for top in tops):
        return False
    seen.add(real)
    return True
