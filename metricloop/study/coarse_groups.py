"""Warn if groups of pictures are so large that the pool lacks a class, or that chance decides the splits."""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, listing

HANDFUL = 5  # groups; with fewer, chance decides the splits
FEW = 3  # groups; a class in so many is not lacking in the pool because of its groups


def coarse_groups(made: Dataset, by_name: bool, given: bool) -> list[tuple[str, str]]:
    """Rows of the overview: the warning, and the option that splits such groups; [] if the groups do no harm.

    by_name: whether pictures were grouped by their names; given: whether the data set itself names groups.
    """
    groups, sizes = np.unique(made.group.astype(str), return_counts=True)
    if sizes.max(initial=0) < 2:
        return []
    said = []
    if len(groups) < HANDFUL:
        said.append(f"all {count(len(made), 'picture')} are in {count(len(groups), 'group')}, which are never split")
    lost = _lost(made)
    if lost:
        which = "classes that are" if len(lost) > 1 else "a class that is"
        said.append(f"{listing(lost[:4])}: {which} in no picture of the pool, as a few groups hold them all")
    if not said:
        return []
    why = "; ".join(said)
    if by_name:
        return [("warning", f"{why}. If these are no frames of recordings, add this to init or run:"),
                ("", "--set data.group=off")]  # fmt: skip
    if given:
        return [("warning", f"{why}. The data set itself says what belongs together; give more such groups")]
    return [("warning", f"{why}. If these only look alike, add this to init or run:"),
            ("", "--set data.near_duplicates=off")]  # fmt: skip


def _lost(made: Dataset) -> list[str]:
    """The classes that no picture of the pool holds, because a few groups of pictures hold them all."""
    names = []
    objects = ~made.crowd
    for label, name in enumerate(made.class_names):
        rows = np.unique(made.box_row[objects & (made.labels == label)])
        if len(rows) and not (made.split[rows] == "pool").any():
            groups = set(made.group[rows])
            if len(groups) < FEW and len(groups) < len(rows):
                names.append(class_name(name))
    return names
