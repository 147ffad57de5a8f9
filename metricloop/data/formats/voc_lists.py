"""The split lists of VOC data sets: ImageSets/Main/{train,val,test,trainval}.txt, at the source or below it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metricloop.data import door
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem

LISTS = (("train", "pool"), ("val", "search"), ("test", "test"), ("trainval", "pool"))
Splits = dict[Path, dict[str, tuple[str, str]]]


def list_splits(place: Place, files: Iterable[Path], problems: list[Problem]) -> Splits:
    """For each folder that holds ImageSets: stem of a label file -> its split, and the list that says so.

    files: the label files; a list may name them with blanks, folders and extensions. The lists per class are not read.
    """
    files = list(files)
    found: Splits = {}
    for folder in place.folders(place.source, 3):
        if folder.name.lower() != "imagesets":
            continue
        main = folder / "Main" if place.is_dir(folder / "Main") else folder
        home = folder.parent
        stems = {path.stem for path in files if path.is_relative_to(home)}
        own = _read_lists(place, main, stems, problems)
        if own:
            found[home] = own
    return found


def _read_lists(place: Place, main: Path, stems: set[str], problems: list[Problem]) -> dict[str, tuple[str, str]]:
    splits: dict[str, tuple[str, str]] = {}
    for name, split in LISTS:
        path = main / f"{name}.txt"
        if not place.is_file(path):
            continue
        try:
            lines = place.read_text(path).splitlines()
        except door.DoorError as error:
            problems.append(Problem(str(path), "list cannot be read", f"left out ({error})"))
            continue
        for line in lines:
            stem = _stem(line, stems)
            if stem and splits.setdefault(stem, (split, str(path)))[0] != split and name != "trainval":
                problems.append(Problem(str(path), "listed in two splits", f"kept in {splits[stem][0]} ({stem[:200]})"))
    return splits


def _stem(line: str, stems: set[str]) -> str:
    """The label file that a line names: as it stands, without folders, extension, or the mark of the lists per class.

    >>> _stem("JPEGImages/img 01.jpg", {"img 01"}), _stem("img 02  -1", {"img 02"}), _stem("9", {"8"})
    ('img 01', 'img 02', '9')
    """
    text = line.strip().strip("\"'")
    words = text.split()
    if not words:
        return ""
    marked = text[: -len(words[-1])].rstrip() if len(words) > 1 and words[-1] in ("-1", "0", "1") else text
    for option in (text, marked, words[0]):
        base = option.replace("\\", "/").rpartition("/")[2]
        for stem in (option, base, base.rpartition(".")[0]):
            if stem in stems:
                return stem
    return marked[:200]
