"""Looks: the points of a study at which its results are tested, fixed before the first trial.

At the first look every arm has a few seeds and the baseline many. Arms that are clearly better or worse are then
decided, arms that are not ahead stop, and the best of the others get more seeds until the next look. Each look spends
its own share of the study's error rate (Bonferroni over looks, Holm within a look), so testing twice costs no false
alarms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metricloop.comparison.statistics import Gain, holm, p_value

LEAST_T = 0.5  # an arm whose gain is smaller than this, in standard errors, gets no more seeds
MOST_ON = 0.5  # and no more than this share of a family gets more seeds, the arms that are furthest ahead
FEW_ON = 3  # but so many arms may always


@dataclass(frozen=True)
class Look:
    """Seeds of an arm and of the baseline, and the error rate of this look.

    planned: False for a look that was added after the first trial; it has no guarantee.
    """

    arms: int
    baseline: int
    alpha: float
    planned: bool = True


@dataclass(frozen=True)
class Standing:
    """Where an arm stands after the looks so far.

    p: corrected for its family and for the looks; to be compared with the error rate of the whole study. None if the
    arm has no test. decided_at: the first look (from 1) at which it was below its look's error rate. stopped: it gets
    no more seeds, because at the last look that it took part in it was not ahead, or others were further ahead.
    """

    p: float | None
    decided_at: int | None
    stopped: bool


def total_alpha(looks: Sequence[Look]) -> float:
    """The error rate of all planned looks together."""
    return sum(look.alpha for look in looks if look.planned) or looks[0].alpha


def go_on(gains: Mapping[str, Gain], family: int) -> set[str]:
    """The undecided arms that get more seeds: ahead by LEAST_T, and among the best of a family of this size."""
    ahead = [arm for arm, gain in gains.items() if gain.t is not None and gain.t >= LEAST_T]
    ahead.sort(key=lambda arm: -(gains[arm].t or 0.0))
    return set(ahead[: max(FEW_ON, math.ceil(MOST_ON * family))])


def standings(family: Sequence[str], gains: Sequence[Mapping[str, Gain]], looks: Sequence[Look]) -> dict[str, Standing]:
    """Holm's procedure within each look, over the arms that no earlier look has decided.

    family: all arms of the family, also those without results. gains: per look that was taken, the gain of each arm
    that took part with the seeds of that look; an arm that stopped earlier, or has no results, counts with p = 1.

    The chance of one false decision or more is at most the sum of the looks' alphas: if the first look makes none,
    every arm without a true gain is still in the family of the second.
    """
    alpha = total_alpha(looks)
    lowest: dict[str, float | None] = dict.fromkeys(family)
    decided: dict[str, int] = {}
    stopped: set[str] = set()
    for number, (look, found) in enumerate(zip(looks, gains, strict=False), start=1):
        left = [arm for arm in family if arm not in decided]
        undecided: dict[str, Gain] = {}
        for arm, p in zip(left, holm([p_value(found[arm]) if arm in found else None for arm in left]), strict=True):
            if p is None:
                continue
            scaled = min(1.0, p * alpha / look.alpha)
            before = lowest[arm]
            lowest[arm] = scaled if before is None else min(before, scaled)
            if p < look.alpha:
                decided[arm] = number
            else:
                undecided[arm] = found[arm]
        on = go_on(undecided, len(family))
        stopped = (stopped | undecided.keys()) - on - decided.keys()
    return {arm: Standing(lowest[arm], decided.get(arm), arm in stopped) for arm in family}
