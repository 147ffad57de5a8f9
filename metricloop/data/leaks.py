"""What held-out pictures repeat of the pool: the problems that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metricloop.data.formats.problem import Problem
from metricloop.data.formats.source import Record
from metricloop.data.pictures import PictureFacts
from metricloop.data.splits import join_groups

MANY = 256  # look-alikes among which the nearest is looked for


def leak_problems(
    records: Sequence[Record],
    facts: Sequence[PictureFacts],
    files: Sequence[str],
    given: np.ndarray,
    groups: np.ndarray,
    leaking: np.ndarray,
    pairs: np.ndarray,
) -> list[Problem]:
    """For every leaking image, the image of the pool (or of the test split) that it repeats.

    pairs: links that connect what looks alike; of several look-alikes the nearest is named.
    """
    looks = join_groups([str(row) for row in range(len(files))], [None] * len(files), pairs)
    alike: dict[tuple[str, str], list[int]] = {}  # (group by looks, split) -> its first rows
    for row in np.unique(pairs).tolist():
        if len(own := alike.setdefault((looks[row], given[row]), [])) < MANY:
            own.append(row)
    first: dict[tuple[str, str], int] = {}  # (group, split) -> its first row
    equal: dict[tuple[str, str], int] = {}  # (sha256, split) -> its first row
    for row in range(len(files)):
        first.setdefault((groups[row], given[row]), row)
        equal.setdefault((facts[row].sha256, given[row]), row)
    found = []
    for row in np.flatnonzero(leaking).tolist():
        part = "pool" if (groups[row], "pool") in first and given[row] != "pool" else "test"
        same = equal.get((facts[row].sha256, part))
        near = alike.get((looks[row], part), [])
        other = same if same is not None else _nearest(facts, row, near) if near else first[groups[row], part]
        likeness = "identical to" if same is not None else "near-duplicate of" if near else "of the same group as"
        action = f"left out of {given[row]} (leak: {files[other]})"
        found.append(Problem(str(records[row].file), f"{likeness} a {part} picture", action))
    return found


def _nearest(facts: Sequence[PictureFacts], row: int, others: list[int]) -> int:
    """The one of others that looks most like a picture; the first of equals."""
    thumbnails = np.stack([facts[other].thumbnail for other in others]).astype(np.int16)
    return others[int(np.abs(thumbnails - facts[row].thumbnail).sum(axis=1).argmin())]
