"""What held-out pictures repeat of the pool: the problems that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metricloop.data.formats.problem import Problem
from metricloop.data.formats.source import Record
from metricloop.data.pictures import PictureFacts


def leak_problems(
    records: Sequence[Record],
    facts: Sequence[PictureFacts],
    files: Sequence[str],
    given: np.ndarray,
    groups: np.ndarray,
    leaking: np.ndarray,
    pairs: np.ndarray,
) -> list[Problem]:
    """For every leaking image, the image of the pool (or of the test split) that it repeats."""
    twins: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        twins.setdefault(a, set()).add(b)
        twins.setdefault(b, set()).add(a)
    first: dict[tuple[str, str], int] = {}  # (group, split) -> its first row
    equal: dict[tuple[str, str], int] = {}  # (sha256, split) -> its first row
    for row in range(len(files)):
        first.setdefault((groups[row], given[row]), row)
        equal.setdefault((facts[row].sha256, given[row]), row)
    found = []
    for row in np.flatnonzero(leaking).tolist():
        part = "pool" if (groups[row], "pool") in first and given[row] != "pool" else "test"
        same = equal.get((facts[row].sha256, part))
        near = sorted(twin for twin in twins.get(row, ()) if given[twin] == part)
        other = same if same is not None else near[0] if near else first[groups[row], part]
        likeness = "identical to" if same is not None else "near-duplicate of" if near else "of the same group as"
        action = f"left out of {given[row]} (leak: {files[other]})"
        found.append(Problem(str(records[row].file), f"{likeness} a {part} picture", action))
    return found
