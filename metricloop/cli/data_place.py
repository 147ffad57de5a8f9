"""`metricloop init`: where a data set lies and which format it has, by --data, --labels, --images and --format."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from metricloop.data.formats import SourceError, matching, recognise
from metricloop.data.formats.place import base_of
from metricloop.data.pictures import SUFFIXES
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
    top = Path(os.path.abspath(data))
    if not top.exists():
        raise WorkspaceError(f"--data: {top} does not exist{nearest_beside(top)}")
    source = top
    if labels is not None:
        source = _label_place("--labels", labels, top)
    root = base_of(top) if source == top or source.is_relative_to(top) else top
    if images is not None:
        root = Path(os.path.abspath(images))
        if not root.is_dir():
            raise WorkspaceError(f"--images: {root} is no folder; give the folder that holds the pictures")
    kind = _recognised(source, "--data" if source == top else "--labels") if form == "auto" else form
    if images is not None and kind in FIXED and not source.is_relative_to(root):
        raise WorkspaceError(f"--images: {kind} data says itself where its pictures lie; correct it there: {source}")
    return Where(str(source), str(root), kind)


def nearest_beside(path: Path) -> str:
    """The end of a message about a path that does not exist: the most similar name in its folder, or what to give."""
    above = next((parent for parent in path.parents if parent.is_dir()), path)
    wanted = path.relative_to(above).parts[0] if path != above else path.name
    names = {own.name.casefold(): own for own in above.iterdir()} if above.is_dir() else {}
    near = get_close_matches(wanted.casefold(), names, 1)
    return f"; did you mean {names[near[0]]}?" if near else "; give the folder or annotation file of the data set"


def _recognised(source: Path, option: str) -> str:
    """Recognise the format of `source`, which `option` names.

    Errors: SourceError; WorkspaceError if `source` is a picture, or one file of a data set that is a folder.
    """
    try:
        return recognise(source)
    except SourceError:
        if source.is_file() and (found := matching(source.parent)):
            told = command_line(option, source.parent)
            raise WorkspaceError(
                f"{option}: {source} is one file of {found[0]} data; give its folder: {told}"
            ) from None
        if source.suffix.lower() in SUFFIXES:
            raise WorkspaceError(f"{option}: {source} is a picture; give the folder or file of the labels") from None
        raise


def truth_of(truth: str | None, data: str) -> str:
    """Find the file that --truth names, in the data set or in the current folder; "" if none is named. Errors:
    WorkspaceError."""
    return "" if truth is None else str(_label_place("--truth", truth, Path(os.path.abspath(data))))


def _label_place(option: str, typed: str, top: Path) -> Path:
    """The label file or folder that an option names, in the data set or else in the current folder."""
    tried = [*[top / typed] * top.is_dir(), Path(os.path.abspath(typed))]
    found = next((path for path in tried if path.exists()), None)
    if found is None:
        raise WorkspaceError(f"{option}: {tried[0]} does not exist; give a label file, or a folder of label files")
    return found
