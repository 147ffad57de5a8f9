"""metricloop/comparison/power.py: by simulation."""

import numpy as np
import pytest
from scipy import stats

from metricloop.comparison.looks import Look
from metricloop.comparison.power import MOST_SEEDS, POWER, Noise, detectable_gain, power, seeds_needed
from metricloop.comparison.statistics import Gain

LOOKS = (Look(3, 12, 0.02), Look(6, 18, 0.03))
ALPHA = 0.03


def gain(mean: float, arm: float, base: float, image: float = 0.0, seeds=(6, 18), arm_df: float = 8.0) -> Gain:
    """A gain from standard deviations over seeds, and the standard error of the images' part."""
    return Gain(mean, ((arm**2 / seeds[0], arm_df), (base**2 / seeds[1], seeds[1] - 1)), (image**2, 299))


def test_power_of_a_t_test_by_simulation():
    rng = np.random.default_rng(0)
    drawn = rng.normal(0.8, 1, (40_000, 9))
    found = stats.ttest_1samp(drawn, 0, axis=1)
    seen = np.mean((found.pvalue < 0.02) & (found.statistic > 0))
    assert power(0.8, 1 / 3, 8, 0.02) == pytest.approx(seen, abs=0.01)


def test_power_at_the_ends():
    assert power(0.0, 1.0, 10, 0.05) == pytest.approx(0.025)  # by the right sign
    assert power(5.0, 0.01, 10, 0.05) == pytest.approx(1)
    assert (power(0.1, 0.0, 10, 0.05), power(0.0, 0.0, 10, 0.05)) == (1, 0)
    assert power(-0.8, 1 / 3, 8, 0.02) == power(0.8, 1 / 3, 8, 0.02)


@pytest.mark.parametrize(("mean", "arm"), [(0.02, 0.014), (0.03, 0.03), (-0.02, 0.014)])
def test_seeds_needed_has_the_power_it_promises(mean, arm):
    """New studies of that many seeds whose true gain is the expected one."""
    low, high = seeds_needed(gain(mean, arm, 0.02, 0.002), mean * 0.9, (6, 18), LOOKS, family=10)
    assert 6 < low < high
    rng = np.random.default_rng(low)
    studies = 20_000

    def decided(n, truth):
        n0 = 3 * n
        x, b = rng.normal(truth, arm, (studies, n)), rng.normal(0, 0.02, (studies, n0))
        a, b0, image = x.var(axis=1, ddof=1) / n, b.var(axis=1, ddof=1) / n0, 0.002**2
        v = a + b0 + image
        df = v**2 / (a**2 / (n - 1) + b0**2 / (n0 - 1) + image**2 / 299)
        t = (x.mean(axis=1) - b.mean(axis=1) + rng.normal(0, 0.002, studies)) / np.sqrt(v)
        return np.mean((2 * stats.t.sf(abs(t), df) < ALPHA / 10) & (np.sign(t) == np.sign(mean)))

    assert decided(low, 0.9 * mean) > POWER - 0.03
    assert decided(low - 2, 0.9 * mean) < POWER + 0.03  # and not many more than needed
    # The second number is for a gain that is lower by .67 of its uncertainty, error x sqrt(share kept).
    lower = 0.9 * abs(mean) - 0.6745 * gain(mean, arm, 0.02, 0.002).error * np.sqrt(0.9)
    assert decided(high, np.sign(mean) * lower) > POWER - 0.03


def test_seeds_needed_are_more_than_those_at_hand():
    assert seeds_needed(gain(0.2, 0.01, 0.01), 0.2, (6, 18), LOOKS, 10) == (7, 7)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (gain(0.0, 0.01, 0.02), 0.0),
        (gain(0.02, 0.01, 0.02), 0.0),  # shrunken to nothing
        (gain(0.001, 0.02, 0.02), 0.001),  # too small for 99 seeds
        (gain(0.03, 0.01, 0.02, image=0.02), 0.03),  # the images leave +-.04, however many seeds
        (Gain(0.1, (), (0.0, 99), known=False), 0.1),  # one seed
    ],
)
def test_seeds_needed_is_none_where_seeds_do_not_help(found, expected):
    assert seeds_needed(found, expected, (6, 18), LOOKS, 10) is None


@pytest.mark.parametrize("mean", [0.01, -0.005])
def test_an_expected_gain_that_the_family_raised_keeps_the_whole_error_in_the_upper_number(mean):
    found = gain(mean, 0.014, 0.02)
    low, high = seeds_needed(found, 0.025, (6, 18), LOOKS, 10)
    whole, _ = seeds_needed(found, 0.025 - 0.6745 * found.error, (6, 18), LOOKS, 10)
    assert low < high
    assert high == whole  # as many as if the gain were lower by .67 of its error


def test_the_upper_number_is_none_where_the_gain_may_be_too_small():
    low, high = seeds_needed(gain(0.011, 0.014, 0.02), 0.009, (6, 18), LOOKS, 10)
    assert low <= MOST_SEEDS
    assert high is None


def test_the_seeds_of_a_paired_gain_need_no_baseline():
    found = Gain(0.02, ((0.02**2 / 6, 5),), (0.0, 299))
    low, _ = seeds_needed(found, 0.02, (6, 6), LOOKS, 1)
    x = np.random.default_rng(3).normal(0.02, 0.02, (20_000, low))
    assert np.mean(stats.ttest_1samp(x, 0, axis=1).pvalue < ALPHA) == pytest.approx(POWER, abs=0.06)


def test_detectable_gain_has_the_power_it_promises():
    noise = Noise(arm=0.012, baseline=0.021, image=0.06)
    least = detectable_gain(LOOKS, 10, 300, noise)
    rng = np.random.default_rng(5)
    studies, image = 40_000, 0.06 / np.sqrt(300)
    x, b = rng.normal(least, 0.012, (studies, 6)), rng.normal(0, 0.021, (studies, 18))
    # The other arms add three degrees of freedom: nine more deviations of the same spread stand for them.
    others = rng.normal(0, 0.012, (studies, 3))
    s2 = (x.var(axis=1, ddof=1) * 5 + (others**2).sum(axis=1)) / 8
    parts = [(s2 / 6, 8), (b.var(axis=1, ddof=1) / 18, 17), (np.full(studies, image**2), 299)]
    v = sum(part for part, _ in parts)
    df = v**2 / sum(part**2 / d for part, d in parts)
    t = (x.mean(axis=1) - b.mean(axis=1) + rng.normal(0, image, studies)) / np.sqrt(v)
    assert np.mean(2 * stats.t.sf(t, df) < ALPHA / 10) == pytest.approx(POWER, abs=0.02)


def test_what_a_study_can_decide_grows_with_seeds_and_images_and_falls_with_the_family():
    noise = Noise(arm=0.012, baseline=0.021, image=0.06)
    usual = detectable_gain(LOOKS, 10, 300, noise)
    assert 0.02 < usual < 0.045
    assert detectable_gain(LOOKS, 1, 300, noise) < usual
    assert detectable_gain(LOOKS, 10, 50, noise) > usual
    assert detectable_gain((Look(3, 12, 0.03),), 10, 300, noise) > usual
    assert detectable_gain(LOOKS, 10, 300, noise, chance=0.5) < usual
    # However many seeds, 100 images leave an error of .006: at least 3.8 of them for ten arms.
    assert detectable_gain((Look(99, 99, 0.03),), 10, 100, Noise(0.0001, 0.0001, 0.06)) > 0.006 * 3.5
