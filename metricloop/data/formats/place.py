"""A source while it is read: its folders listed once, its files opened through the door, its pictures in one index."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from metricloop.data import door
from metricloop.data.packed import ARCHIVES, DEEPEST, parts_of
from metricloop.data.pictures import SUFFIXES
from metricloop.data.urls import is_url, path_of

MOST = 3_000_000  # entries of one walk


@dataclass(frozen=True)
class Place:
    """Where a data set is read from.

    source: the folder or label file, absolute; top: a folder above it that holds its pictures, too; further: another
    folder that holds its pictures, which comes before the others.
    roots: real paths of the folders that may be read, None: all of this machine. urls: those of them at URLs.
    refused: path -> why it is not used (links that lead out, names that are no text); every entry becomes a problem.
    """

    source: Path
    roots: tuple[str, ...] | None
    refused: dict[str, str] = field(default_factory=dict)
    top: Path | None = None
    further: Path | None = None
    urls: tuple[str, ...] = ()
    _listed: dict[str, dict[str, bool]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The source itself, or the folder that holds the label file."""
        return self.source.parent if self.is_file(self.source) else self.source

    @cached_property
    def base(self) -> Path:
        """The folder below which the pictures are looked for: `top`, or that of the source (see `base_of`)."""
        return self.top or base_of(self.source)

    def admits(self, path: Path | str) -> bool:
        """Whether a path, links followed, lies in a folder that may be read."""
        if is_url(path):
            return door.inside(os.path.abspath(path), self.urls)
        if self.roots is None:
            return True
        try:
            return door.inside(os.path.realpath(path), self.roots)
        except (OSError, ValueError):
            return False

    def entries(self, folder: Path | str) -> dict[str, bool]:
        """The names in a folder, sorted, and whether each is a folder; no hidden ones, none that leads out."""
        key = os.path.abspath(folder) if "\0" not in str(folder) else ""
        if key not in self._listed:
            self._listed[key] = dict(sorted(self._scan(key))) if key and self.admits(key) else {}
        return self._listed[key]

    def _scan(self, folder: str) -> Iterator[tuple[str, bool]]:
        """The names in a folder. Archives count as folders where nothing else can hold the pictures, for one beside a
        folder is often what it was unpacked from.
        """
        found = dict(self._names(folder))
        packed = [name for name, is_dir in found.items() if not is_dir and name.lower().endswith(ARCHIVES)]
        beside = next((name for name, is_dir in found.items() if _may_hold_pictures(name, is_dir)), None)
        if beside is None:
            found |= dict.fromkeys(packed, True)
        elif packed and door.inside(folder, [str(self.base)]):
            why = f"{beside} lies beside it; give the archive itself, or a folder of archives and labels only"
            self.refused.update(
                {printable(os.path.join(folder, name)): why for name in packed if Path(folder, name) != self.source}
            )
        yield from found.items()

    def _names(self, folder: str) -> Iterator[tuple[str, bool]]:
        try:
            if is_url(folder):
                from metricloop.data.remote import FOLDER, listing

                own = listing(folder).states if parts_of(folder) or door.is_dir(folder) else {}
                yield from ((name, state == FOLDER) for name, state in own.items())
                return
            if (packed := door.entries_of(folder, self.roots)) is not None:
                yield from packed.items()
                return
        except door.DoorError as error:
            self.refused[printable(folder)] = str(error)
            return
        try:
            with os.scandir(folder) as found:
                listed = list(found)
        except NotADirectoryError:
            return
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                self.refused[printable(folder)] = f"folder cannot be read: {door.reason(error)}"
            return
        for entry in listed:
            if entry.name.startswith("."):  # the system's files, such as ._01.jpg and .git
                continue
            why = self._why_not(entry)
            if why:
                self.refused[printable(entry.path)] = why
            else:
                yield entry.name, entry.is_dir()

    def _why_not(self, entry: os.DirEntry) -> str:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            return "file name is not UTF-8; rename it"
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            return f"link is broken: {door.reason(error)}" if entry.is_symlink() else door.reason(error)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return "neither a file nor a folder (a named pipe, device or socket)"
        if entry.is_symlink() and not self.admits(entry.path):
            return f"link is not followed: {door.OUTSIDE}"
        return ""

    def is_file(self, path: Path | str) -> bool:
        """Whether a path is a regular file that may be read."""
        parent, name = os.path.split(str(path))
        return self.entries(parent or ".").get(name) is False

    def is_dir(self, path: Path | str) -> bool:
        """Whether a path is a folder that may be read."""
        if is_url(path):
            return self.admits(path) and door.is_dir(path)
        try:
            return self.admits(path) and door.is_dir(path)
        except ValueError:
            return False

    def files(self, folder: Path | str, suffixes: Iterable[str] = ()) -> list[Path]:
        """Files directly in a folder, sorted; only those with these suffixes (lower case), if any are given."""
        wanted = frozenset(suffixes)
        start = Path(os.path.abspath(folder))
        return [
            start / name
            for name, is_dir in self.entries(folder).items()
            if not is_dir and (not wanted or os.path.splitext(name)[1].lower() in wanted)
        ]

    def folders(self, folder: Path | str, deepest: int = DEEPEST) -> list[Path]:
        """A folder and the folders below it, parents first; each real folder once, so links in a circle do no harm."""
        seen: set[str] = set()
        found: list[Path] = []
        todo = [(Path(os.path.abspath(folder)), 0)]
        entries = 0
        while todo:
            place, depth = todo.pop()
            real = os.path.realpath(place)
            if real in seen:
                continue
            seen.add(real)
            found.append(place)
            own = self.entries(place)
            entries += len(own)
            if entries > MOST:
                self.refused[printable(str(place))] = f"more than {MOST} files; the rest is not looked at"
                break
            if depth < deepest:
                below = [place / name for name, is_dir in own.items() if is_dir]
                todo += [(path, depth + 1) for path in reversed(below)]
        return found

    def walk(self, folder: Path | str, suffixes: Iterable[str] = (), deepest: int = DEEPEST) -> list[Path]:
        """Files in a folder and below it, folder by folder."""
        return [path for place in self.folders(folder, deepest) for path in self.files(place, suffixes)]

    def pictures_in(self, folder: Path | str) -> list[Path]:
        """Picture files directly in a folder, sorted; none if it does not exist."""
        return self.files(folder, SUFFIXES)

    @cached_property
    def pictures(self) -> list[Path]:
        """All picture files below `base` and `further`."""
        folders = [folder for folder in (self.further, self.base) if folder]
        return list(dict.fromkeys(path for folder in folders for path in self.walk(folder, SUFFIXES)))

    def parts(self, path: Path) -> tuple[str, ...]:
        """The parts of a path below `base`, or below `further`."""
        start = self.further if self.further and self.further in path.parents else self.base
        return path.parts[len(start.parts) :]

    def use_file(self, path: Path | str, what: Callable[[IO[bytes]], door.Got]) -> door.Got:
        """Open a file, call `what` with it, and return the result. Errors: DoorError."""
        return door.use_file(path, what, self._roots(path))

    def read_bytes(self, path: Path | str, limit: int = door.TEXT) -> bytes:
        """Errors: DoorError."""
        return door.read_bytes(path, self._roots(path), limit)

    def read_text(self, path: Path | str, limit: int = door.TEXT) -> str:
        """The text of a file in UTF-8, or as its byte order mark says. Errors: DoorError."""
        return door.text_of(self.read_bytes(path, limit))[0]

    def head(self, path: Path | str, size: int = 1 << 20) -> bytes:
        """The first bytes of a file; b"" if it cannot be opened. Reads no more than that of a big file."""
        try:
            return door.read_head(path, self._roots(path), size)
        except door.DoorError as error:
            self.refused[printable(str(path))] = str(error)
            return b""

    def _roots(self, path: Path | str) -> tuple[str, ...] | None:
        return self.urls if is_url(path) else self.roots

    def relative(self, path: Path | str) -> str:
        """A path as it is shown: below the data set's folder where it lies there."""
        text = os.path.relpath(path, self.base) if os.path.isabs(path) else str(path)
        return printable(Path(text).as_posix())


