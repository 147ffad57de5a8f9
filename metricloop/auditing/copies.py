"""Pictures that repeat others: copies with different labels, copies across splits, and copies within one."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metricloop.auditing.same_regions import same_where_labels_differ
from metricloop.auditing.suspects import Suspect
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.door import AwayError
from metricloop.data.near_links import near_links
from metricloop.data.pictures import PictureError, picture_facts
from metricloop.text.numbers import count

SAME, ALIKE = 0.75, 0.5  # IoU from which boxes of equal files, and of near copies, are the same
VIDEO = 0.5  # a share of pictures with a near copy beyond this is a video, not a mistake; then only equal files count
LEAK = re.compile(r"left out of (\w+) \(leak: (.*)\)")


def repeated_pictures(data: Dataset, problems: Path, most: int) -> tuple[dict[str, list[Suspect]], str]:
    """The suspects of PICTURE_KINDS, equal files before near copies, at most `most` of each kind; and a sentence.

    problems: problems.csv of the ingested data; it names held-out pictures that repeat others and were left out. Near
    copies are looked for within the groups that ingest made, because it put copies into one group. Where more than
    VIDEO of all pictures have a near copy, near copies are not listed, and the sentence says how many there are; it is
    "" otherwise.
    """
    pairs = [(first, second, True) for first, second in _equal(data)]
    alike, whole = _alike(data, {pair[:2] for pair in pairs}), ""
    if len({row for pair in alike for row in pair}) > VIDEO * len(data):
        alike, whole = [], _how_many(data, alike)
    pairs += [(first, second, False) for first, second in alike]
    found: dict[str, list[Suspect]] = {"conflict": [], "leak": _leaks(data, problems), "repeated": []}
    for first, second, equal in pairs:
        least = SAME if equal else ALIKE
        kind = "repeated" if same_labels(data, first, second, least) else "conflict"
        if kind == "conflict" and not equal and not same_where_labels_differ(data, first, second, least):
            continue  # neighbouring frames with something that moves: both may be right
        found[kind].append(_suspect(kind, data, second, str(data.file[first]), equal))
    return {kind: listed[:most] for kind, listed in found.items()}, whole


def _how_many(data: Dataset, alike: list[tuple[int, int]]) -> str:
    """A sentence with the number of pictures that have a near copy. alike: pairs of rows."""
    rows = sorted({row for pair in alike for row in pair})
    groups = count(len(set(data.group[rows].astype(str))), "group")
    return (
        f"{len(rows)} of {count(len(data), 'image')} nearly repeat another one of their group ({groups}), as versions "
        "of a photo or frames of a film do; they are not listed one by one."
    )


def _suspect(kind: str, data: Dataset, row: int, other: str, equal: bool) -> Suspect:
    split = str(data.split[row])
    return Suspect(kind, row, -1, 1.0, 0, None, split, 1.0 if equal else None, other=other)


def _equal(data: Dataset) -> list[tuple[int, int]]:
    """Each picture whose file equals that of an earlier row, with the first such row."""
    first: dict[str, int] = {}
    rows = ((first.setdefault(str(sha256), row), row) for row, sha256 in enumerate(data.sha256))
    return [(one, other) for one, other in rows if one != other]


def _alike(data: Dataset, known: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of rows of near copies: different files that look alike. known: pairs to leave out."""
    _, member, size = np.unique(data.group.astype(str), return_inverse=True, return_counts=True)
    rows, facts = [], []
    for row in np.flatnonzero(size[member] > 1).tolist():
        try:
            facts.append(picture_facts(data.root / str(data.file[row]), sha256=str(data.sha256[row])))
            rows.append(row)
        except (PictureError, AwayError):
            continue  # gone since it was ingested, which is said elsewhere
    if not rows:
        return []
    links = near_links(np.array([own.hash for own in facts]), np.stack([own.thumbnail for own in facts]))
    pairs = [(rows[first], rows[second]) for first, second in links.tolist()]
    return [pair for pair in pairs if data.sha256[pair[0]] != data.sha256[pair[1]] and pair not in known]


def same_labels(data: Dataset, first: int, second: int, least: float) -> bool:
    """Whether two pictures have the same labels: boxes of equal classes, paired with an IoU of at least `least`."""
    from scipy.optimize import linear_sum_assignment

    one, other = data.slice(first), data.slice(second)
    if sorted(data.labels[one].tolist()) != sorted(data.labels[other].tolist()):
        return False
    boxes = [data.boxes[data.slice(row)] / _extent(data, row) for row in (first, second)]
    fits = (iou(*boxes) >= least) & (data.labels[one][:, None] == data.labels[other])
    return bool(fits[linear_sum_assignment(~fits)].all())


def _extent(data: Dataset, row: int) -> np.ndarray:
    return np.tile([data.width[row], data.height[row]], 2).astype(np.float64)


def _leaks(data: Dataset, problems: Path) -> list[Suspect]:
    """The pictures that left-out ones repeat, as ingest lists them; those of one video that look different are none."""
    row_of = {str(file): row for row, file in enumerate(data.file)}
    if not problems.is_file():
        return []
    with problems.open(newline="", encoding="utf-8") as stream:
        lines: Sequence[dict[str, str]] = list(csv.DictReader(stream))
    found = []
    for line in lines:
        told, equal = LEAK.match(line["action"]), line["problem"].startswith("identical")
        if told and told[2] in row_of and (equal or line["problem"].startswith("near-duplicate")):
            found.append(_suspect("leak", data, row_of[told[2]], line["file"], equal))
    return sorted(found, key=lambda one: one.probability is None)
