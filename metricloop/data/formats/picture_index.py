"""Which picture every entry of the labels means: one index of the pictures of a data set, used by all readers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from metricloop.data.formats.paths import LONGEST, LOOSER, Found, TailIndex, parts_of
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem
from metricloop.data.formats.split_names import split_of
from metricloop.data.packed import parts_of as packed_parts

Key = TypeVar("Key", bound=Hashable)  # of an entry


class Wanted(NamedTuple):
    """A picture that an entry of the labels names.

    name: as stated; label: the label file; near: folders in which the name is looked for first, as it stands.
    """

    name: str
    label: Path
    near: tuple[Path, ...] = ()


@dataclass(frozen=True)
class PictureIndex:
    """The pictures below a folder, by the tails of their paths."""

    place: Place
    paths: tuple[Path, ...]
    tails: TailIndex

    @classmethod
    def of(cls, place: Place, paths: Sequence[Path] | None = None) -> PictureIndex:
        """paths: the pictures; by default all below the place."""
        paths = tuple(place.pictures if paths is None else paths)
        return cls(place, paths, TailIndex([place.parts(path) for path in paths]))

    def look_up(self, wanted: Wanted) -> Found:
        """What the labels mean, by name alone; between equally good files, one in the place's `further` folder or near
        the label file is preferred."""
        beside = f"{wanted.label.parent}{os.sep}"
        split = split_of(wanted.label.stem)
        prefer = [lambda row: str(self.paths[row]).startswith(beside)]
        if further := self.place.further:
            prefer.insert(0, lambda row: further in self.paths[row].parents)
        if split:
            prefer.append(lambda row: split_of(*self.place.parts(self.paths[row])[:-1]) == split)
        return self.tails.find(wanted.name, prefer)


def match_pictures(place: Place, wanted: Mapping[Key, Wanted], problems: list[Problem]) -> dict[Key, Path]:
    """The picture of every entry that has one. What is not found, or not for certain, is listed.

    A picture that one entry names exactly belongs to no entry that only resembles it; two different names that lead
    to one picture lead to none.
    """
    found: dict[Key, Path] = {}
    for key, entry in wanted.items():
        exact = _exact(place, entry if place.further is None else entry._replace(near=(place.further, *entry.near)))
        if exact is not None:
            found[key] = exact
    if len(found) < len(wanted):
        _match_loosely(place, wanted, found, problems)
    return {key: found[key] for key in wanted if key in found}


def leads_out(place: Place, entry: Wanted) -> bool:
    """Whether the name of an entry leads to something that exists, but lies where nothing may be read."""
    name = entry.name.replace("\\", "/")
    if not name or len(name) > LONGEST or "\0" in name:
        return False
    try:
        options = [path for folder in entry.near if os.path.exists(path := os.path.join(folder, name))]
    except (OSError, ValueError):  # also UnicodeEncodeError
        return False
    return any(not place.admits(path) for path in options)


def _exact(place: Place, entry: Wanted) -> Path | None:
    name = entry.name.replace("\\", "/")
    if not name or len(name) > LONGEST or "\0" in name:
        return None
    for folder in entry.near:
        path = Path(os.path.abspath(os.path.join(folder, name)))
        if place.is_file(path):
            return path
    return None


def _match_loosely(place: Place, wanted: Mapping[Key, Wanted], found: dict[Key, Path], problems: list[Problem]) -> None:
    taken = set(found.values())
    index = PictureIndex.of(place)
    guesses: dict[Path, list[tuple[Key, str]]] = {}
    for key, entry in wanted.items():
        if key in found:
            continue
        guess = index.look_up(entry)
        if guess.row is not None:
            guesses.setdefault(index.paths[guess.row], []).append((key, guess.how))
        elif guess.rivals:
            rivals = " or ".join(place.relative(index.paths[row]) for row in guess.rivals[:2])
            problems.append(
                Problem(_stated(entry), "picture cannot be told for certain", f"left out (it may be {rivals})")
            )
    kinds: Counter[str] = Counter()
    examples: dict[str, tuple[Path, str]] = {}
    for path, rows in guesses.items():
        names = {parts_of(wanted[key].name) for key, _ in rows}
        if path in taken or len(names) > 1:
            why = "another entry names it exactly" if path in taken else f"{len(names)} names lead to it"
            problems += [
                Problem(_stated(wanted[key]), "picture cannot be told for certain", f"left out ({path.name}: {why})")
                for key, _ in rows
            ]
            continue
        for key, how in rows:
            found[key] = path
            if how and not (how == LOOSER[0] and packed_parts(path)):  # labels do not say which tar holds a picture
                kinds[how] += 1
                examples.setdefault(how, (path, wanted[key].name))
    for how, count in sorted(kinds.items()):
        path, name = examples[how]
        action = f"{count} pictures found so (such as {name[-200:]} -> {place.relative(path)})"
        problems.append(Problem(str(path), f"picture found {how}", action))


def _stated(entry: Wanted) -> str:
    """The name as the labels state it, below the folder of the label file."""
    name = entry.name[:LONGEST].replace("\\", "/")
    return str(entry.label.parent / name) if not name.startswith("/") else name
