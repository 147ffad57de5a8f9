"""metricloop/comparison/statistics.py: against scipy, by hand, and by simulating studies whose truth is known."""

import itertools

import numpy as np
import pytest
from scipy import stats

from metricloop.comparison.statistics import (
    Gain,
    draw_weights,
    gain,
    holm,
    interval,
    p_value,
    paired_gain,
    paired_p,
    relative,
    resampling_units,
    seeds_needed,
    sign_flip_p,
    verdict,
)


def test_paired_p_is_scipys():
    rng = np.random.default_rng(0)
    for n in (2, 3, 6, 12):
        arm, base = rng.normal(0.3, 0.02, (2, n))
        assert paired_p(arm - base) == pytest.approx(stats.ttest_rel(arm, base).pvalue)


def test_paired_p_where_there_is_nothing_to_test():
    assert paired_p(np.array([0.1])) is None
    assert paired_p(np.zeros(3)) == 1.0


def test_sign_flip_counts_every_pattern():
    rng = np.random.default_rng(1)
    for n in (9, 10, 11):
        differences = rng.integers(-3, 6, n) / 100  # ties among the sums are the hard part
        patterns = np.array(list(itertools.product([-1, 1], repeat=n))) @ differences
        expected = np.mean(np.abs(patterns) >= abs(differences.sum()) - 1e-12)
        assert sign_flip_p(differences) == pytest.approx(expected)
    assert sign_flip_p(np.full(9, 0.1)) == pytest.approx(2 / 2**9)
    assert sign_flip_p(np.zeros(9)) == 1.0


@pytest.mark.parametrize("seeds", [8, 41])
def test_sign_flip_is_null_below_nine_seeds_and_above_forty(seeds):
    assert sign_flip_p(np.ones(seeds)) is None


def test_holm_by_hand():
    # sorted: .01 x 4, .02 x 3, .03 x 2 (raised to the .06 before it), .5 x 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.01, 0.02], tests_planned=3) == pytest.approx([0.06, 0.06])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_an_arm_without_p_still_counts_in_the_family():
    assert holm([0.01, None, None]) == [pytest.approx(0.03), None, None]


def test_interval_of_seeds_alone_is_the_paired_t_interval():
    arm, base = np.array([[0.31, 0.35, 0.30, 0.36], [0.22, 0.25, 0.27, 0.24]])
    differences = arm - base
    found = gain(differences, np.repeat(differences[None], 50, axis=0), units=10)
    assert found.image_variance == pytest.approx(0)
    expected = stats.ttest_rel(arm, base).confidence_interval(0.95)
    assert interval(found) == pytest.approx((expected.low, expected.high))
    shown = paired_gain(list(arm), list(base))
    assert shown["ci95"] == pytest.approx([expected.low, expected.high])
    assert shown["rel"] == pytest.approx(arm.mean() / base.mean() - 1)


def test_satterthwaite_by_hand():
    found = Gain(mean=0.1, seed_variance=4e-4, seed_df=2, image_variance=1e-4, image_df=100)
    # variance 5e-4; df = 25 / (16 / 2 + 1 / 100) = 3.1211
    half = stats.t.ppf(0.975, 25 / 8.01) * np.sqrt(5e-4)
    assert interval(found) == pytest.approx((0.1 - half, 0.1 + half))
    assert interval(Gain(0.1, 0.0, 0, 1e-4, 100)) is None


def test_the_interaction_of_seeds_and_images_is_counted_once():
    # Differences are pure interaction: independent noise for every seed and image, of variance 1 on 50 images.
    rng = np.random.default_rng(2)
    n, images = 4, 50
    weights = draw_weights(np.arange(images), 300, rng) / images
    totals = []
    for _ in range(300):
        noise = rng.normal(size=(images, n))
        found = gain(noise.mean(axis=0), weights @ noise, images)
        totals.append((found.seed_variance, found.image_variance))
    seed, image = np.mean(totals, axis=0)
    truth = 1 / (images * n)
    assert seed == pytest.approx(truth, rel=0.1)
    assert image < 0.25 * truth  # without the correction it would be as large as the seed part


