"""How often a second labelling of some images disagrees with the labels, by kind, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from metricloop.auditing.truth import Truth
from metricloop.data.dataset import Dataset
from metricloop.data.label_errors import LABEL_ERRORS

CONFIDENCE = 0.95
ANY_LABEL = "any"  # of the labels, wrong in any way; missing ones are apart, because they are a share of other things


def disagreement(pool: Dataset, truth: Truth) -> list[dict[str, Any]]:
    """One row per kind of label error: how many, out of how many, the rate and its 95 % interval.

    Missing labels are a share of the objects of the second labelling, all other kinds of the labels it judges. Kinds
    come in the order of LABEL_ERRORS, then ANY_LABEL. The rate and interval are None out of nothing.
    """
    boxes = np.flatnonzero(truth.judged_boxes & truth.judged[pool.box_row])
    mistakes, box_group = truth.boxes[boxes], pool.group[pool.box_row[boxes]]
    real = np.isin(mistakes, ("none", "moved", "scaled", "class"))  # labels with an object
    found = []
    for error in LABEL_ERRORS.values():
        if error.name == "missing":
            absent = np.repeat(np.arange(len(pool)), truth.missing)
            wrong = np.concatenate([np.zeros(int(real.sum()), bool), np.ones(len(absent), bool)])
            groups = np.concatenate([box_group[real], pool.group[absent]])
        else:
            wrong, groups = np.isin(mistakes, error.mistakes), box_group
        found.append(_row(error.name, wrong, groups))
    return [*found, _row(ANY_LABEL, mistakes != "none", box_group)]


def _row(kind: str, wrong: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    rate = float(wrong.mean()) if len(wrong) else None
    return {"kind": kind, "count": int(wrong.sum()), "of": len(wrong), "rate": rate, "ci95": interval(wrong, groups)}


def interval(wrong: np.ndarray, groups: np.ndarray, confidence: float = CONFIDENCE) -> list[float] | None:
    """A confidence interval for the share of True in `wrong` (n,); None without cases.

    Labels of one picture, or of one recording, tend to be wrong together, so `groups` (n,) are the sampling units. This
    is the interval of Korn and Graubard (1998): Clopper and Pearson's with an effective number of cases, which is never
    above n. With no case wrong, or all of them, it is the number of groups: the strictest that can be true.
    """
    return interval_of(wrong, members(groups), confidence)


def members(groups: np.ndarray) -> np.ndarray:
    """Turn group names into numbers from 0, (n,) int, in the order of the names as text.

    Only the distinct names become text: to convert those of 100,000 labels one by one would take most of a second.

    >>> members(np.array([10, 9, 10])).tolist()
    [0, 1, 0]
    """
    known, member = np.unique(np.asarray(groups), return_inverse=True)
    _, place = np.unique(known.astype(str), return_inverse=True)
    return np.asarray(place[member])


def interval_of(wrong: np.ndarray, member: np.ndarray, confidence: float) -> list[float] | None:
    """The same as `interval`, but with groups that `members` has already turned into numbers.

    This saves time where many intervals over the same groups are needed.
    """
    from scipy.stats import beta, t

    n = len(wrong)
    if not n:
        return None
    units, rate = int(member.max()) + 1, float(wrong.mean())
    effective = float(units)
    if 0 < rate < 1 and units > 1:
        excess = np.bincount(member, wrong - rate)  # linearised: variance of a ratio over groups
        variance = units / (units - 1) * float((excess**2).sum()) / n**2
        free = (t.ppf(0.5 + confidence / 2, n - 1) / t.ppf(0.5 + confidence / 2, units - 1)) ** 2 if n > 1 else 1.0
        effective = min(float(n), rate * (1 - rate) / variance * free) if variance > 0 else float(n)
    hits, tail = rate * effective, (1 - confidence) / 2
    low = 0.0 if hits <= 0 else float(beta.ppf(tail, hits, effective - hits + 1))
    high = 1.0 if hits >= effective else float(beta.ppf(1 - tail, hits + 1, effective - hits))
    return [low, high]
