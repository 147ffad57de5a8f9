"""The files of the data set that a study rests on: whether they are there, and whether they have changed.

Files outside the workspace are watched through a fingerprint, which `metricloop` writes before it asks DVC. DVC itself
would read all of them, and stop at a link that leads nowhere or a name that is no text. How files at a URL are watched
is told in `url_watch`.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.data import door
from metricloop.data.storage import hurried
from metricloop.data.urls import is_url, path_of, stated
from metricloop.params import Data
from metricloop.text.shell import command_line

WATCHED = f"      - {layout.FINGERPRINT}\n"
READ = "      - ${data.source}\n      - ${data.root}\n"
NOTE = "# Names, sizes and times of the data set's files. Written by metricloop, so that DVC notices changes.\n"


class MissingDataError(FileNotFoundError):
    """The data set is not where params.yaml says; the message says how to go on."""


def is_inside(folder: Path, data: Data) -> bool:
    """Whether the data set was drawn in the workspace or imported into it; DVC then keeps it."""
    top = os.path.abspath(folder / layout.SOURCE)
    return door.inside(os.path.abspath(folder / data.place), [top])


def wire_source(stages: str, inside: bool) -> str:
    """The text of dvc.yaml in which `ingest` reads the data set's own files, or the fingerprint of those outside."""
    old, new = (WATCHED, READ) if inside else (READ, WATCHED)
    return stages.replace(old, new, 1)


def look_through(folder: Path, data: Data) -> str | None:
    """The text of fingerprint.yaml for a data set outside the workspace; None for one inside, or where it is gone."""
    if is_inside(folder, data) or missing(folder, data):
        return None
    from metricloop.data.fingerprint import fingerprint  # slow to load, and not needed for data inside the workspace
    from metricloop.data.formats.place import base_of

    further = data.outside if isinstance(data.outside, tuple) else ()
    places = [_root(folder, data), *(folder / path_of(name) for name in further)]
    if any(is_url(place) for place in (data.place, *places)):
        from metricloop.study.url_watch import fingerprint_with_urls

        found = fingerprint_with_urls(folder, [folder / data.place, *places])
        return None if found is None else NOTE + yaml.safe_dump(found._asdict(), sort_keys=False)
    found = fingerprint([base_of(folder / data.place), *places])
    return NOTE + yaml.safe_dump(found._asdict(), sort_keys=False)


def missing(folder: Path, data: Data, *, pictures: bool = False) -> str:
    """What is missing of the data set, and what to do; "" where it is there, or is still to be drawn.

    pictures: look for the folder of the pictures only, for what is done after `ingest`.
    """
    needed = [_root(folder, data)] if pictures else [folder / data.place, _root(folder, data)]
    try:
        with hurried():
            gone = [path for path in needed if not door.exists(path) or _empty(path)]
    except (door.AwayError, door.MissingPackageError) as error:
        return f"the data set cannot be read: {error}"
    if not gone:
        return ""
    path = stated(os.path.abspath(gone[0]))
    if is_inside(folder, data):
        imported = (folder / f"{layout.SOURCE}.dvc").is_file()
        bring = f"cd {command_line(folder)} && dvc checkout {layout.SOURCE}.dvc, or dvc pull {layout.SOURCE}.dvc"
        return f"the data set {path} is not here; bring it with: {bring}" if imported else ""
    moved = command_line("metricloop", "relocate", "PATH", "-C", folder)
    state = "empty" if not is_url(gone[0]) and os.path.exists(path) else "gone"
    return f"the data set {path} is {state}; put it back, or say where it is now: {moved}"


def check_there(folder: Path, data: Data, *, pictures: bool = False) -> None:
    """Check that the data set is where params.yaml says; pictures: as in `missing`. Errors: MissingDataError."""
    if said := missing(folder, data, pictures=pictures):
        raise MissingDataError(said)


def _empty(path: Path) -> bool:
    """Whether a folder holds nothing, as that of a disk that is not mounted."""
    return not is_url(path) and path.is_dir() and next(os.scandir(path), None) is None


def _root(folder: Path, data: Data) -> Path:
    return folder / path_of(data.root or data.source)
