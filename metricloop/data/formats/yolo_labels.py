"""Where the label file of a picture lies in a YOLO data set, and pictures that share one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from metricloop.data.formats.paths import LOOSER, TailIndex
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import Problem

IMAGES = ("images", "imgs", "jpegimages")


@dataclass(frozen=True)
class LabelFiles:
    """Finds label files; remembers how. base: folders above it have no say in where labels lie."""

    place: Place
    base: Path
    _folders: dict[Path, _Names] = field(default_factory=dict)
    _ways: Counter = field(default_factory=Counter)
    _examples: dict[str, tuple[Path, Path]] = field(default_factory=dict)

    def tried(self, picture: Path) -> list[Path]:
        """Where a label file may lie, the likeliest first."""
        below = picture.relative_to(self.base).parts if picture.is_relative_to(self.base) else picture.parts
        head = Path(*picture.parts[: len(picture.parts) - len(below)])
        folders: list[Path] = []
        at = next((k for k in range(len(below) - 2, -1, -1) if below[k].lower() in IMAGES), None)
        if at is not None:
            above = head.joinpath(*below[:at])
            names = (name for name, is_dir in self.place.entries(above).items() if is_dir and name.lower() == "labels")
            folders.append(above.joinpath(next(names, "labels"), *below[at + 1 : -1]))
        folders += [picture.parent, picture.parent / "labels"]
        if at is None:
            folders.append(head.joinpath("labels", *below[:-1]))
        return [folder / f"{picture.stem}.txt" for folder in folders]

    def of(self, picture: Path) -> Path | None:
        """The label file of a picture: of the same stem, or of its whole name with .txt behind. It may be one that is
        not opened, such as a link that leads out; then its picture cannot be used.
        """
        tried = self.tried(picture)
        for path in tried:
            for option in (path, path.with_name(f"{picture.name}.txt")):
                if self.place.is_file(option) or str(option) in self.place.refused:
                    return option
        for path in tried:
            index = self._index(path.parent)
            found = index.find(picture.stem)
            if found.row is not None:
                own = path.parent / index.names[found.row]
                self._ways[found.how] += 1
                self._examples.setdefault(found.how, (own, picture))
                return own
        return None

    def _index(self, folder: Path) -> _Names:
        if folder not in self._folders:
            self._folders[folder] = _Names([path.name for path in self.place.files(folder, [".txt"])])
        return self._folders[folder]

    def problems(self) -> list[Problem]:
        """How label files were found whose names differ from those of their pictures, once per kind."""
        found = []
        for how, count in sorted(self._ways.items()):
            if how not in ("", LOOSER[0]):
                file, picture = self._examples[how]
                action = f"{count} label files found so (such as {file.name} for {picture.name})"
                found.append(Problem(str(file), f"label file found {how}", action))
        return found


class _Names(TailIndex):
    """The label files of one folder by their stems."""

    def __init__(self, names: list[str]):
        super().__init__([(Path(name).stem,) for name in names])
        self.names = names


def shared(files: Iterable[tuple[Path, Path | None]]) -> dict[Path, list[Path]]:
    """Label file -> pictures, for the label files that belong to more than one picture."""
    pictures: dict[Path, set[Path]] = {}
    for picture, file in files:
        if file is not None:
            pictures.setdefault(file, set()).add(picture)
    return {file: sorted(own) for file, own in pictures.items() if len(own) > 1}
