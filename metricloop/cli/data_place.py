"""`metricloop init`: where a data set lies and which format it has, by --data, --labels, --images and --format."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from metricloop.data import door
from metricloop.data.formats import SourceError, matching, recognise
from metricloop.data.formats.place import base_of
from metricloop.data.pictures import SUFFIXES
from metricloop.data.urls import URLError, is_url, path_of, stated
from metricloop.study.commits import WorkspaceError
from metricloop.text.shell import command_line

FIXED = ("yolo", "ytvos")  # formats that say themselves where their pictures lie


class Where(NamedTuple):
    """Where a data set is, and its format: values for the section data of params.yaml."""

    source: str
    root: str
    format: str


def place_of(data: str, labels: str | None, images: str | None, form: str = "auto") -> Where:
    """Find source, root and format of a data set, from the options --data, --labels, --images and --format.

    labels: relative to `data` or to the current folder. Errors: WorkspaceError, SourceError.
    """
    top = _typed("--data", data)
    if not door.exists(top):
        raise WorkspaceError(f"--data: {stated(top)} does not exist{nearest_beside(top)}")
    source = top
    if labels is not None:
        source = _label_place("--labels", labels, top)
    root = base_of(top) if source == top or source.is_relative_to(top) else top
    if images is not None:
        root = _typed("--images", images)
        if not door.is_dir(root):
            raise WorkspaceError(f"--images: {stated(root)} is no folder; give the folder that holds the pictures")
    kind = _recognised(source, "--data" if source == top else "--labels") if form == "auto" else form
    if images is not None and kind in FIXED and not source.is_relative_to(root):
        raise WorkspaceError(
            f"--images: {kind} data says itself where its pictures lie; correct it there: {stated(source)}"
        )
    return Where(stated(source), stated(root), kind)


def _typed(option: str, place: str) -> Path:
    """A place that was typed, absolute. Errors: WorkspaceError for a URL that cannot be used."""
    try:
        return Path(os.path.abspath(path_of(place)))
    except URLError as error:
        raise WorkspaceError(f"{option}: {error}") from None


def nearest_beside(path: Path) -> str:
    """The end of a message about a path that does not exist: the most similar name in its folder, or what to give."""
    if is_url(path):
        return "; give the folder or annotation file of the data set"
    above = next((parent for parent in path.parents if parent.is_dir()), path)
    wanted = path.relative_to(above).parts[0] if path != above else path.name
    names = {own.name.casefold(): own for own in above.iterdir()} if above.is_dir() else {}
    near = get_close_matches(wanted.casefold(), names, 1)
    return f"; did you mean {names[near[0]]}?" if near else "; give the folder or annotation file of the data set"


def _recognised(source: Path, option: str) -> str:
    """Recognise the format of `source`, which `option` names.

    Errors: SourceError; WorkspaceError if `source` is a picture, one file of a data set that is a folder, or the folder
    that holds that of the data set.
    """
    try:
        return recognise(source)
    except SourceError:
        if (inner := _only_folder(source)) and (found := matching(inner)):
            told = command_line(option, stated(inner))
            raise WorkspaceError(
                f"{option}: {stated(source)} holds nothing but the folder {inner.name}, which is {found[0]} data; "
                f"give that: {told}"
            ) from None
        if door.is_file(source) and (found := matching(source.parent)):
            told = command_line(option, stated(source.parent))
            raise WorkspaceError(
                f"{option}: {stated(source)} is one file of {found[0]} data; give its folder: {told}"
            ) from None
        if source.suffix.lower() in SUFFIXES:
            raise WorkspaceError(
                f"{option}: {stated(source)} is a picture; give the folder or file of the labels"
            ) from None
        raise


def _only_folder(source: Path) -> Path | None:
    """The one folder in a folder or an archive that holds nothing else; None if there is more, or less."""
    if not door.is_dir(source):
        return None
    names = [name for name in door.names_in(source) if not name.startswith((".", "__MACOSX"))]
    return source / names[0] if len(names) == 1 and door.is_dir(source / names[0]) else None


def truth_of(truth: str | None, data: str) -> str:
    """Find the file that --truth names, in the data set or in the current folder; "" if none is named. Errors:
    WorkspaceError."""
    if truth is None:
        return ""
    found = _label_place("--truth", truth, _typed("--data", data))
    if is_url(found):
        raise WorkspaceError(f"--truth: {stated(found)} has to lie on this machine: fetch it, and give the file")
    return str(found)


def _label_place(option: str, typed: str, top: Path) -> Path:
    """The label file or folder that an option names, in the data set or else in the current folder."""
    own = _typed(option, typed)
    tried = [own] if is_url(own) else [*[top / typed] * door.is_dir(top), own]
    found = next((path for path in tried if door.exists(path)), None)
    if found is None:
        raise WorkspaceError(
            f"{option}: {stated(tried[0])} does not exist; give a label file, or a folder of label files"
        )
    return found
