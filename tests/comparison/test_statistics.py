"""metricloop/comparison/statistics.py: by hand, against published formulas, and by simulating studies."""

import numpy as np
import pytest
from scipy import special, stats

from metricloop.comparison.spreads import MOST_PRIOR_DF, Sample, Spread, prior_df, spreads
from metricloop.comparison.statistics import (
    Gain,
    contrast,
    draw_weights,
    holm,
    interval,
    p_value,
    paired,
    relative,
    resampling_units,
    shown,
    shrunken,
    verdict,
)


def sample(values, replicated=None) -> Sample:
    """An arm's results; without replicates, the choice of images makes no difference."""
    values = np.asarray(values, float)
    return Sample(values, np.repeat(values[None], 5, axis=0) if replicated is None else np.asarray(replicated, float))


def gain(mean: float, *parts: tuple[float, float], image: tuple[float, float] = (0.0, 99)) -> Gain:
    return Gain(mean, parts, image)


def test_a_contrast_by_hand():
    arms = {"a": sample([0.3, 0.4]), "b": sample([0.1, 0.2, 0.3])}
    spread = {"a": Spread(0.02, 4), "b": Spread(0.03, 2)}
    found = contrast({"a": 1.0, "b": -1.0}, arms, spread, units=100)
    assert found.mean == pytest.approx(0.15)
    assert found.seed_parts == (pytest.approx((0.01, 4)), pytest.approx((0.01, 2)))
    assert found.image_part == pytest.approx((0, 99))
    # variance .02; Satterthwaite: .02^2 / (.01^2 / 4 + .01^2 / 2) = 16 / 3
    assert found.df == pytest.approx(16 / 3)
    assert found.t == pytest.approx(0.15 / np.sqrt(0.02))
    assert p_value(found) == pytest.approx(2 * stats.t.sf(found.t, 16 / 3))
    half = stats.t.ppf(0.975, 16 / 3) * np.sqrt(0.02)
    assert interval(found) == pytest.approx((0.15 - half, 0.15 + half))


def test_a_contrast_of_weights_and_the_image_part_by_hand():
    # One seed each would have no spread; two equal seeds have the spread given. Replicates differ by draw only.
    arms = {name: sample([0.5, 0.5], [[value, value] for value in column]) for name, column in
            {"a": [0.4, 0.6], "b": [0.5, 0.7], "base": [0.5, 0.5]}.items()}  # fmt: skip
    found = contrast({"a": 0.5, "b": 0.5, "base": -1.0}, arms, dict.fromkeys(arms, Spread(0.04, 3)), units=5)
    assert found.seed_parts == tuple(pytest.approx((w * w * 0.02, 3)) for w in (0.5, 0.5, 1))
    # The contrast is -.05 and .15 in the two draws: variance .02, and 5 / 4 of it for five images.
    assert found.image_part == pytest.approx((0.025, 4))


def test_satterthwaite_by_hand():
    found = gain(0.1, (4e-4, 2), image=(1e-4, 100))
    # variance 5e-4; df = 25 / (16 / 2 + 1 / 100) = 3.1211
    half = stats.t.ppf(0.975, 25 / 8.01) * np.sqrt(5e-4)
    assert interval(found) == pytest.approx((0.1 - half, 0.1 + half))


def test_nothing_is_known_of_one_seed_or_one_image():
    arms = {"a": sample([0.3]), "base": sample([0.1, 0.2])}
    one = contrast({"a": 1.0, "base": -1.0}, arms, spreads(arms, ["a"], ["base"]), units=50)
    assert (one.mean, one.t, p_value(one), interval(one)) == (pytest.approx(0.15), None, None, None)
    two = {"a": sample([0.3, 0.4]), "base": sample([0.1, 0.2])}
    assert p_value(contrast({"a": 1.0, "base": -1.0}, two, spreads(two, ["a"], ["base"]), units=1)) is None


def test_a_gain_without_error():
    assert p_value(gain(0.0)) == 1.0
    assert p_value(gain(0.1)) == 0.0
    assert interval(gain(0.1)) == (0.1, 0.1)


