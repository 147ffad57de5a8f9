"""How well a score ranks wrong cases before right ones: AUROC, average precision, recall at a false-positive rate.

Inputs: `suspicion` (n,) floats, higher is more suspicious, no nan (see `percentiles`), and `wrong` (n,) bool. The
result is None when all cases are right, or all are wrong.
"""

from __future__ import annotations

import numpy as np

UNKNOWN = 0.5  # percentile of a missing score: neither suspicious nor unsuspicious
FEW = 20  # scores; smaller groups are merged, because they say little about what is usual


def percentiles(values: np.ndarray, higher_is: str, groups: np.ndarray | None = None) -> np.ndarray:
    """Scores as suspicion in [0, 1]: the share of the other scores that are less suspicious.

    Ties share the mean of their ranks; nan gives UNKNOWN. higher_is: the metric's direction, "better" or "worse".

    groups: (n,) such as classes; scores are ranked within their group. Otherwise all boxes of a class that is hard for
    the model would be suspicious. Groups with fewer than FEW scores are ranked together.

    >>> percentiles(np.array([0.1, 0.9, 0.9, np.nan, 2.0]), "worse").round(3).tolist()
    [0.0, 0.5, 0.5, 0.5, 1.0]
    """
    values = np.asarray(values, float)
    result = np.full(len(values), UNKNOWN)
    for own in _group_rows(groups, len(values)):
        known = own[np.isfinite(values[own])]
        if len(known) > 1:
            ranks = mid_ranks(values[known] if higher_is == "worse" else -values[known])
            result[known] = (ranks - 1) / (len(known) - 1)
    return result


def _group_rows(groups: np.ndarray | None, n: int) -> list[np.ndarray]:
    """The rows of each group; all groups smaller than FEW form one."""
    if groups is None:
        return [np.arange(n)]
    _, member, number = np.unique(groups, return_inverse=True, return_counts=True)
    member = np.where(number[member] < FEW, -1, member)
    return [np.flatnonzero(member == group) for group in np.unique(member)]


def mid_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; ties get the mean of their ranks, (n,).

    >>> mid_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    _, place, number = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(number)
    return (last - (number - 1) / 2)[place]


def auroc(suspicion: np.ndarray, wrong: np.ndarray) -> float | None:
    """Probability that a wrong case is more suspicious than a right one; 0.5 is chance. Mann-Whitney's U, ties half.

    >>> auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    bad, good = int(wrong.sum()), int((~wrong).sum())
    if not bad or not good:
        return None
    return float((mid_ranks(suspicion)[wrong].sum() - bad * (bad + 1) / 2) / (bad * good))


def average_precision(suspicion: np.ndarray, wrong: np.ndarray) -> float | None:
    """Mean precision over the wrong cases, from the most suspicious down; equal scores are taken together.

    Chance gives the share of wrong cases. The same as scikit-learn's average_precision_score.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])), 4)
    0.8333
    """
    if not wrong.any() or wrong.all():
        return None
    found, looked_at = _cumulative(suspicion, wrong)
    return float((np.diff(found, prepend=0) * found / looked_at).sum() / wrong.sum())


def recall_at(suspicion: np.ndarray, wrong: np.ndarray, false_positives: float = 0.1) -> float | None:
    """Share of the wrong cases found when the share `false_positives` of the right ones is raised as well.

    This is the ROC curve at that rate, with straight lines between its points.

    >>> recall_at(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), 0.25)
    0.5
    """
    if not wrong.any() or wrong.all():
        return None
    found, looked_at = _cumulative(suspicion, wrong)
    hits = np.concatenate([[0.0], found / wrong.sum()])
    alarms = np.concatenate([[0.0], (looked_at - found) / (~wrong).sum()])
    above = int(np.searchsorted(alarms, false_positives, side="right"))  # the first point beyond the rate
    if above == len(alarms):
        return 1.0
    share = (false_positives - alarms[above - 1]) / (alarms[above] - alarms[above - 1])
    return float(hits[above - 1] + share * (hits[above] - hits[above - 1]))


def _cumulative(suspicion: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the most suspicious down, after each distinct score: number of wrong cases so far, and of all cases."""
    scores, place = np.unique(-np.asarray(suspicion, float), return_inverse=True)
    return (
        np.cumsum(np.bincount(place, weights=wrong, minlength=len(scores))),
        np.cumsum(np.bincount(place, minlength=len(scores))),
    )
