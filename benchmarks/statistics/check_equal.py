"""Whether `many_studies` says the same as metricloop.comparison, study by study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from finished_trials import BASE
from many_studies import Studies, take_looks
from tallies import TWO

from metricloop.comparison.looks import Look, total_alpha
from metricloop.comparison.spreads import Sample
from metricloop.comparison.statistics import interval, verdict
from metricloop.comparison.tested import Roles, Tested, tested_at_looks

SIGNS = {"better": 1, "worse": -1, "undecided": 0}


def covariance_of_means(covariance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The covariance over draws of images of means of trials, without the interaction of seeds and images.

    covariance: (T, T) of single trials. weights: (S, K, T), how often each trial is in each mean. A mean of n trials
    has the interaction sum of var(trial - mean) / (n (n - 1)) (Owen 2007), which the trials' scatter already holds.
    """
    n = weights.sum(axis=2)
    share = weights / n[:, :, None]
    means = share @ covariance @ share.transpose(0, 2, 1)
    own = np.einsum("skk->sk", means)
    around = weights @ np.diag(covariance) - n * own
    return means - np.eye(weights.shape[1]) * (around / (n * np.maximum(n - 1, 1)))[:, :, None]


def check(studies: int = 60) -> None:
    """Compare the fast computation with the real functions on random studies of 10, 3 and 1 arms; stop if they differ.

    Some of the studies have an interaction of seeds and images, and some have collapsed trials.
    """
    rng = np.random.default_rng(3)
    for number in range(studies):
        arms = (10, 3, 1)[number % 3]
        images, draws, columns = 40, 30, (arms + 1) * 18
        truth = np.append(0.03 * rng.standard_normal(arms), 0.0)
        spread = np.append(0.014 * np.exp(0.6 * rng.standard_normal(arms)), 0.02)
        values = 0.3 + truth[:, None] + spread[:, None] * rng.standard_normal((arms + 1, 18))
        if number % 4 == 0:
            values[0, rng.integers(0, 6)] = 0.01
        replicated = 0.006 * rng.standard_normal((draws, columns)) + np.repeat(
            0.006 * rng.standard_normal((draws, arms + 1)), 18, axis=1
        )
        whole = np.cov(replicated, rowvar=False)

        def images_of(n: int, n0: int, whole: np.ndarray = whole, arms: int = arms) -> np.ndarray:
            weights = np.zeros((1, arms + 1, arms + 1, 18))
            for arm in range(arms + 1):
                weights[0, arm, arm, : n0 if arm == arms else n] = 1
            return covariance_of_means(whole, weights.reshape(1, arms + 1, -1))

        names = [*map(str, range(arms)), BASE]
        samples = {name: Sample(values[k], replicated[:, 18 * k : 18 * k + 18]) for k, name in enumerate(names)}
        _compare(Studies(values[None], images_of, images), samples, TWO)


def _compare(studies: Studies, samples: dict[str, Sample], looks: Sequence[Look]) -> None:
    ours = take_looks(studies, looks)
    arms = [name for name in samples if name != BASE]
    tested = _as_it_is_run(samples, arms, looks, studies.units)
    for k, arm in enumerate(arms):
        state, standing = tested.states[arm], tested.standing[arm]
        told = verdict(standing.p, interval(state.gain), total_alpha(looks))
        assert SIGNS[told] == ours.sign[0, k], (arm, told, ours.sign)
        assert (standing.decided_at or 0) == ours.at[0, k]
        assert len(state.sample.values) == ours.seeds[0, k]
        low, high = ours.shown.interval()
        np.testing.assert_allclose(interval(state.gain), (low[0, k], high[0, k]), rtol=1e-6)
    mean = tested.means["all"]
    np.testing.assert_allclose((mean.mean, mean.error, mean.df), [float(v[0]) for v in ours.heads[-1][:3]], rtol=1e-6)
    head = SIGNS[verdict(tested.standing_of_means["all"].p, interval(mean), total_alpha(looks))]
    assert head == ours.head_sign[0]


def _as_it_is_run(samples: dict[str, Sample], arms: Sequence[str], looks: Sequence[Look], units: int) -> Tested:
    """Give an arm the seeds of a look only when the looks before it let it go on."""
    roles = Roles(BASE, {"treatment": arms, "control": []}, {"all": arms}, alike=arms)
    have = {name: own.first(looks[0].baseline if name == BASE else looks[0].arms) for name, own in samples.items()}
    for following in (*looks[1:], None):
        seeds = {name: range(len(own.values)) for name, own in have.items()}
        tested = tested_at_looks(have, seeds, roles, looks, units)
        on = [arm for arm in arms if not tested.standing[arm].stopped and tested.standing[arm].decided_at is None]
        if following is None or not on:
            break
        have |= {arm: samples[arm].first(following.arms) for arm in on}
        have[BASE] = samples[BASE].first(following.baseline)
    return tested
