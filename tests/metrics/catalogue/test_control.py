"""The control that knows nothing: uniform, seeded, and bound to the picture."""

from dataclasses import replace

import numpy as np
from scipy import stats

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.catalogue.control import random_score
from metricloop.metrics.contract import call_metric


def pool(ids):
    return pool_of([Frame(k, 40, 30, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for k in ids])


def test_a_picture_has_its_score_whatever_the_others_are():
    scores = dict(zip(range(50), call_metric(random_score, pool(range(50))), strict=True))
    some = [31, 7, 49, 0]
    np.testing.assert_array_equal(call_metric(random_score, pool(some)), [scores[k] for k in some])


def test_copies_share_it_and_images_without_a_hash_have_none():
    scores = call_metric(
        random_score, replace(pool(range(4)), sha256=np.array(["ab" * 32, None, "ab" * 32, ""], object))
    )
    assert scores[0] == scores[2]
    assert np.isnan(scores).tolist() == [False, True, False, True]


def test_it_is_splitmix64_over_the_four_words_of_the_hash():
    def mixed(state):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        return state ^ (state >> 31)

    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    state = 3
    for at in range(0, 64, 16):
        state = mixed(state ^ int(digest[at : at + 16], 16))
    one = replace(pool([1]), sha256=np.array([digest], object))
    assert random_score(one, seed=3).tolist() == [(state >> 11) / 2**53]


def test_scores_are_uniform_and_seeds_unrelated():
    many = pool(range(5000))
    draws = np.array([random_score(many, seed) for seed in range(40)])
    assert ((draws >= 0) & (draws < 1)).all()
    # of uniform draws the p values are uniform too; one alone is below any bound at times
    assert stats.kstest([stats.kstest(draw, "uniform").pvalue for draw in draws], "uniform").pvalue > 0.01
    between_seeds = np.corrcoef(draws)[np.triu_indices(40, 1)]
    assert abs(between_seeds).max() < 0.07  # of 780 pairs, five standard errors of 0.014
    assert abs(np.corrcoef(draws[0, 1:], draws[0, :-1])[0, 1]) < 0.07


def test_an_empty_pool_is_legal():
    assert random_score(pool([])).shape == (0,)
