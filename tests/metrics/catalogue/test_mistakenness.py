"""Mistaken labels by degrees: values by hand."""

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue import mistakenness
from metricloop.metrics.contract import call_metric

BOX, FAR, ALONE = [0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]


def frame(boxes=(), found=(), labels=None):
    """found: rows of (x1, y1, x2, y2, score, label)."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows = np.array(found, np.float64).reshape(-1, 6)
    predictions = Detections(rows[:, :4].astype(np.float32), rows[:, 4], rows[:, 5].astype(np.int64))
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Frame(1, 100, 100, boxes, labels, ("cat", "dog"), predictions=predictions)


def test_mistakenness_is_fiftyones_of_the_matched_prediction():
    # a dog with 0.8 on a cat: (0.8 + 1) / 2; a cat with 0.6 on a cat: (1 - 0.6) / 2; nothing: 1 / 2. The cat with 0.3
    # on the first box comes too late.
    found = [[*BOX, 0.3, 0], [0, 0, 10, 9, 0.8, 1], [*FAR, 0.6, 0]]
    scores = call_metric(mistakenness.mistakenness, frame([BOX, FAR, ALONE], found))
    np.testing.assert_allclose(scores, [0.9, 0.2, 0.5])


def test_mistaken_location_is_fiftyones_of_the_matched_prediction():
    # IoU 0.9: i = 0.2, (0.8 * (0.4 - 1) + 1) / 2 = 0.26; IoU 0.6: i = 0.8, (0.6 * 0.6 + 1) / 2 = 0.68
    found = [[0, 0, 10, 9, 0.8, 0], [50, 50, 60, 56, 0.6, 0]]
    scores = call_metric(mistakenness.mistaken_location, frame([BOX, FAR, ALONE], found))
    np.testing.assert_allclose(scores, [0.26, 0.68, 0.5])
    # at a looser match, i = (1 - 0.6) / (1 - 0.2) = 1/2 of what is possible
    assert mistakenness.mistaken_location(frame([FAR], found[1:]), hit=0.2) == pytest.approx(0.5)


def test_a_prediction_speaks_for_one_label_only():
    # Pairs: BOX with 0.8 * 1; then the box beside it (IoU 50 / 150 with it) gets what is left: 0.2 * 1/2; the third
    # 0.4 * 1. The best score of the image is 0.8.
    beside = [5, 0, 15, 10]
    found = [[*BOX, 0.8, 0], [10, 0, 15, 10, 0.2, 0], [*FAR, 0.4, 1]]
    scores = call_metric(mistakenness.possible_spurious, frame([beside, BOX, FAR, ALONE], found))
    np.testing.assert_allclose(scores, [1 - 0.1 / 0.8, 0, 1 - 0.4 / 0.8, 1])


def test_class_doubt_is_half_where_the_model_says_nothing():
    # a cat gets 0.5 * 1 and a dog 0.8 * 0.9 = 0.72 of at most 0.8: (1 + 0.22 / 0.8) / 2, and for a dog the reverse
    found = [[*BOX, 0.5, 0], [0, 0, 10, 9, 0.8, 1]]
    scores = call_metric(mistakenness.class_doubt, frame([BOX, BOX, ALONE], found, [0, 1, 0]))
    np.testing.assert_allclose(scores, [0.6375, 0.3625, 0.5])


def test_location_doubt_does_not_hang_on_the_score():
    def loose(score):  # IoU 0.9 with a sure prediction, IoU 1 with one half as sure
        return frame([BOX], [[0, 0, 10, 9, score, 0], [*BOX, score / 2, 0]])

    # max(0.81, 0.5) of 1
    assert call_metric(mistakenness.location_doubt, loose(0.8)) == pytest.approx(0.19)
    assert call_metric(mistakenness.location_doubt, loose(0.1)) == pytest.approx(0.19)
    # nothing of its class is near: IoU 0.1 with a cat, 1 with a dog
    assert call_metric(mistakenness.location_doubt, frame([BOX], [[0, 0, 10, 1, 0.9, 0], [*BOX, 0.9, 1]])) == [1]


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        # everything labelled: nothing is left
        (frame([BOX], [[*BOX, 0.9, 0]]), 0),
        # an empty image with a claim: 0.6 / (0.6 + 0 + 0.3)
        (frame([], [[*BOX, 0.6, 0]]), 2 / 3),
        # beside a label the model gives 0.5: 0.4 / (0.4 + 0.5 + 0.3)
        (frame([BOX], [[*BOX, 0.5, 0], [*FAR, 0.4, 0]]), 1 / 3),
        # Half of the prediction is labelled: IoU 0.5, and the label lies in it whole: covered 0.75, 0.8 / 4 = 0.2 is
        # left; the label's own is 0.8 / 2 = 0.4: 0.2 / (0.2 + 0.4 + 0.3)
        (frame([[0, 0, 10, 5]], [[*BOX, 0.8, 0]]), 2 / 9),
        (frame([BOX], []), 0),
        (frame(), 0),
    ],
)
def test_possible_missing_weighs_the_unlabelled_against_the_labelled(labelled, expected):
    assert call_metric(mistakenness.possible_missing, labelled) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mistakenness", 0.5),
        ("mistaken_location", 0.5),
        ("possible_spurious", 1),
        ("class_doubt", 0.5),
        ("location_doubt", 1),
    ],
)
def test_without_predictions_each_metric_says_what_it_declares(name, expected):
    assert call_metric(getattr(mistakenness, name), frame([BOX, FAR])).tolist() == [expected, expected]
    assert call_metric(getattr(mistakenness, name), frame([], [[*BOX, 0.5, 0]])).shape == (0,)
