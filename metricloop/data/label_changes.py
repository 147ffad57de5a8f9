"""What changed between two labellings of an image: which boxes are the same, moved, renamed, added or removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from metricloop.data.boxes import iou

SAME = 0.05  # px; tools round, so a smaller move is none
LEAST = 0.1  # IoU of two boxes that may be one object
LOYALTY = 0.2  # of IoU: how much rather a box is matched with one of its own class
EDGES = (LEAST, 0.3, 0.5, 0.7, 0.9, 1.0)  # of the histogram
KINDS = ("added", "removed", "moved", "renamed")


class Labels(NamedTuple):
    """The labels of one image: boxes (n, 4) float32 xyxy, labels (n,) int, crowd (n,) bool."""

    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True)
class Change:
    """One box that changed. old, new: rows of the labellings, -1 where it is in one only; iou: of the two boxes."""

    kind: str
    old: int
    new: int
    iou: float = 0.0


@dataclass(frozen=True)
class Matching:
    """partner: the old row of each new box, -1 for an added one, (n,). changes: all boxes that are not the same."""

    partner: np.ndarray
    same: np.ndarray
    changes: list[Change]


def match(old: Labels, new: Labels) -> Matching:
    """Match the boxes of two labellings of an image, each with at most one.

    Equal boxes first; the others so that the IoU is highest in all, rather within a class. same: (n,) bool, new boxes
    that equal their partner. A box that moved and has another class as well, or is a crowd region now, is renamed.
    """
    from scipy.optimize import linear_sum_assignment

    overlap = iou(old.boxes, new.boxes)
    alike = (old.labels[:, None] == new.labels) & (old.crowd[:, None] == new.crowd)
    near = (np.abs(old.boxes[:, None] - new.boxes).max(axis=2) <= SAME) if overlap.size else overlap > 1
    gain = np.where((overlap >= LEAST) | near, overlap + LOYALTY * alike + 10 * (near & alike), 0.0)
    partner, same = np.full(len(new.boxes), -1), np.zeros(len(new.boxes), bool)
    changes = []
    for row, place in zip(*linear_sum_assignment(-gain), strict=True):
        if gain[row, place] <= 0:
            continue
        partner[place], same[place] = row, near[row, place] and alike[row, place]
        if not same[place]:
            kind = "moved" if alike[row, place] else "renamed"
            changes.append(Change(kind, int(row), int(place), float(overlap[row, place])))
    changes += [Change("added", -1, int(place)) for place in np.flatnonzero(partner < 0)]
    removed = np.setdiff1d(np.arange(len(old.boxes)), partner)
    return Matching(partner, same, changes + [Change("removed", int(row), -1) for row in removed])


def summary_of(changes: Iterable[tuple[str, str | None, str | None, float]]) -> dict[str, Any]:
    """Counts of changes, given as (kind, old class, new class, IoU): in all, per class, and a histogram of the IoU
    between old and new boxes of the moved and renamed ones. A renamed box counts for its new class."""
    rows = list(changes)
    per_class: dict[str, dict[str, int]] = {}
    renamed: dict[str, int] = {}
    for kind, old, new, _ in rows:
        own = per_class.setdefault(str(new or old), dict.fromkeys(KINDS, 0))
        own[kind] += 1
        if kind == "renamed" and old != new:
            renamed[f"{old} -> {new}"] = renamed.get(f"{old} -> {new}", 0) + 1
    paired = [min(overlap, 1.0) for kind, _, _, overlap in rows if kind in ("moved", "renamed")]
    counts = np.histogram(paired, EDGES)[0].tolist()
    return {
        **{kind: sum(row[0] == kind for row in rows) for kind in KINDS},
        "per_class": dict(sorted(per_class.items())),
        "renamed_from": dict(sorted(renamed.items())),
        "iou": {f"{low:g}-{high:g}": n for low, high, n in zip(EDGES[:-1], EDGES[1:], counts, strict=True)},
    }
