"""Where a data set lies that has moved: the settings of params.yaml that fit the new place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from metricloop import layout
from metricloop.data import door
from metricloop.data.tables import IMAGES, column, read_table
from metricloop.data.urls import path_of, stated
from metricloop.params import LABEL_FILES, Data
from metricloop.study.data_files import MissingDataError


class Places(NamedTuple):
    """data: with its paths at the new place. changed: those of its keys that differ. lost: pictures not found there."""

    data: Data
    changed: list[str]
    lost: list[str]


def new_places(folder: Path, data: Data, place: Path) -> Places:
    """Where the data set lies, at or below `place`: what its old paths have in common is replaced by that.

    Of several possibilities the one in which the fewest pictures of the study are missing.
    Errors: MissingDataError when nothing fits.
    """
    old = _paths(folder, data)
    moved = {key: path for key, path in old.items() if not _there(path)} or old
    names, best = _pictures(folder), None
    for new in _fitting(moved, place.parent if door.is_file(place) else place):
        found = _with(data, {key: stated(new.get(key, path)) for key, path in old.items()})
        lost = [name for name in names if not door.is_file(found.folder / name)]
        if best is None or len(lost) < len(best.lost):
            best = Places(found, [key for key in _keys(data) if getattr(found, key) != getattr(data, key)], lost)
    if best is None or (names and len(best.lost) == len(names)):
        shown = " and ".join(dict.fromkeys(PurePath(path).name for path in moved.values()))
        raise MissingDataError(
            f"{stated(place)} does not hold the data set of this study: looked there for {shown}, "
            f"which were at {stated(os.path.commonpath(list(moved.values())))}"
        )
    return best


def _there(path: str) -> bool:
    """Whether a place of before still is there; a server that is away is none."""
    try:
        return door.exists(path)
    except OSError:
        return False


def _keys(data: Data) -> list[str]:
    """The keys of `data` that hold paths and are set; data.outside may also be true or false."""
    return [key for key in ("source", "root", "second_labels") if getattr(data, key)] + [
        "outside" for _ in [0] if isinstance(data.outside, tuple)
    ]


def _paths(folder: Path, data: Data) -> dict[str, str]:
    """The absolute paths of the settings, those of data.outside under outside.0 and so on."""
    paths = {key: str(getattr(data, key)) for key in _keys(data) if key != "outside"}
    if isinstance(data.outside, tuple):
        paths |= {f"outside.{number}": name for number, name in enumerate(data.outside)}
    return {key: os.path.normpath(folder / path_of(path)) for key, path in paths.items()}


def _with(data: Data, paths: Mapping[str, str]) -> Data:
    changes: dict[str, str | tuple[str, ...]] = {key: paths[key] for key in _keys(data) if key != "outside"}
    if isinstance(data.outside, tuple):
        changes["outside"] = tuple(paths[f"outside.{number}"] for number in range(len(data.outside)))
    return data.model_copy(update=changes)


def _fitting(moved: Mapping[str, str], place: Path) -> Iterator[dict[str, Path]]:
    """New paths for the old ones that all exist, the shortest below `place` first."""
    common = PurePath(os.path.commonpath(list(moved.values())))
    for top in (common, *common.parents):
        new = {key: place / PurePath(path).relative_to(top) for key, path in moved.items()}
        if all(door.exists(path) and door.is_file(path) == (path.suffix in LABEL_FILES) for path in new.values()):
            yield new


def _pictures(folder: Path) -> Sequence[str]:
    """The pictures of the study, relative to data.root; none before `ingest` has run."""
    path = folder / layout.IMAGES
    return column(read_table(path, IMAGES), "file").tolist() if path.is_file() else []