def _may_hold_pictures(name: str, is_dir: bool) -> bool:
    return not _labels_only(name) if is_dir else os.path.splitext(name)[1].lower() in SUFFIXES


def base_of(source: Path) -> Path:
    """The folder of a source, or the one above if it holds labels only, as its name says."""
    if not door.is_dir(source):
        return source.parent.parent if _labels_only(source.parent.name) else source.parent
    return source.parent if _labels_only(source.name) and not _has_pictures(source) else source


def _labels_only(folder: str) -> bool:
    return folder.lower().startswith(("annotation", "label", "xml", "json"))


def _has_pictures(folder: Path) -> bool:
    try:
        return any(os.path.splitext(name)[1].lower() in SUFFIXES for name in door.names_in(folder))
    except OSError:
        return False


def roots_of(folders: Sequence[Path | str], outside: bool | Sequence[str]) -> tuple[str, ...] | None:
    """The real paths of the folders that may be read. outside: True for all of this machine, or further folders."""
    if outside is True:
        return None
    return tuple(dict.fromkeys(os.path.realpath(path_of(folder)) for folder in (*folders, *(outside or ()))))


def urls_of(folders: Sequence[Path | str], outside: bool | Sequence[str]) -> tuple[str, ...]:
    """The folders at URLs that may be read: those that are named, whatever `outside` says of this machine."""
    named = [path_of(folder) for folder in (*folders, *(() if isinstance(outside, bool) else outside))]
    return tuple(dict.fromkeys(os.path.abspath(folder) for folder in named if is_url(folder)))


def printable(path: str) -> str:
    """A path without bytes that are no text, so that every table can hold it."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
