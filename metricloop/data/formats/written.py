"""Which folders this user has had written with links to pictures, and where the links lead.

A data set may come from anybody, so its links that lead out are not followed. Folders of our own are known by a file in
the user's home, which no data set can write; a note within the folder could be anybody's.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from metricloop.data.tables import replacing

MOST = 1000  # folders that are remembered, the newest


def remember_links(folder: Path, root: Path) -> None:
    """Note in the user's state folder that we wrote the links in `folder`, which lead to pictures in `root`.

    Where that cannot be written down, the folder is read like any other.
    """
    known = _known()
    own = os.path.realpath(folder)
    known.pop(own, None)
    entries = [*known.items(), (own, os.path.realpath(root))][-MOST:]
    with suppress(OSError, RuntimeError), replacing(_file()) as temporary:
        temporary.write_text(json.dumps(dict(entries), indent=1))


def links_of(source: Path) -> str:
    """The folder to which the links of a folder lead that was written here, or that holds this label file; else ""."""
    known = _known()
    real = Path(os.path.realpath(source))
    return next((known[str(folder)] for folder in (real, *real.parents[:2]) if str(folder) in known), "")


def _known() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError, RuntimeError):  # RuntimeError: there is no home
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _file() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base, "metricloop", "written.json")