def test_units_are_videos_unless_there_is_one():
    assert resampling_units(np.array(["b", "a", "b"])).tolist() == [1, 0, 1]
    assert resampling_units(np.array(["a", "a", "a"])).tolist() == [0, 1, 2]
    weights = draw_weights(np.array([1, 0, 1]), 100, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 2]).all()
    assert set(map(tuple, weights[:, :2].tolist())) == {(0, 2), (1, 1), (2, 0)}


@pytest.mark.parametrize(
    ("p", "ci", "expected"),
    [
        (0.04, (0.01, 0.1), "better"),
        (0.04, (-0.1, -0.01), "worse"),
        (0.04, (-0.01, 0.1), "undecided"),  # the interval spans zero
        (0.06, (0.01, 0.1), "undecided"),  # p too large
        (0.05, (0.01, 0.1), "undecided"),  # p must be below alpha
        (None, (0.01, 0.1), "undecided"),
        (0.01, None, "undecided"),
    ],
)
def test_verdict(p, ci, expected):
    assert verdict(p, ci, alpha=0.05) == expected


def test_seeds_needed_has_the_power_it_promises():
    # Differences of mean one and a half times their spread, as seen in three seeds, tested at .01.
    effect, alpha = 1.5, 0.01
    needed = seeds_needed(Gain(effect, 1 / 3, 2, 0.0, 99), alpha)

    def power(n):
        samples = np.random.default_rng(n).normal(effect, 1, (20000, n))
        return np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue < alpha)

    assert power(needed - 1) < 0.8 <= power(needed) + 0.01


def test_seeds_needed_is_beyond_those_at_hand():
    assert seeds_needed(Gain(1.0, 1e-6, 5, 0.0, 99), 0.05) == 7


@pytest.mark.parametrize(
    "hopeless",
    [
        Gain(0.0, 0.01, 2, 0.0, 99),
        Gain(0.001, 0.01, 2, 0.0, 99),  # too small for 99 seeds
        Gain(0.03, 1e-6, 2, 4e-4, 99),  # the images leave +-.04, however many seeds
        Gain(0.1, 0.0, 0, 0.0, 99),  # one seed
    ],
)
def test_seeds_needed_is_null_where_seeds_do_not_help(hopeless):
    assert seeds_needed(hopeless, 0.05) is None


def test_relative_gain_is_null_on_a_low_baseline():
    assert relative(0.3, 0.2) == pytest.approx(0.5)
    assert relative(0.3, 0.049) is None


SEED_NOISE = {"images": 0.0, "interaction": 0.1}
LUCKY_IMAGES = {"images": 0.15, "interaction": 0.1}  # arms good at some kinds of image that the split may hold


@pytest.mark.parametrize("spread", [SEED_NOISE, LUCKY_IMAGES])
@pytest.mark.parametrize("seeds", [3, 6])
def test_simulated_studies_keep_their_promises(seeds, spread):
    """Studies of five arms that are no better than the baseline: the truth is zero over the population of images.

    An arm's value on an image is seed effect + image effect + noise; the baseline is shared by all arms.
    """
    rng = np.random.default_rng(seeds)
    studies, arms, images = 400, 5, 80
    covered, false_alarms = 0, 0
    for _ in range(studies):
        values = rng.normal(0, 0.01, (arms + 1, seeds, 1)) + rng.normal(
            0, spread["interaction"], (arms + 1, seeds, images)
        )
        values[1:] += rng.normal(0, spread["images"], (arms, 1, images))
        weights = draw_weights(np.arange(images), 100, rng) / images
        pairs = [(d.mean(axis=1), weights @ d.T) for d in values[1:] - values[0]]
        gains = [gain(differences, replicated, images) for differences, replicated in pairs]
        adjusted = holm([p_value(found, pair[0]) for found, pair in zip(gains, pairs, strict=True)])
        intervals = [interval(found) for found in gains]
        covered += sum(low < 0 < high for low, high in intervals)
        false_alarms += any(verdict(p, ci, 0.05) != "undecided" for p, ci in zip(adjusted, intervals, strict=True))
    assert 0.90 < covered / (studies * arms) < 0.99
    assert false_alarms / studies < 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
