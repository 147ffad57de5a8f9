"""Mistakes found for a budget of labels. The numbers are counted by hand, or are the mean over all orders of ties."""

from itertools import permutations

import numpy as np
import pytest

from metricloop.auditing.budget import IDEAL, RANDOM, budget, budgets, curve, curve_points, image_suspicion, worst_box
from metricloop.auditing.measure import COMBINED
from metricloop.auditing.ranking_quality import auroc
from metricloop.auditing.suspicion import MetricScores
from metricloop.auditing.truth import Truth
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.contract import Spec

MISTAKES = np.array([2, 0, 1, 0, 3, 0])


def test_a_curve_by_hand():
    found = curve("a", np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1]), MISTAKES)
    assert [found.at(size) for size in range(7)] == [0, 2, 2, 3, 3, 6, 6]
    assert found.at(1.5) == 2.0
    assert found.needed_for(0.5) == 3.0  # three of six mistakes
    assert found.needed_for(0.75) == pytest.approx(4.5)  # half of the third image's three
    assert found.needed_for(1.0) == 5.0


def test_ties_are_the_mean_over_all_their_orders():
    suspicion = np.array([0.5, 0.9, 0.5, 0.1, 0.5, 0.1])
    orders = [[1, *middle, *last] for middle in permutations([0, 2, 4]) for last in permutations([3, 5])]
    by_hand = np.mean([np.concatenate([[0], np.cumsum(MISTAKES[order])]) for order in orders], axis=0)
    found = curve("a", suspicion, MISTAKES)
    assert [found.at(size) for size in range(7)] == pytest.approx(by_hand.tolist())


def test_ideal_and_random_are_the_bounds():
    made = budget("images", MISTAKES, {"good": ("image", MISTAKES + 0.0), "bad": ("image", -MISTAKES + 0.0)})
    curves = {one.name: one for one in made.curves}
    assert [one.name for one in made.curves] == [IDEAL, "good", "bad", RANDOM]
    assert [curves[IDEAL].at(size) for size in range(7)] == [0, 3, 5, 6, 6, 6, 6]
    assert [curves[RANDOM].at(size) for size in range(7)] == pytest.approx([0, 1, 2, 3, 4, 5, 6])
    assert (curves[IDEAL].of_ideal, curves["good"].of_ideal, curves["bad"].of_ideal) == pytest.approx((1, 1, -1))
    assert curves[RANDOM].of_ideal == 0
    rng = np.random.default_rng(1)
    for _ in range(20):
        found = curve("any", rng.integers(0, 4, 6) / 3, MISTAKES)
        assert all(found.at(size) <= curves[IDEAL].at(size) + 1e-9 for size in np.linspace(0, 6, 25))
        assert found.found[-1] == 6


def test_of_boxes_the_area_is_that_of_auroc():
    rng = np.random.default_rng(2)
    suspicion, wrong = rng.integers(0, 8, 60) / 7, rng.random(60) < 0.3
    assert curve("a", suspicion, wrong.astype(int)).of_ideal == pytest.approx(2 * auroc(suspicion, wrong) - 1)


@pytest.mark.parametrize("mistakes", [[0, 0, 0], [1, 1, 1], []])
def test_without_a_better_order_there_are_no_curves(mistakes):
    assert budget("boxes", np.array(mistakes, int), {"a": ("object", np.zeros(len(mistakes)))}) is None


def test_points_of_no_cases():
    assert [values.tolist() for values in curve_points(np.zeros(0), np.zeros(0))] == [[0.0], [0.0]]


BOX = np.float32([[0, 0, 9, 9]])
POOL = pool_of([Frame(k, 50, 50, np.repeat(BOX, n, 0), np.zeros(n, int), ("cat",)) for k, n in enumerate([2, 1, 0, 1])])


def says(name: str, level: str, values: list[float]) -> MetricScores:
    return MetricScores(Spec(name, level, ("image",), "worse"), "fit", np.array(values, float))


def test_an_image_is_as_suspicious_as_its_worst_box():
    worst = worst_box(POOL, np.array([0.2, 0.9, 0.5, 0.1]))
    assert worst[[0, 1, 3]].tolist() == [0.9, 0.5, 0.1]
    assert np.isnan(worst[2])


def test_an_image_with_more_that_is_suspicious_comes_first():
    found = image_suspicion(POOL, np.array([0.5, 0.5, 0.5, 1.0]), np.array([0.1, 0.2, 0.3, 0.2]))
    # twice 0.5 ** 4, then with the percentiles 0, 1/2, 1, 1/2 of missing labels
    assert found == pytest.approx([0.125, 0.0625 + 0.0625, 1.0, 1 + 0.0625])
    assert image_suspicion(POOL, np.zeros(4), None).tolist() == [0, 0, 0, 0]


def test_images_count_missing_labels_and_boxes_do_not_and_what_is_not_judged_is_left_out():
    truth = Truth(
        boxes=np.array(["none", "moved", "class", "unjudged"], object),
        missing=np.array([1, 0, 2, 0]),
        judged=np.array([True, True, True, False]),
    )
    scores = {"wide": says("wide", "object", [0, 3, 2, 9]), "dark": says("dark", "image", [0, 0, 5, 9])}
    images, boxes = budgets(POOL, truth, scores, {})
    assert (images.unit, images.cases, images.mistakes) == ("images", 3, 5)
    assert (boxes.unit, boxes.cases, boxes.mistakes) == ("boxes", 3, 2)
    found = {one.name: [one.at(size) for size in range(4)] for one in images.curves}
    assert found["dark"] == [0, 2, 3.5, 5]  # the third image, then the other two in either order
    # the worst boxes are 3 and 2, and the image without a box is in the middle of all four: 9, 3, none, 2
    assert found["wide"] == [0, 2, 4, 5]
    assert found[IDEAL] == [0, 2, 4, 5]
    by_box = {one.name: [one.at(size) for size in range(4)] for one in boxes.curves}
    assert by_box["wide"] == [0, 1, 2, 2]
    assert "dark" not in by_box
    assert COMBINED in found
    assert COMBINED in by_box
