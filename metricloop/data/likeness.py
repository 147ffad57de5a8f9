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
SCENES = 10  # pairs that look alike and show other objects: fewer may have wrong labels
NEARLY_EQUAL = 1.0  # grey levels
SAME_PLACE = 0.9  # IoU of boxes that count as the same


@dataclass(frozen=True)
class Likeness:
    """groups: of every picture, (n,) str; pairs: rows of pictures that look alike, as few as connect them, (k, 2);
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
    class_names: Sequence[str] = (),
) -> Likeness:
    """Find which pictures belong together, so that a split never separates them.

    group: the pattern for `group_by_name`. near: how many grey levels two pictures of one scene may differ by, "auto"
    or "off". class_names: of the labels in `records`.
    """
    hashes = np.array([own.hash for own in facts], np.uint64)
    thumbnails = np.stack([own.thumbnail for own in facts])
    said: list[tuple[str, str]] = []
    pairs = np.zeros((0, 2), np.int64)
    if near != OFF:
        pairs = near_links(hashes, thumbnails, NEAR if isinstance(near, str) else near)
    if near == AUTO and (count := _of_a_fixed_camera(records, pairs)):
        pairs = near_links(hashes, thumbnails, NEARLY_EQUAL, _SameLabels(records, facts))
        action = (
            f"{count} of {len(files)} pictures look alike; only those with the same labels, too, are kept together "
            "(data.near_duplicates: how near, or off)"
        )
        said.append(("pictures of a fixed camera", action))
    classes = [frozenset(class_names[label] for label in own.labels) for own in records] if class_names else ()
    named = group_by_name(files, thumbnails, group, classes)
    if named.said:
        said.append(("pictures grouped by their names", f"{named.said}; data.group: off turns this off"))
    given = [
        name if own.group is None else own.group.encode("utf-8", "backslashreplace").decode()  # JSON has odder text
        for own, name in zip(records, named.groups, strict=True)
    ]
    return Likeness(join_groups(files, given, pairs), pairs, said)


def _of_a_fixed_camera(records: Sequence[Record], pairs: np.ndarray) -> int:
    """How many pictures look alike because a camera stood still; 0 where those that look alike are near-duplicates.

    They are a camera's where one group holds most pictures, or where most pairs show other objects: copies of a picture
    have the same labels, but for mistakes.
    """
    n = len(records)
    joined = join_groups([str(row) for row in range(n)], [None] * n, pairs).astype(str)
    _, counts = np.unique(joined, return_counts=True)
    if counts.max(initial=0) > max(FEWEST - 1, FIXED_CAMERA * n):
        return int(counts.max())
    labels = [sorted(record.labels.tolist()) for record in records]
    other = sum(labels[first] != labels[second] for first, second in pairs.tolist())
    return len(np.unique(pairs)) if other > max(SCENES, len(pairs) / 2) else 0


class _SameLabels:
    """Whether pictures are equal files, or have the same labels at the same places (IoU above SAME_PLACE)."""

    def __init__(self, records: Sequence[Record], facts: Sequence[PictureFacts]):
        self.records = records
        self.files = np.unique([own.sha256 for own in facts], return_inverse=True)[1]
        self.labels = np.unique([str(sorted(own.labels.tolist())) for own in records], return_inverse=True)[1]
        self.spans = np.stack([_span(own.boxes) for own in records])

    def __call__(self, row: int, others: np.ndarray) -> np.ndarray:
        same = self.files[others] == self.files[row]
        gap = np.abs(self.spans[others, :4] - self.spans[row, :4])  # which an IoU limits to a share of a box
        reach = np.maximum(self.spans[others, 4:], self.spans[row, 4:]) * (1 / SAME_PLACE - 1) + 1e-6
        maybe = ~same & (self.labels[others] == self.labels[row]) & (gap <= reach).all(axis=1)
        for place in np.flatnonzero(maybe).tolist():
            same[place] = _same_places(self.records[row].boxes, self.records[int(others[place])].boxes)
        return same


def _span(boxes: np.ndarray) -> np.ndarray:
    """Around all boxes: x1, y1, x2, y2; then the greatest width, height, width, height, (8,)."""
    if not len(boxes):
        return np.zeros(8)
    sizes = np.tile((boxes[:, 2:] - boxes[:, :2]).max(axis=0), 2)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0), sizes])


def _same_places(one: np.ndarray, two: np.ndarray) -> bool:
    if not len(one):
        return True
    share = iou(one, two)
    return bool((share.max(axis=1) > SAME_PLACE).all() and (share.max(axis=0) > SAME_PLACE).all())
