"""The looks of many studies at once, in arrays: what metricloop.comparison does to one study, written a second time.

S studies of A arms; the baseline is the last column of arrays with A + 1 columns. `check_equal.py` stops the benchmark
unless both say the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from metricloop.comparison.looks import FEW_ON, LEAST_T, MOST_ON, Look
from metricloop.comparison.spreads import COLLAPSED, MOST_PRIOR_DF, TINY

Images = Callable[[int, int], np.ndarray]
Estimate = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Studies(NamedTuple):
    """Results known in advance. values: (S, A + 1, N) by seed; images: a function of the seeds of an arm and of the
    baseline, to the covariance over draws of the held-out images of the arms' means, without the interaction of seeds
    and images (S, A + 1, A + 1); units: the images.
    """

    values: np.ndarray
    images: Images
    units: int


class Test(NamedTuple):
    """A tested gain, each (S, ...): mean, standard error, degrees of freedom, p, and its three parts of variance."""

    mean: np.ndarray
    error: np.ndarray
    df: np.ndarray
    p: np.ndarray
    parts: tuple[tuple[np.ndarray, np.ndarray], ...]

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        half = special.stdtrit(self.df, 0.975) * self.error
        return self.mean - half, self.mean + half


class Outcome(NamedTuple):
    """After the looks: sign (S, A) is 1 for better, -1 for worse, 0 for undecided; at: (S, A) the look of a decision,
    0 without; shown: the test of the look that decided an arm, or else of the last one in which it took part; seeds:
    (S, A) then; base_seeds: (S, A) of the baseline then; trials: (S,); head: (S,) tests of the mean over all arms, one
    per look; head_sign: (S,).
    """

    sign: np.ndarray
    at: np.ndarray
    shown: Test
    seeds: np.ndarray
    base_seeds: np.ndarray
    trials: np.ndarray
    heads: list[Test]
    head_sign: np.ndarray


def take_looks(studies: Studies, looks: Sequence[Look], estimate: Estimate | None = None) -> Outcome:
    """Run the looks; only what a look asks for is used. estimate: another way to estimate an arm's variance."""
    values = studies.values
    many, arms = len(values), values.shape[1] - 1
    going = np.ones((many, arms), bool)
    at, sign = np.zeros((many, arms), int), np.zeros((many, arms), int)
    seeds = np.full((many, arms), looks[0].arms)
    base_seeds, base_now = np.zeros((many, arms), int), np.zeros(many, int)
    head_found, heads, shown = np.zeros(many, bool), list[Test](), None
    for number, look in enumerate(looks, start=1):
        open_study = going.any(axis=1)
        seeds = np.where(going, look.arms, seeds)
        base_now = np.where(open_study, look.baseline, base_now)
        now = _gains(studies, seeds, look, looks[0], estimate)
        shown = now if shown is None else _where(going, now, shown)
        base_seeds = np.where(going, look.baseline, base_seeds)
        head = _head(studies, look, looks[0])
        heads.append(head if not heads else _where(open_study, head, heads[-1]))
        head_found |= open_study & (head.p < look.alpha)
        adjusted = _holm(np.where(going, now.p, 1.0), at > 0)
        decided = going & (adjusted < look.alpha)
        at, sign = np.where(decided, number, at), np.where(decided, np.sign(now.mean), sign).astype(int)
        t = np.where(going & ~decided, now.mean / now.error, -np.inf)
        rank = np.argsort(np.argsort(-t, axis=1, kind="stable"), axis=1)
        going = (t >= LEAST_T) & (rank < max(FEW_ON, math.ceil(MOST_ON * arms)))
    low, high = heads[-1].interval()  # a mean is shown as of the last look
    head_sign = np.where(head_found, (low > 0).astype(int) - (high < 0), 0)
    return Outcome(sign, at, shown, seeds, base_seeds, seeds.sum(axis=1) + base_now, heads, head_sign)