def test_the_interaction_of_seeds_and_images_is_counted_once():
    # Values are pure interaction: independent noise for every seed and image, of variance 1 on 50 images.
    rng = np.random.default_rng(2)
    n, images = 4, 50
    weights = draw_weights(np.arange(images), 300, rng) / images
    totals = []
    for _ in range(300):
        arms = {}
        for name in ("a", "base"):
            noise = rng.normal(size=(images, n))
            arms[name] = sample(noise.mean(axis=0), weights @ noise)
        found = contrast({"a": 1.0, "base": -1.0}, arms, spreads(arms, ()), images)
        totals.append((sum(part for part, _ in found.seed_parts), found.image_part[0]))
    seed, image = np.mean(totals, axis=0)
    truth = 2 / (images * n)
    assert seed == pytest.approx(truth, rel=0.1)
    assert image < 0.25 * truth  # without the correction it would be as large as the seeds' part


def test_what_images_do_to_a_gain_is_estimated_without_bias():
    rng = np.random.default_rng(3)
    images, parts = 40, []
    for _ in range(300):
        weights = draw_weights(np.arange(images), 200, rng) / images
        arms = {name: rng.normal(0, 1, images)[:, None] + rng.normal(0, 1, (images, 3)) for name in ("a", "base")}
        found = {name: sample(values.mean(axis=0), weights @ values) for name, values in arms.items()}
        parts.append(contrast({"a": 1.0, "base": -1.0}, found, spreads(found, ()), images).image_part[0])
    assert np.mean(parts) == pytest.approx(2 / images, rel=0.1)


def test_unpaired_gains_are_those_of_the_published_formula():
    """The proposal's script, written again: s~2 / n + s0^2 / n0 + I and Satterthwaite; with this d0."""
    rng = np.random.default_rng(4)
    units = 60
    sizes = {"base": 12, "a": 3, "b": 3, "c": 6, "d": 3}
    draws = {arm: rng.normal(0, 0.01, (200, 1)) for arm in sizes}
    arms = {arm: sample(x := rng.normal(0.3, 0.02, n), x + draws[arm] + rng.normal(0, 0.01, (200, n)))
            for arm, n in sizes.items()}  # fmt: skip
    tested = list(sizes)[1:]
    spread = spreads(arms, tested, alone=["base"])

    var = {arm: own.values.var(ddof=1) for arm, own in arms.items()}
    m, pooled_df = np.mean([var[arm] for arm in tested]), sum(sizes[arm] - 1 for arm in tested)
    d0 = prior_df([var[arm] for arm in tested], [sizes[arm] - 1 for arm in tested])

    def published(weights):
        parts = []
        for arm, w in weights.items():
            n, s2 = sizes[arm], var[arm]
            if arm != "base":
                s2 = max(s2, (d0 * m + (n - 1) * s2) / (d0 + n - 1))
            parts.append((w * w * s2 / n, n - 1 if arm == "base" else min(d0 + n - 1, pooled_df)))
        total = sum(w * arms[arm].replicated.mean(axis=1) for arm, w in weights.items())
        image = total.var(ddof=1)
        for arm, w in weights.items():
            n, own = sizes[arm], arms[arm].replicated
            around = own - own.mean(axis=1, keepdims=True)
            image -= w * w * around.var(axis=0, ddof=1).sum() / (n * (n - 1))
        parts.append((image * units / (units - 1), units - 1))
        v = sum(part for part, _ in parts)
        df = v * v / sum(part * part / df for part, df in parts)
        value = sum(w * arms[arm].values.mean() for arm, w in weights.items())
        return value, v, df, 2 * stats.t.sf(abs(value) / v**0.5, df)

    for weights in ({"a": 1, "base": -1}, {"c": 1, "base": -1}, {**dict.fromkeys(tested, 1 / 4), "base": -1}):
        found = contrast(weights, arms, spread, units)
        assert (found.mean, found.variance, found.df, p_value(found)) == pytest.approx(published(weights))


