"""Names of pictures as labels state them: of another computer, of a server, of an address; and which file is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://[^/\\]*")  # with the host
_DRIVE = re.compile(r"^[A-Za-z]:(?=[/\\]|$)")
LONGEST = 4096  # characters of a path

# What exports of metricloop (rank and image id) and uploads to Label Studio put in front of a name.
_FRONTS = (re.compile(r"(?:\d{4,}_)?\d{6,}_(?=.)"), re.compile(r"[0-9a-f]{8}-(?=.)"))
FRONT = "without what an export or upload put in front"

# Ways to compare names, from exact to loose; each is applied on top of those before. The last drops the extension.
LOOSER = ("in another folder", "percent-encoded", "in another Unicode form", "in another case", "without its extension")


def parts_of(stated: str) -> tuple[str, ...]:
    """The parts of a path or address, whatever separators it uses; no drive, host, query, `.` or `..`.

    >>> parts_of("D:\\\\pics\\\\a.jpg"), parts_of("http://host/train2017/a.jpg?size=1"), parts_of("../x/./a.jpg")
    (('pics', 'a.jpg'), ('train2017', 'a.jpg'), ('x', 'a.jpg'))
    """
    text = stated.strip()[:LONGEST]
    address = _SCHEME.match(text)
    if address:
        text = re.split(r"[?#]", text[address.end() :])[0]
    text = _DRIVE.sub("", text)
    return tuple(part for part in re.split(r"[/\\]+", text) if part not in ("", ".", ".."))


def plain(part: str, level: int) -> str:
    """A part of a path, made comparable: the first `level` of LOOSER."""
    if level >= 1:
        part = unquote(part)
    if level >= 2:
        part = unicodedata.normalize("NFC", part)
    if level >= 3:
        part = unicodedata.normalize("NFC", part.casefold()).strip()
    return part


def stem_of(name: str) -> str:
    """A name without its last extension; `.` in front or behind does not count as one."""
    head, dot, tail = name.rpartition(".")
    return head if dot and head and tail and len(tail) <= 5 else name


class Found(NamedTuple):
    """What a stated name leads to. row: of the file, None if none; how: "" if exact, else the loosest way of LOOSER
    that was needed; rivals: rows of the files it may mean as well.
    """

    row: int | None
    how: str = ""
    rivals: tuple[int, ...] = ()


class TailIndex:
    """Files by the last parts of their paths."""

    def __init__(self, files: Sequence[tuple[str, ...]]):
        """files: the parts of each file's path below the data set's folder."""
        self.files = files
        self._levels: dict[int, dict[tuple[str, ...], list[int]]] = {}

    def find(self, stated: str, prefer: Iterable[Callable[[int], bool]] = ()) -> Found:
        """The file with the longest tail in common with `stated`, compared more and more loosely.

        prefer: conditions on rows, which decide in turn between files with equally long tails.
        Where several files remain, none is guessed: they are the rivals.
        """
        parts = parts_of(stated)
        if not parts:
            return Found(None)
        found = self._find(parts, prefer)
        for front in _FRONTS if found == Found(None) else ():
            match = front.match(parts[-1])
            bare = self._find((*parts[:-1], parts[-1][match.end() :]), prefer) if match else found
            if bare != Found(None):
                return bare._replace(how=FRONT)
        return found

    def _find(self, parts: tuple[str, ...], prefer: Iterable[Callable[[int], bool]]) -> Found:
        for level, how in enumerate((*LOOSER, LOOSER[-1])):
            wanted = _comparable(parts, min(level, 3))
            if level == 5:  # the file may have another extension
                wanted = (*wanted[:-1], stem_of(wanted[-1]))
            rows = self._longest(wanted, min(level, 4))
            if len(rows) > 1:
                rows = _preferred(rows, prefer)
            if len(rows) > 1:
                return Found(None, how, tuple(rows[:MANY]))
            if rows:
                return Found(rows[0], "" if self.files[rows[0]] == parts else how)
        return Found(None)

    def _longest(self, wanted: tuple[str, ...], level: int) -> list[int]:
        tails = self._tails(level)
        return next((rows for start in range(len(wanted)) if (rows := tails.get(wanted[start:]))), [])

    def _tails(self, level: int) -> dict[tuple[str, ...], list[int]]:
        """The rows of the files by every tail of their paths."""
        if level not in self._levels:
            tails = self._levels[level] = {}
            for row, parts in enumerate(self.files):
                own = _comparable(parts, min(level, 3))
                if level == 4:
                    own = (*own[:-1], stem_of(own[-1]))
                for start in range(len(own)):
                    tails.setdefault(own[start:], []).append(row)
        return self._levels[level]


MANY = 100  # files with the same tail are not held against each other beyond this number


def _preferred(rows: list[int], prefer: Iterable[Callable[[int], bool]]) -> list[int]:
    if len(rows) <= MANY:
        for condition in prefer:
            rows = [row for row in rows if condition(row)] or rows
    return rows


def _comparable(parts: tuple[str, ...], level: int) -> tuple[str, ...]:
    return tuple(plain(part, level) for part in parts)
