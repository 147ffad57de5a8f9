"""How far the results of an arm scatter over seeds: its own variance, drawn towards that of the other arms.

docs/statistics.md explains and derives it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

TINY = 1e-12  # stands for a variance of zero where a logarithm is taken
COLLAPSED = 0.25  # of the median of its arm: a trial below that learnt next to nothing
MOST_PRIOR_DF = 3.0  # degrees of freedom that the other arms' variances may add to an arm's own


@dataclass(frozen=True)
class Sample:
    """The results of one arm in one measure, in 0..1.

    values: (n,) per seed, on the held-out images as they are. replicated: (R, n), the same under R draws of these
    images; one draw for all seeds and all arms.
    """

    values: np.ndarray
    replicated: np.ndarray

    def first(self, n: int) -> Sample:
        """The same arm with its first n seeds."""
        return Sample(self.values[:n], self.replicated[:, :n])

    @cached_property
    def replicated_mean(self) -> np.ndarray:
        """(R,), the mean over seeds under every draw of the images."""
        return self.replicated.mean(axis=1)

    @cached_property
    def interaction(self) -> float:
        """The part of seeds x images in the variance of `replicated_mean` over draws; 0 for one seed."""
        n = len(self.values)
        if n < 2:
            return 0.0
        around = self.replicated - self.replicated_mean[:, None]
        return float(np.var(around, axis=0, ddof=1).sum() / (n * (n - 1)))


@dataclass(frozen=True)
class Spread:
    """The variance of an arm's results over seeds, and its degrees of freedom."""

    variance: float
    df: float


def prior_df(variances: Sequence[float], dfs: Sequence[float]) -> float:
    """How alike the true variances of arms are, as degrees of freedom d0; 0 = not at all.

    Moments of log variances (limma: Smyth 2004, section 6.2). If s^2 ~ sigma^2 chi^2_d / d and sigma^2 ~ scaled
    inverse chi^2_d0, then var(log s^2) = trigamma(d / 2) + trigamma(d0 / 2). At most MOST_PRIOR_DF, and at most half
    the number of arms: few arms cannot tell a large d0 from a small one, and one that is too large costs false alarms.
    """
    most = min(MOST_PRIOR_DF, len(variances) / 2)
    if len(variances) < 2:
        return 0.0
    half = np.asarray(dfs, float) / 2
    z = np.log(np.maximum(variances, TINY)) - special.digamma(half) + np.log(half)
    excess = float(np.var(z, ddof=1) - np.mean(special.polygamma(1, half)))
    return most if excess <= special.polygamma(1, most / 2) else min(most, 2 * _inverse_trigamma(excess))


def _inverse_trigamma(y: float) -> float:
    """The x > 0 with trigamma(x) = y > 0, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(30):
        value = float(special.zeta(2, x))  # trigamma; its derivative is -2 zeta(3, x)
        step = value * (1 - value / y) / (-2 * float(special.zeta(3, x)))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x


def spreads(samples: Mapping[str, Sample], alike: Collection[str], alone: Collection[str] = ()) -> dict[str, Spread]:
    """The variance over seeds of every arm with two seeds or more.

    alike: arms whose variances say what to expect of an arm. alone: arms with a variance of their own (the baseline).
    With m the mean variance of `alike`, any other arm of n seeds gets max(s^2, (d0 m + (n - 1) s^2) / (d0 + n - 1)) and
    min(d0 + n - 1, sum of n - 1 over `alike`) degrees of freedom. The maximum is there because arms do differ in
    spread: without it, an arm that scatters more than others would be called better too often.
    A single arm in `alike` tells nothing about itself; then the variances of `alone` count for m and d0 as well, but
    add no degrees of freedom.
    """
    own = {arm: float(np.var(s.values, ddof=1)) for arm, s in samples.items() if len(s.values) > 1}
    freedom = {arm: float(len(samples[arm].values) - 1) for arm in own}
    pool = [arm for arm in alike if arm in own]
    found = {arm: Spread(variance, freedom[arm]) for arm, variance in own.items()}
    if not pool:
        return found
    most = sum(freedom[arm] for arm in pool)
    if len(pool) == 1:
        pool += [arm for arm in alone if arm in own]
    mean = float(np.mean([own[arm] for arm in pool]))
    d0 = prior_df([own[arm] for arm in pool], [freedom[arm] for arm in pool])
    for arm in own.keys() - set(alone):
        shrunk = (d0 * mean + freedom[arm] * own[arm]) / (d0 + freedom[arm])
        found[arm] = Spread(max(own[arm], shrunk), max(freedom[arm], min(d0 + freedom[arm], most)))
    return found


def collapsed(sample: Sample) -> bool:
    """Whether a trial of an arm learnt next to nothing (COLLAPSED): its variance then says nothing about other arms."""
    return bool(len(sample.values) and sample.values.min() < COLLAPSED * np.median(sample.values))