def test_shrunken_spreads_by_hand(monkeypatch):
    # Variances .01, .01, .07: the mean is .03. With d0 = 1 and n = 3 the arms get (.03 + 2 x .01) / 3 and .07, not
    # (.03 + 2 x .07) / 3: the maximum. Degrees of freedom 1 + 2; an arm of six seeds would have 1 + 5.
    monkeypatch.setattr("metricloop.comparison.spreads.prior_df", lambda variances, dfs: 1.0)
    arms = {name: sample(np.array([-1, 0, 1]) * np.sqrt(v)) for name, v in {"a": 0.01, "b": 0.01, "c": 0.07}.items()}
    arms["base"] = sample(np.array([-1, 0, 1]) * np.sqrt(0.002))
    found = spreads(arms, ["a", "b", "c"], alone=["base"])
    assert found["a"].variance == found["b"].variance == pytest.approx(0.05 / 3)
    assert found["c"].variance == pytest.approx(0.07)
    assert found["c"].df == 3
    assert (found["base"].variance, found["base"].df) == (pytest.approx(0.002), 2)


def test_degrees_of_freedom_are_at_most_those_of_all_arms_together(monkeypatch):
    monkeypatch.setattr("metricloop.comparison.spreads.prior_df", lambda variances, dfs: 3.0)
    arms = {name: sample(np.array([0.1, 0.2]) * scale) for name, scale in (("a", 1), ("b", 2))}
    arms["control"] = sample([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    found = spreads(arms, ["a", "b"])
    assert found["a"].df == 2  # not 3 + 1: a and b have one each
    assert found["control"].df == 5  # never fewer than its own


def test_a_single_arm_leans_on_the_baseline_but_gains_no_degrees_of_freedom():
    arms = {"a": sample([0.1, 0.101, 0.102]), "base": sample(np.linspace(0, 0.1, 12))}
    found = spreads(arms, ["a"], alone=["base"])
    assert found["a"].variance > 1e-6
    assert (found["a"].df, found["base"].df) == (2, 11)


def test_prior_df_is_zero_for_very_unlike_arms_and_capped_for_equal_ones():
    assert prior_df([1e-8, 1.0, 1e-6, 1e-2], [2] * 4) < 0.3
    assert prior_df([0.01] * 20, [2] * 20) == MOST_PRIOR_DF
    assert prior_df([0.01] * 4, [2] * 4) == 2  # half the number of arms
    assert prior_df([0.01], [2]) == 0


def test_prior_df_solves_the_equation_of_smyth():
    rng = np.random.default_rng(5)
    variances, dfs = np.exp(rng.normal(0, 2, 12)), np.tile([2.0, 5.0], 6)
    d0 = prior_df(variances, dfs)
    z = np.log(variances) - special.digamma(dfs / 2) + np.log(dfs / 2)
    expected = z.var(ddof=1) - special.polygamma(1, dfs / 2).mean()
    assert 0 < d0 < MOST_PRIOR_DF
    assert special.polygamma(1, d0 / 2) == pytest.approx(expected)


@pytest.mark.parametrize("true", [1.0, 2.0])
def test_prior_df_is_recovered_from_simulated_variances(true):
    rng = np.random.default_rng(6)
    variances = true / rng.chisquare(true, 4000) * rng.chisquare(2, 4000) / 2
    assert prior_df(list(variances), [2] * 4000) == pytest.approx(true, rel=0.1)


def test_paired_is_scipys_paired_t():
    rng = np.random.default_rng(0)
    for n in (2, 3, 6, 12):
        arm, base = rng.normal(0.3, 0.02, (2, n))
        found = paired(sample(arm - base), units=50)
        expected = stats.ttest_rel(arm, base)
        assert p_value(found) == pytest.approx(expected.pvalue)
        assert interval(found) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert p_value(paired(sample([0.1]), units=50)) is None


def test_without_images_and_with_equal_spreads_it_is_welchs_test():
    rng = np.random.default_rng(7)
    arms = {"a": sample(rng.normal(0.3, 0.02, 6)), "base": sample(rng.normal(0.3, 0.01, 12))}
    found = contrast({"a": 1.0, "base": -1.0}, arms, spreads(arms, ()), units=50)
    expected = stats.ttest_ind(arms["a"].values, arms["base"].values, equal_var=False)
    assert (p_value(found), found.df) == pytest.approx((expected.pvalue, expected.df))


def test_holm_by_hand():
    # sorted: .01 x 4, .02 x 3, .03 x 2 (raised to the .06 before it), .5 x 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_an_arm_without_p_still_counts_in_the_family():
    assert holm([0.01, None, None]) == [pytest.approx(0.03), None, None]


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


def test_shrunken_gains_by_hand():
    # Mean .015 with error^2 .0002 keeps (.000225 - .0002) / .000225. Spread^2 .00125, of which errors explain .0004.
    found = shrunken({"a": gain(0.04, (4e-4, 5)), "b": gain(-0.01, (4e-4, 5))})
    mean, share = 0.015 * 0.025 / 0.225, 0.00085 / 0.00125
    assert found == {"a": pytest.approx(mean + 0.025 * share), "b": pytest.approx(mean - 0.025 * share)}
    assert shrunken({"a": gain(0.01, (4e-4, 5))}) == {"a": 0.0}  # smaller than its error
    assert shrunken({"a": gain(0.01)}) == {"a": pytest.approx(0.01)}  # without error


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.02), (0.03, 0.02), (0.03, 0.0), (0.03, 0.01)])
def test_shrunken_gains_are_nearer_to_the_truth_and_the_winner_is_not_oversold(mean, sd):
    rng = np.random.default_rng(8)
    before, after, winner_before, winner_after = 0.0, 0.0, [], []
    for _ in range(500):
        truth = rng.normal(mean, sd, 10)
        seen = truth + rng.normal(0, 0.02, 10)
        found = shrunken({str(a): gain(value, (0.0004, 5)) for a, value in enumerate(seen)})
        drawn = np.array(list(found.values()))
        before += np.sum((seen - truth) ** 2)
        after += np.sum((drawn - truth) ** 2)
        best = seen.argmax()
        winner_before.append(seen[best] - truth[best])
        winner_after.append(drawn[best] - truth[best])
    assert after < 0.7 * before  # with the spread of true gains known it would be one half at most
    assert np.mean(winner_before) > 0.015
    assert abs(np.mean(winner_after)) < 0.006


