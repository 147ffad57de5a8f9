"""Which picture belongs to a label file of its own: the one of the same name, else the one that the file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from metricloop.data.formats.paths import LOOSER, TailIndex, parts_of, stem_of
from metricloop.data.formats.picture_index import PictureIndex, Wanted
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem

UNSURE = "picture cannot be told for certain"


class Label(NamedTuple):
    """A label file of one picture, and the picture that it names ("" if none)."""

    path: Path
    stated: str


def match_labels(place: Place, labels: Sequence[Label], problems: list[Problem]) -> dict[Path, Path]:
    """Label file -> picture, for those that have one for certain; the others are listed where there is a doubt.

    The name of the label file decides. The name within it counts where no picture has the file's name, and between
    pictures that differ only in their extension.
    """
    found: dict[Path, Path] = {}
    folders: dict[Path, dict[str, list[Path]]] = {}
    left: list[Label] = []
    for label in labels:
        same = next((same for folder in _near(label.path) if (same := _of_stem(place, folder, label, folders))), [])
        if len(same) == 1:
            found[label.path] = same[0]
        elif same:
            names = " or ".join(path.name for path in same)
            problems.append(Problem(str(label.path), UNSURE, f"left out (it may be {names})"))
            problems += [Problem(str(path), UNSURE, f"left out (one label file for {names})") for path in same]
        else:
            left.append(label)
    if left:
        _match_in_index(place, left, found, problems)
    return found


def _near(path: Path) -> list[Path]:
    """Where the picture of a label file usually lies."""
    folders = [path.parent]
    if path.parent.name.lower().startswith(("annotation", "label", "xml")):
        folders = [path.parent.parent / name for name in ("JPEGImages", "images", "Images", "")] + folders
    return folders


def _of_stem(place: Place, folder: Path, label: Label, folders: dict[Path, dict[str, list[Path]]]) -> list[Path]:
    """The pictures in a folder with the stem of the label file; one, if the label file names it."""
    if folder not in folders:
        stems = folders[folder] = {}
        for path in place.pictures_in(folder):
            stems.setdefault(path.stem, []).append(path)
    same = folders[folder].get(label.path.stem, [])
    if len(same) > 1:
        name = (parts_of(label.stated) or ("",))[-1]
        return [path for path in same if path.name == name] or same
    return same


def _match_in_index(place: Place, labels: Sequence[Label], found: dict[Path, Path], problems: list[Problem]) -> None:
    """By the names of the label files anywhere in the data set, then by the names within them."""
    index = PictureIndex.of(place)
    start = len(place.base.parts)
    stems = TailIndex([(*place.parts(path)[:-1], stem_of(path.name)) for path in index.paths])
    ways: Counter[str] = Counter()
    example: dict[str, str] = {}
    doubts: dict[Path, str] = {}
    for by_stem in (True, False):
        taken = set(found.values())
        guesses: dict[Path, list[tuple[Label, str]]] = {}
        for label in labels:
            if label.path in found:
                continue
            own = "/".join((*label.path.parts[start:-1], stem_of(label.path.name)))
            guess = (
                stems.find(own, _nearer(index, label)) if by_stem else index.look_up(Wanted(label.stated, label.path))
            )
            if guess.row is not None:
                guesses.setdefault(index.paths[guess.row], []).append((label, guess.how))
            elif guess.rivals:
                names = " or ".join(place.relative(index.paths[row]) for row in guess.rivals[:2])
                doubts.setdefault(label.path, f"left out (it may be {names})")
        for path, rows in guesses.items():
            if path in taken or len(rows) > 1:
                why = "it has a label file of its name" if path in taken else f"{len(rows)} label files may mean it"
                doubts.update({label.path: f"left out ({path.name}: {why})" for label, _ in rows})
                continue
            label, how = rows[0]
            found[label.path] = path
            if how not in ("", LOOSER[0]):
                ways[how] += 1
                example.setdefault(how, f"{label.path.name} -> {place.relative(path)}")
    problems += [Problem(str(path), UNSURE, why) for path, why in doubts.items() if path not in found]
    problems += [
        Problem(str(place.base), f"picture found {how}", f"{count} pictures found so (such as {example[how]})")
        for how, count in sorted(ways.items())
    ]


def _nearer(index: PictureIndex, label: Label) -> list[Callable[[int], bool]]:
    """Which pictures of one name to prefer: first those in the folder for pictures, then those near the label file."""
    folders = [index.place.further, label.path.parent.parent]
    return [partial(_lies_in, index, folder) for folder in folders if folder]


def _lies_in(index: PictureIndex, folder: Path, row: int) -> bool:
    return folder in index.paths[row].parents
