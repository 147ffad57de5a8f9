"""Which pictures belong together, so that they lie on one side of a split: by the source, their names, their looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.formats.source import Record
from metricloop.data.group_words import AUTO, OFF
from metricloop.data.grouping import group_by_name
from metricloop.data.near_links import NEAR, near_links
from metricloop.data.pictures import PictureFacts
from metricloop.data.splits import join_groups

FIXED_CAMERA = 0.5  # a share of the pictures beyond this that all look alike is one background, not one picture
FEWEST = 4  # pictures that look alike, before a fixed camera is thought of
NEARLY_EQUAL = 1.0  # grey levels


@dataclass(frozen=True)
class Likeness:
    """groups: of every picture, (n,) str; pairs: rows of pictures that look alike, (k, 2);
    said: what was found, each (kind, details).
    """

    groups: np.ndarray
    pairs: np.ndarray
    said: list[tuple[str, str]]


def belonging_together(
    records: Sequence[Record],
    facts: Sequence[PictureFacts],
    files: Sequence[str],
    group: str = AUTO,
    near: float | str = AUTO,
) -> Likeness:
    """The groups of the pictures. group: as `group_by_name`; near: "auto", "off", or grey levels."""
    hashes = np.array([own.hash for own in facts], np.uint64)
    thumbnails = np.stack([own.thumbnail for own in facts])
    said: list[tuple[str, str]] = []
    pairs = np.zeros((0, 2), np.int64)
    if near != OFF:
        pairs = near_links(hashes, thumbnails, NEAR if isinstance(near, str) else near)
    if near == AUTO and (count := _most_alike(len(files), pairs)) > max(FEWEST - 1, FIXED_CAMERA * len(files)):
        closer = near_links(hashes, thumbnails, NEARLY_EQUAL)
        pairs = closer[[_is_copy(records, facts, *pair) for pair in closer.tolist()]].reshape(-1, 2)
        action = (
            f"{count} of {len(files)} pictures look alike; only those with the same labels, too, are kept together "
            "(data.near_duplicates: how near, or off)"
        )
        said.append(("pictures of a fixed camera", action))
    named = group_by_name(files, thumbnails, group)
    if named.said:
        said.append(("pictures grouped by their names", f"{named.said}; data.group: off turns this off"))
    given = [
        own if own is not None else name for own, name in zip((r.group for r in records), named.groups, strict=True)
    ]
    return Likeness(join_groups(files, given, pairs), pairs, said)


def _most_alike(n: int, pairs: np.ndarray) -> int:
    """The number of pictures in the greatest group that is connected by looks."""
    _, counts = np.unique(
        join_groups([str(row) for row in range(n)], [None] * n, pairs).astype(str), return_counts=True
    )
    return int(counts.max(initial=0))


def _is_copy(records: Sequence[Record], facts: Sequence[PictureFacts], a: int, b: int) -> bool:
    """Whether two pictures that look alike are equal files, or have the same labels at the same places."""
    if facts[a].sha256 == facts[b].sha256:
        return True
    one, two = records[a], records[b]
    if len(one.boxes) != len(two.boxes) or sorted(one.labels) != sorted(two.labels):
        return False
    return bool(len(one.boxes) == 0 or (iou(one.boxes, two.boxes).max(axis=1) > 0.9).all())