def test_relative_gain_is_null_on_a_low_baseline():
    assert relative(0.3, 0.2) == pytest.approx(0.5)
    assert relative(0.3, 0.049) is None


def test_a_gain_as_shown():
    told = shown(gain(0.05, (4e-4, 5)), baseline=0.2)
    assert (told["abs"], told["rel"]) == (0.05, pytest.approx(0.25))
    assert told["ci95"] == pytest.approx(list(interval(gain(0.05, (4e-4, 5)))))


SPREADS = {"equal": np.full(8, 0.014), "unequal": np.array([0.004, 0.006, 0.008, 0.01, 0.014, 0.02, 0.03, 0.056])}
ERRORS = {"seeds": (0.0, 0.0), "seeds and images": (0.06, 0.1)}  # of one image: its effect on an arm, and by seed


@pytest.mark.parametrize("images", ERRORS)
@pytest.mark.parametrize("spread", SPREADS)
def test_simulated_studies_keep_their_promises(spread, images):
    """Eight arms no better than the baseline of 12 seeds: the truth is zero over the population of images.

    An arm's value on an image is seed effect + image effect + noise; 90 images, 3 seeds an arm.
    """
    rng = np.random.default_rng(9)
    studies, n_images = 400, 90
    favour, noise = ERRORS[images]
    arms = [str(a) for a in range(8)]
    covered = false_alarms = 0
    for _ in range(studies):
        weights = draw_weights(np.arange(n_images), 120, rng) / n_images
        drawn = {}
        for arm, sd, n in [*zip(arms, SPREADS[spread], [3] * 8, strict=True), ("base", 0.02, 12)]:
            values = sd * rng.standard_normal((n, 1)) + favour * rng.standard_normal((1, n_images))
            values = values + noise * rng.standard_normal((n, n_images))
            drawn[arm] = sample(values.mean(axis=1), weights @ values.T)
        spread_of = spreads(drawn, arms, alone=["base"])
        gains = [contrast({arm: 1.0, "base": -1.0}, drawn, spread_of, n_images) for arm in arms]
        intervals = [interval(found) for found in gains]
        covered += sum(low < 0 < high for low, high in intervals)
        adjusted = holm([p_value(found) for found in gains])
        false_alarms += any(verdict(p, ci, 0.05) != "undecided" for p, ci in zip(adjusted, intervals, strict=True))
    assert 0.93 < covered / (studies * len(arms)) < 0.97
    assert false_alarms / studies < 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
