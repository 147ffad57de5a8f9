"""Which pictures belong together because of their names: augmented copies of one picture, frames of one recording."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from metricloop.data.formats.split_names import SPLITS
from metricloop.data.group_words import AUTO, OFF

# Copies of one picture: NAME.rf.HASH.jpg (Roboflow), NAME_aug_3.jpg, NAME_flip.jpg.
COPIES = (
    re.compile(r"^(.+)\.rf\.[0-9A-Za-z]{16,}$"),
    re.compile(
        r"^(.+?)[_-](?:aug(?:mented)?|flip(?:ped)?|[hv]flip|mirror(?:ed)?|rot(?:ated)?)[_-]?\d*$", re.IGNORECASE
    ),
)
# Frames: rec0_0001, walk-frame-12, or 00005 in a folder of its own.
_FRAME = re.compile(r"^(.*?)[ _.\-]?(?:frame|frm|img|image|f)?[ _.\-]?(\d+)$", re.IGNORECASE)
RECORDINGS = 4  # so many, at least, before frames are grouped by their names
ALIKE = 0.8  # frames of a recording differ from each other by less than this share of what others differ


@dataclass(frozen=True)
class NameGroups:
    """groups: the group of each picture, None without; said: what was found in the names, "" if nothing."""

    groups: list[str | None]
    said: str


def group_by_name(files: Sequence[str], thumbnails: np.ndarray, pattern: str = AUTO) -> NameGroups:
    """Groups by the pictures' paths (relative, with slashes).

    pattern: "auto", "off", or a regular expression, whose first group (or whole match) in a path is the group's name.
    Names count as those of recordings only if neighbouring frames do look alike; thumbnails: (n, 256) uint8.
    """
    if pattern == OFF:
        return NameGroups([None] * len(files), "")
    if pattern != AUTO:
        return _by_pattern(files, pattern)
    copies = _shared(_copies(files))
    if any(copies):
        return NameGroups(copies, _told("augmented copies", copies))
    frames = recordings(files)
    names = {frame[0] for frame in frames if frame}
    if len(names) < RECORDINGS or not _frames_look_alike(frames, thumbnails):
        return NameGroups([None] * len(files), "")
    found = _shared([frame[0] if frame else None for frame in frames])
    return NameGroups(found, _told("frames of recordings", found))


def _by_pattern(files: Sequence[str], pattern: str) -> NameGroups:
    found = re.compile(pattern)
    groups: list[str | None] = []
    for file in files:
        match = found.search(file)
        groups.append(None if match is None else match[1] if found.groups else match[0])
    matched = sum(group is not None for group in groups)
    return NameGroups(groups, f"data.group: {matched} of {len(files)} names fit, {len(set(groups) - {None})} groups")


def _copies(files: Sequence[str]) -> list[str | None]:
    """The picture that each name says it is a copy of; the picture itself belongs to its copies."""
    stems = [PurePosixPath(file).stem for file in files]
    matches = [next((match[1] for form in COPIES if (match := form.match(stem))), None) for stem in stems]
    known = set(matches)
    owners = [own or (stem if stem in known else None) for own, stem in zip(matches, stems, strict=True)]
    return [None if owner is None else f"copies of {owner}" for owner in owners]


def _shared(groups: Sequence[str | None]) -> list[str | None]:
    """The groups with more than one member."""
    names, counts = np.unique([group for group in groups if group is not None] or [""], return_counts=True)
    many = set(names[counts > 1].tolist())
    return [group if group in many else None for group in groups]


def _told(what: str, groups: Sequence[str | None]) -> str:
    names = sorted({group for group in groups if group is not None})
    count = sum(group is not None for group in groups)
    return f"{what}, by their names: {count} pictures in {len(names)} groups (such as {names[0]})"


def recordings(files: Sequence[str]) -> list[tuple[str, int] | None]:
    """(recording, number of the frame) of each name that ends in a number. Folders of splits are no recordings."""
    found: list[tuple[str, int] | None] = []
    for file in files:
        path = PurePosixPath(file)
        match = _FRAME.match(path.stem)
        folders = [part for part in path.parent.parts if part.lower() not in SPLITS]
        found.append(("/".join([*folders, match[1]]), int(match[2][-15:])) if match else None)
    return found


def _frames_look_alike(frames: Sequence[tuple[str, int] | None], thumbnails: np.ndarray) -> bool:
    """Whether neighbouring frames of a recording differ by less than those of different ones, on the whole."""
    order = sorted((frame, row) for row, frame in enumerate(frames) if frame)
    rows = np.array([row for _, row in order])
    names = np.array([frame[0] for frame, _ in order])
    within = np.flatnonzero(names[1:] == names[:-1])
    if len(within) < 4:
        return False
    shift = rows[(np.arange(len(rows)) + max(1, len(rows) // 2)) % len(rows)]
    gaps = [np.abs(thumbnails[a].astype(np.int16) - thumbnails[b]).mean(axis=1) for a, b in
            ((rows[within], rows[within + 1]), (rows, shift))]  # fmt: skip
    return bool(np.median(gaps[0]) < ALIKE * np.median(gaps[1]))
