"""Ranking what is wrong before what is right. The numbers are counted by hand, or scikit-learn's."""

import numpy as np
import pytest

from metricloop.auditing.ranking_quality import auroc, average_precision, percentiles, recall_at

# Ten scores with ties, four of them wrong.
SCORES = np.array([0.9, 0.9, 0.8, 0.7, 0.7, 0.7, 0.4, 0.3, 0.3, 0.1])
WRONG = np.array([1, 0, 1, 0, 1, 0, 0, 0, 1, 0], bool)


def test_ties_count_half():
    # Pairs won by each wrong one out of the six right ones (0.9, 0.7, 0.7, 0.4, 0.3, 0.1): 0.9 wins 5.5, 0.8 5,
    # 0.7 wins 3 + 2 halves = 4, 0.3 wins 1 + a half = 1.5; 16 of 24.
    assert auroc(SCORES, WRONG) == pytest.approx(16 / 24)


def test_average_precision_looks_at_equal_scores_together():
    # Steps of recall 1/4 at precision 1/2 (two at 0.9), 2/3, 3/6, 4/9.
    assert average_precision(SCORES, WRONG) == pytest.approx((1 / 2 + 2 / 3 + 3 / 6 + 4 / 9) / 4)


@pytest.mark.parametrize(
    ("rate", "found"),
    [
        (0.0, 0.0),  # the first wrong one comes with a right one
        (1 / 12, 1 / 8),  # half way to the first point, (1/6, 1/4)
        (1 / 6, 1 / 2),  # the upper end of the step: two found for one raised in vain
        (1 / 3, 1 / 2 + 1 / 8),  # half way from (1/6, 1/2) to (1/2, 3/4)
        (1.0, 1.0),
    ],
)
def test_recall_lies_on_the_roc_curve(rate, found):
    assert recall_at(SCORES, WRONG, rate) == pytest.approx(found)


def test_the_same_numbers_as_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    for _ in range(20):
        scores, wrong = rng.integers(0, 12, 60) / 11, rng.random(60) < 0.3
        assert auroc(scores, wrong) == pytest.approx(sklearn.roc_auc_score(wrong, scores))
        assert average_precision(scores, wrong) == pytest.approx(sklearn.average_precision_score(wrong, scores))


@pytest.mark.parametrize("measure", [auroc, average_precision, recall_at])
def test_nothing_to_tell_apart_is_none(measure):
    assert measure(np.array([0.1, 0.2]), np.array([True, True])) is None
    assert measure(np.array([0.1, 0.2]), np.array([False, False])) is None
    assert measure(np.zeros(0), np.zeros(0, bool)) is None


def test_the_same_score_for_all_is_chance():
    assert auroc(np.ones(10), WRONG) == 0.5
    assert average_precision(np.ones(10), WRONG) == pytest.approx(0.4)
    assert recall_at(np.ones(10), WRONG) == pytest.approx(0.1)


def test_percentiles_follow_the_direction_and_put_the_unknown_in_the_middle():
    values = np.array([5.0, np.nan, 1.0, 3.0])
    assert percentiles(values, "worse").tolist() == [1.0, 0.5, 0.0, 0.5]
    assert percentiles(values, "better").tolist() == [0.0, 0.5, 1.0, 0.5]
    assert percentiles(np.full(3, np.nan), "worse").tolist() == [0.5] * 3
    assert percentiles(np.array([7.0]), "worse").tolist() == [0.5]


def test_each_is_compared_with_its_like_and_small_groups_are_taken_together():
    values = np.concatenate([np.arange(20.0), 100 + np.arange(20.0), [7.0, 9.0]])
    groups = np.repeat([0, 1, 2, 3], [20, 20, 1, 1])
    ranks = percentiles(values, "worse", groups)
    assert ranks[:20] == pytest.approx(np.arange(20) / 19)
    assert ranks[20:40] == pytest.approx(np.arange(20) / 19)
    assert ranks[40:].tolist() == [0.0, 1.0]
