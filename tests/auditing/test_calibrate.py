"""Probabilities of wrong labels: laws of the estimate on samples whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from metricloop.auditing.calibrate import (
    CONFIDENCE,
    FEWEST,
    TOGETHER,
    TOO_POOR,
    calibrate,
    careful_share,
    density_ratio,
    mixture_ranks,
)
from metricloop.auditing.evidence import Evidence


def drawn(n: int, wrong: int, apart: float, seed: int = 0, k: int = 400, real: float | None = None):
    """Evidence of n labels, the first `wrong` of them wrong, and whether each is. Right: two normal scores about 0;
    planted: about `apart`; wrong: about `real`, which is `apart` unless given."""
    rng = np.random.default_rng(seed)
    labels, planted = rng.normal(size=(n, 2)), rng.normal(apart, 1, (k, 2))
    labels[:wrong] += apart if real is None else real
    return Evidence(labels, planted, np.arange(n), rng.integers(0, n, k), np.zeros(n, bool), 0), np.arange(n) < wrong


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [100, 1000])
def test_right_labels_are_not_accused(n, seed):
    found = calibrate(drawn(n, 0, 3.0, seed)[0])
    assert (found.probability >= 0.5).sum() <= n / 100
    assert found.share <= 0.01
    assert found.told_apart > 0.95


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_probabilities_are_careful_and_find_most(share):
    evidence, wrong = drawn(1000, int(1000 * share), 3.0)
    found = calibrate(evidence)
    assert 0.7 * share <= found.share <= share * 1.05
    listed = found.probability >= 0.5
    assert wrong[listed].mean() >= found.probability[listed].mean() - 0.05  # at least as good as it says
    assert listed[wrong].mean() > 0.8


def test_errors_milder_than_planted_ones_make_it_more_careful():
    evidence, wrong = drawn(1000, 200, 3.0, real=1.8)
    found = calibrate(evidence)
    assert found.share < 0.2
    listed = found.probability >= 0.5
    assert not listed.any() or wrong[listed].mean() >= found.probability[listed].mean() - 0.05


def test_held_out_labels_have_a_share_of_their_own():
    alone, wrong = drawn(500, 150, 3.0)
    clean = np.random.default_rng(9).normal(size=(500, 2))
    both = replace(
        alone,
        labels=np.concatenate([alone.labels, clean]),
        label_image=np.arange(1000),
        held_out=np.arange(1000) >= 500,
    )
    found = calibrate(both)
    assert found.probability[:500].tolist() == calibrate(alone).probability.tolist()  # whatever is held out
    assert (found.probability[500:] >= 0.5).sum() <= 5
    assert found.share == pytest.approx(calibrate(alone).share / 2, abs=0.01)
    few = replace(alone, held_out=np.arange(500) < FEWEST - 1)  # all of them wrong, and too few for a share
    judged = calibrate(few)
    assert (judged.probability[: FEWEST - 1] >= 0.5).mean() > 0.7
    assert wrong[: FEWEST - 1].all()


def test_a_poor_model_is_known_by_what_was_planted():
    useless = calibrate(drawn(600, 0, 0.0)[0])  # all labels look like errors, so that none of them can be accused
    assert useless.told_apart < 0.6
    poor, good = (calibrate(drawn(600, 0, apart)[0]).told_apart for apart in (0.3, 3.0))
    assert poor < TOO_POOR < good
    spoilt = calibrate(drawn(600, 240, 3.0)[0]).told_apart  # wrong labels look like planted ones: that is not the model
    assert spoilt > 0.9


def test_too_few_labels_say_nothing():
    assert calibrate(drawn(FEWEST - 1, 0, 3.0)[0]) is None
    assert calibrate(drawn(500, 0, 3.0, k=FEWEST - 1)[0]) is None
    assert calibrate(drawn(FEWEST, 0, 3.0, k=FEWEST)[0]) is not None


def test_the_share_is_the_least_of_all_levels():
    planted = np.arange(100.0)
    labels = np.concatenate([np.full(90, -1.0), np.full(10, 200.0)])  # a tenth lies beyond every level
    assert careful_share(labels, planted) == pytest.approx(0.1 / 0.9, abs=0.002)
    labels[-10:] = 75.0  # beyond the levels up to 0.7, and not beyond 0.8
    assert careful_share(labels, planted) == 0.0
    labels[-10:] = 200.0
    one_by_one = careful_share(labels, planted, np.arange(100))
    assert one_by_one == pytest.approx(beta.ppf(1 - CONFIDENCE, 10, 91) / 0.9, abs=0.002)  # Clopper and Pearson
    assert one_by_one < 0.1 / 0.9
    assert careful_share(labels, planted, np.repeat(np.arange(10), 10)) < one_by_one  # all wrong ones in one image


def test_the_ratio_never_falls_and_averages_groups():
    rng = np.random.default_rng(1)
    labels, planted = rng.normal(size=203), rng.normal(1, 1, 300)
    ratio = density_ratio(labels, planted)
    assert (np.diff(ratio[np.argsort(labels)]) >= 0).all()
    assert ratio.mean() == pytest.approx(1.0)  # the planted share of all groups is 1
    assert len(np.unique(ratio[np.argsort(-labels)][:TOGETHER])) == 1


def test_a_missing_score_is_no_evidence():
    ranks = mixture_ranks(np.array([[np.nan], [0.0]]), np.array([[np.nan], [0.0]]), np.array([[1.0], [np.nan]]))
    assert ranks.ravel().tolist() == [0.0, -0.5]


def test_small_objects_are_not_accused_for_being_small():
    """A model that misses whatever is small: labels and planted errors of small objects look the same to it."""
    rng = np.random.default_rng(0)
    size, planted_size = rng.uniform(-1, 1, 800), rng.uniform(-1, 1, 400)
    doubt = np.where(size < -0.6, 3.0, 0.0) + rng.normal(size=800)
    planted = np.full(400, 3.0) + rng.normal(size=400)
    found = calibrate(
        Evidence(
            np.stack([doubt, size], 1),
            np.stack([planted, planted_size], 1),
            np.arange(800),
            np.arange(400),
            np.zeros(800, bool),
            1,
        )
    )
    assert (found.probability >= 0.5).sum() == 0