def _where(chosen: np.ndarray, new: Test, old: Test) -> Test:
    def pick(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(chosen, a, b)

    parts = tuple((pick(v, w), pick(d, e)) for (v, d), (w, e) in zip(new.parts, old.parts, strict=True))
    return Test(*(pick(getattr(new, key), getattr(old, key)) for key in ("mean", "error", "df", "p")), parts)


def _gains(studies: Studies, seeds: np.ndarray, look: Look, first: Look, estimate: Estimate | None) -> Test:
    """Every arm minus the baseline; seeds: (S, A), those of this look or of the first."""
    few, many = (studies.values[:, :-1, : n.arms] for n in (first, look))
    late = seeds == look.arms
    mean = np.where(late, many.mean(axis=2), few.mean(axis=2))
    own = np.where(late, many.var(axis=2, ddof=1), few.var(axis=2, ddof=1))
    whole = ~np.where(late, collapsed(many), collapsed(few))
    base = studies.values[:, -1, : look.baseline]
    base_variance, base_df = base.var(axis=1, ddof=1), np.full(len(base), look.baseline - 1.0)
    variance, df = spreads(own, seeds - 1.0, whole, base_variance, base_df, estimate)
    cov = studies.images(look.arms, look.baseline)
    image = _image_part(np.einsum("saa->sa", cov)[:, :-1] + cov[:, -1:, -1] - 2 * cov[:, :-1, -1], studies.units)
    parts = (
        (variance / seeds, df),
        (np.broadcast_to((base_variance / look.baseline)[:, None], df.shape), np.full(df.shape, base_df[0])),
        (image, np.full(df.shape, max(studies.units - 1.0, 1.0))),
    )
    return _test(mean - base.mean(axis=1)[:, None], parts)


def _head(studies: Studies, look: Look, first: Look) -> Test:
    """The mean of all arms, with their seeds of the first look, minus the baseline."""
    own, base = studies.values[:, :-1, : first.arms], studies.values[:, -1, : look.baseline]
    arms = own.shape[1]
    s2, s2_base = own.var(axis=2, ddof=1), base.var(axis=1, ddof=1)
    base_df = np.full(len(base), look.baseline - 1.0)
    variance, df = spreads(s2, np.full(s2.shape, first.arms - 1.0), ~collapsed(own), s2_base, base_df, None)
    weights = np.append(np.full(arms, 1 / arms), -1.0)
    cov = studies.images(first.arms, look.baseline)
    image = _image_part(np.einsum("sab,a,b->s", cov, weights, weights), studies.units)
    seeds = [(variance[:, a] / first.arms / arms**2, df[:, a]) for a in range(arms)]
    parts = (*seeds, (s2_base / look.baseline, base_df), (image, np.full(len(base), max(studies.units - 1.0, 1.0))))
    return _test(own.mean(axis=(1, 2)) - base.mean(axis=1), parts)


def _image_part(variance: np.ndarray, units: int) -> np.ndarray:
    return np.maximum(variance, 0.0) * units / max(units - 1, 1)


def _test(mean: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Test:
    total = sum(part for part, _ in parts)
    df = total**2 / sum(part**2 / freedom for part, freedom in parts)
    error = np.sqrt(total)
    return Test(mean, error, df, 2 * special.stdtr(df, -np.abs(mean / error)), tuple(parts))


def collapsed(values: np.ndarray) -> np.ndarray:
    """Arms with a trial far below the others; values: (S, A, n)."""
    return values.min(axis=2) < COLLAPSED * np.median(values, axis=2)


def spreads(
    own: np.ndarray,
    df: np.ndarray,
    pool: np.ndarray,
    base: np.ndarray,
    base_df: np.ndarray,
    estimate: Estimate | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Variances and degrees of freedom of arms, (S, A) each; pool: (S, A), the arms that tell about others."""
    if estimate:
        return estimate(own, df, pool)
    alone = pool.sum(axis=1) == 1
    s2, f = np.column_stack([own, base]), np.column_stack([df, base_df])
    inside = np.column_stack([pool, alone])
    d0 = prior_df(s2, f, inside, MOST_PRIOR_DF)[:, None]
    mean = np.ma.masked_array(s2, ~inside).mean(axis=1).filled(0.0)[:, None]
    most = np.where(pool, df, 0.0).sum(axis=1)[:, None]
    larger = np.maximum(own, (d0 * mean + df * own) / (d0 + df))
    none = most == 0
    return np.where(none, own, larger), np.where(none, df, np.maximum(df, np.minimum(d0 + df, most)))


def prior_df(s2: np.ndarray, df: np.ndarray, inside: np.ndarray, most: float) -> np.ndarray:
    """limma's d0 of every study, (S,), at most `most` and half the number of arms inside."""
    count = inside.sum(axis=1)
    most_of = np.minimum(most, count / 2)
    z = np.ma.masked_array(np.log(np.maximum(s2, TINY)) - special.digamma(df / 2) + np.log(df / 2), ~inside)
    noise = np.ma.masked_array(special.polygamma(1, df / 2), ~inside).mean(axis=1)
    excess = np.ma.filled(z.var(axis=1, ddof=1) - noise, 0.0)
    low = excess <= special.polygamma(1, np.maximum(most_of, 0.5) / 2)
    y = np.where(low, 1.0, excess)
    x = 0.5 + 1 / y
    for _ in range(12):  # Newton's method on 1 / trigamma
        value = special.zeta(2, x)
        x += value * (1 - value / y) / (-2 * special.zeta(3, x))
    return np.where(count < 2, 0.0, np.where(low, most_of, np.minimum(most_of, 2 * x)))


def _holm(p: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Holm's p of every row over the arms that are not gone."""
    values = np.where(gone, np.inf, p)
    left = (~gone).sum(axis=1)[:, None]
    order = np.argsort(values, axis=1, kind="stable")
    times = np.maximum(left - np.arange(p.shape[1]), 1)
    stepped = np.maximum.accumulate(np.take_along_axis(values, order, axis=1) * times, axis=1)
    adjusted = np.empty(p.shape)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=1)
    return np.where(gone, 1.0, adjusted)
