"""Which pictures belong together because of their names: augmented copies of one picture, frames of one recording."""

from __future__ import annotations

import re
from collections import Counter
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
FILM = 0.5  # the same where the names say what is in the pictures (apple_12.jpg), so pictures of a class look alike
ALONE = 0.9  # share of a group's pictures that hold one class and no other, from which on its name means the class


@dataclass(frozen=True)
class NameGroups:
    """groups: the group of each picture, None without; said: what was found in the names, "" if nothing."""

    groups: list[str | None]
    said: str


def group_by_name(
    files: Sequence[str], thumbnails: np.ndarray, pattern: str = AUTO, classes: Sequence[frozenset[str]] = ()
) -> NameGroups:
    """Group pictures by their paths (relative, with slashes). classes: of the objects in each picture, if known.

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
    most = FILM if classes and _mean_classes(frames, classes) else ALIKE
    if len(names) < RECORDINGS or not _frames_look_alike(frames, thumbnails, most):
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
    several = sum(group is not None for group in groups)
    return (
        f"{what}, by their names: {several} pictures in {len(names)} group{'s' * (len(names) > 1)} (such as {names[0]})"
    )


def recordings(files: Sequence[str]) -> list[tuple[str, int] | None]:
    """(recording, number of the frame) of each name that ends in a number. Folders of splits are no recordings."""
    found: list[tuple[str, int] | None] = []
    for file in files:
        path = PurePosixPath(file)
        match = _FRAME.match(path.stem)
        folders = [part for part in path.parent.parts if part.lower() not in SPLITS]
        found.append(("/".join([*folders, match[1]]), int(match[2][-15:])) if match else None)
    return found


def _mean_classes(frames: Sequence[tuple[str, int] | None], classes: Sequence[frozenset[str]]) -> bool:
    """Whether names such as apple_12 say what is in the pictures, not what recording they are of.

    They do where the names of most pictures are those of classes, or where at least half of the groups hold one class
    alone, each another one.
    """
    own: dict[str, list[frozenset[str]]] = {}
    for frame, held in zip(frames, classes, strict=True):
        if frame:
            own.setdefault(frame[0], []).append(held)
    known = {_plain(name) for held in classes for name in held}
    named = sum(len(pictures) for name, pictures in own.items() if _plain(PurePosixPath(name).name) in known)
    if 2 * named > sum(map(len, own.values())):
        return True
    many = [pictures for pictures in own.values() if len(pictures) > 1]
    commonest = [Counter(pictures).most_common(1)[0] for pictures in many]
    alone = [
        held for (held, count), pictures in zip(commonest, many, strict=True)
        if len(held) == 1 and count >= ALONE * len(pictures)
    ]  # fmt: skip
    return len(alone) > 1 and len(set(alone)) == len(alone) and 2 * len(alone) >= len(many)


def _plain(name: str) -> str:
    """A name without case, signs and the s of a plural."""
    return re.sub(r"[\W_]+", "", name.casefold()).removesuffix("s")


def _frames_look_alike(frames: Sequence[tuple[str, int] | None], thumbnails: np.ndarray, most: float) -> bool:
    """Whether neighbouring frames of a recording differ by less than `most` times what frames far apart differ by."""
    order = sorted((frame, row) for row, frame in enumerate(frames) if frame)
    rows = np.array([row for _, row in order])
    names = np.array([frame[0] for frame, _ in order])
    within = np.flatnonzero(names[1:] == names[:-1])
    if len(within) < 4:
        return False
    shift = rows[(np.arange(len(rows)) + max(1, len(rows) // 2)) % len(rows)]
    gaps = [np.abs(thumbnails[a].astype(np.int16) - thumbnails[b]).mean(axis=1) for a, b in
            ((rows[within], rows[within + 1]), (rows, shift))]  # fmt: skip
    return bool(np.median(gaps[0]) < most * np.median(gaps[1]))
