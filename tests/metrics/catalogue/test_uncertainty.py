"""Scores of a model alone, and what the labels cost it: values by hand."""

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue import uncertainty
from metricloop.metrics.contract import call_metric

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def frame(found=(), boxes=(), labels=None):
    """found: rows of (x1, y1, x2, y2, score, label)."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows = np.array(found, np.float64).reshape(-1, 6)
    predictions = Detections(rows[:, :4].astype(np.float32), rows[:, 4], rows[:, 5].astype(np.int64))
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Frame(1, 200, 100, boxes, labels, ("cat", "dog"), predictions=predictions)


THREE = frame([[*BOX, 0.8, 0], [*FAR, 0.2, 0], [90, 0, 99, 9, 0.04, 0]])


@pytest.mark.parametrize(
    ("name", "three", "nothing"),
    [
        ("mean_confidence", 0.5, np.nan),  # 0.04 is not counted
        ("min_confidence", 0.2, np.nan),
        ("max_confidence", 0.8, 0),
        # H(0.8) = H(0.2) = 0.721928 bits, H(0.04) = 0.242292: (1 * 0.721928 + 0.04 * 0.242292) / 1.04
        ("prediction_entropy", 0.7034803, np.nan),
        ("least_confidence", (0.8 * 0.2 + 0.2 * 0.8 + 0.04 * 0.96) / 1.04, np.nan),
        ("prediction_margin", (0.8**2 + 0.2**2 + 0.04**2) / 1.04, np.nan),
        # mean 1.04 / 3, mean of squares 0.6816 / 3
        ("score_variance", 0.6816 / 3 - (1.04 / 3) ** 2, np.nan),
        # no labels: -log 0.2 - log 0.8 - log 0.96
        ("log_loss", -np.log(0.2 * 0.8 * 0.96), 0),
    ],
)
def test_scores_of_three_detections_and_of_none(name, three, nothing):
    function = getattr(uncertainty, name)
    assert call_metric(function, THREE) == pytest.approx(three, rel=1e-6)
    np.testing.assert_array_equal(call_metric(function, frame()), [nothing])


def test_a_place_is_spoken_for_by_its_best_score():
    # at one place a cat with 0.8 and a dog with 0.6 (IoU 0.9), elsewhere a dog with 0.4
    seen = frame([[0, 0, 10, 9, 0.6, 1], [*FAR, 0.4, 1], [*BOX, 0.8, 0]])
    assert call_metric(uncertainty.least_confidence, seen) == pytest.approx((0.8 * 0.2 + 0.4 * 0.6) / 1.2)
    assert call_metric(uncertainty.prediction_margin, seen) == pytest.approx((0.8 * 0.2 + 0.4 * 0.4) / 1.2)


def test_a_second_box_of_the_same_class_is_no_rival():
    seen = frame([[*BOX, 0.8, 0], [0, 0, 10, 9, 0.6, 0]])
    assert call_metric(uncertainty.prediction_margin, seen) == pytest.approx(0.8)


def test_entropy_is_0_for_what_is_certain_and_1_for_a_coin():
    assert call_metric(uncertainty.prediction_entropy, frame([[*BOX, 1, 0]])) == [0]
    assert call_metric(uncertainty.prediction_entropy, frame([[*BOX, 0.5, 0]])) == [1]


@pytest.mark.parametrize(
    ("found", "labels", "expected"),
    [
        # found with 0.8, and one elsewhere with 0.5 that is no label
        ([[*BOX, 0.8, 0], [*FAR, 0.5, 0]], [0], -np.log(0.8) - np.log(0.5)),
        # of another class: the label was not expected (clipped at 0.01), and the dog is not there
        ([[*BOX, 0.8, 1]], [0], -np.log(0.01) - np.log(0.2)),
        # a certain model is held at 0.99
        ([[*BOX, 1, 0]], [0], -np.log(0.99)),
        ([[*FAR, 1, 0]], [0], -2 * np.log(0.01)),
        ([], [0], -np.log(0.01)),
    ],
)
def test_the_log_loss_is_that_of_the_bets_a_model_made(found, labels, expected):
    assert call_metric(uncertainty.log_loss, frame(found, [BOX], labels)) == pytest.approx(expected)


def test_the_log_loss_is_per_label():
    two = frame([[*BOX, 0.8, 0], [*FAR, 0.5, 0]], [BOX, FAR])
    assert call_metric(uncertainty.log_loss, two) == pytest.approx(-(np.log(0.8) + np.log(0.5)) / 2)


def test_the_log_loss_is_proper():
    # an object that is there in 7 of 10 images: a model that says 0.7 pays least
    def cost(score):
        there, gone = frame([[*BOX, score, 0]], [BOX]), frame([[*BOX, score, 0]])
        return 0.7 * uncertainty.log_loss(there) + 0.3 * uncertainty.log_loss(gone)

    scores = np.arange(0.05, 1, 0.05)
    assert scores[np.argmin([cost(score) for score in scores])] == pytest.approx(0.7)
