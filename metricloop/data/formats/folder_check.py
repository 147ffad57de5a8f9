"""What lies in a folder that no tool should be let into: pipes, devices, links in circles, links that lead out.

For a look at a data set before a copy or DVC goes through it: they would wait for ever, never end, or stop.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from metricloop.data import door
from metricloop.data.formats.place import printable
from metricloop.data.formats.problem import Problem

MOST = 1000  # that are listed
KIND = "not a file of the data set"


def strays(folder: Path | str, *, links_out: bool = False) -> list[Problem]:
    """The entries below a folder, hidden ones too, that are neither regular files nor folders, or whose names
    are no text, as problems.

    links_out: links that lead out of the folder are allowed. No link is followed, so this always ends.
    """
    root = os.path.realpath(folder)
    found: list[Problem] = []
    for place, folders, files in os.walk(root, onerror=None):
        for name in sorted(folders) + sorted(files):
            path = os.path.join(place, name)
            why = _why(path, root, links_out)
            if why:
                found.append(Problem(printable(path), KIND, why))
                if len(found) >= MOST:
                    return found
    return found


def _why(path: str, root: str, links_out: bool) -> str:
    try:
        os.path.basename(path).encode()
    except UnicodeEncodeError:
        return "a file name that is not UTF-8"
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISLNK(mode):
            return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _special(mode)
        target = os.path.realpath(path, strict=True)
        mode = os.stat(target).st_mode
    except OSError as error:
        return f"a link that cannot be followed ({door.reason(error)})"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"a link to {_special(mode)}"
    if stat.S_ISDIR(mode) and door.inside(os.path.dirname(path), [target]):
        return "a link to a folder above itself"
    if not links_out and not door.inside(target, [root]):
        return "a link that leads out of the data set's folder"
    return ""


def _special(mode: int) -> str:
    return door.KINDS.get(stat.S_IFMT(mode), "something that is no file")
