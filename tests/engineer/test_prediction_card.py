"""The prediction card tells how scores and overlaps lie, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.engineer import prediction_card as card
from metricloop.engineer.prediction_card import prediction_card


def pool(*boxes_of_images: list) -> Dataset:
    """Images of 100 x 100 px with (x1, y1, x2, y2, label) each."""
    n, counts = len(boxes_of_images), [len(own) for own in boxes_of_images]
    flat = np.array([box for own in boxes_of_images for box in own], np.float32).reshape(-1, 5)
    names = np.array([f"{k}.jpg" for k in range(n)], object)
    return Dataset(
        root=Path("."), class_names=("panda", "ball"), image_id=np.arange(n), file=names, sha256=names,
        width=np.full(n, 100), height=np.full(n, 100), group=names, split=np.full(n, "pool"),
        box_id=np.arange(len(flat)), boxes=flat[:, :4], labels=flat[:, 4].astype(np.int64),
        crowd=np.zeros(len(flat), bool), offsets=np.concatenate([[0], np.cumsum(counts)]),
    )  # fmt: skip


def found(*rows: tuple) -> Detections:
    """(x1, y1, x2, y2, score, label) each."""
    flat = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(flat[:, :4], flat[:, 4], flat[:, 5].astype(np.int64))


POOL = pool([(0, 0, 10, 10, 0), (50, 50, 60, 60, 1)], [(0, 0, 10, 10, 0)], [], [])
FOUND = {
    0: found(
        (0, 0, 10, 10, 0.95, 0), (0, 4, 10, 10, 0.6, 0), (50, 50, 60, 60, 0.65, 0)
    ),  # the last: of the other class
    1: found((0, 0, 10, 8, 0.35, 0)),
    2: found((1, 1, 9, 9, 0.4, 1), (1, 1, 9, 9, 0.06, 1)),
}


def test_scores_and_overlaps_by_hand():
    said = prediction_card(POOL, FOUND).replace("\u00a0", " ").splitlines()
    assert said[0].startswith("Out-of-fold predictions of the pool by their score; overlap is the IoU")
    assert said[4:10] == [
        "| below 0.1 | 0.25 | 0 % | 0 % | 0.00 |",
        "| 0.1 to 0.3 | 0.00 | \u2013 | \u2013 | \u2013 |",
        "| 0.3 to 0.5 | 0.50 | 50 % | 50 % | 0.40 |",  # IoU .8, and none
        "| 0.5 to 0.7 | 0.50 | 50 % | 0 % | 0.30 |",  # IoU .6, and none of its class
        "| 0.7 to 0.9 | 0.00 | \u2013 | \u2013 | \u2013 |",
        "| 0.9 to 1 | 0.25 | 100 % | 100 % | 1.00 |",
    ]
    assert said[-1] == (
        "Labels with a prediction of their class at IoU 0.5 or more: from 0.3 on 67 %, from 0.5 on 33 %, from 0.7 on "
        "33 %. Of the 2 images without a label 50 % have a prediction from 0.3 on."
    )


@pytest.mark.parametrize("predictions", [{}, {0: Detections.empty()}])
def test_a_detector_that_found_nothing(predictions):
    said = prediction_card(POOL, predictions)
    assert said.count("| 0.00 | \u2013 | \u2013 | \u2013 |") == 6
    assert "from 0.3 on 0\u00a0%" in said


def test_no_predictions_no_images_no_labels():
    assert prediction_card(POOL, None) == ""
    assert prediction_card(pool(), {}) == ""
    assert "Labels with" not in prediction_card(pool([]), {0: found((0, 0, 9, 9, 0.9, 0))})


def test_a_score_on_an_edge_is_in_the_bin_that_begins_there():
    """Scores are float32, in which 0.7 and 0.9 lie below the numbers of that name."""
    one = pool([(0, 0, 10, 10, 0)])
    for score, line in ((0.7, "| 0.7 to 0.9 | 1.00 |"), (0.9, "| 0.9 to 1 | 1.00 |"), (0.1, "| 0.1 to 0.3 | 1.00 |")):
        said = prediction_card(one, {0: found((0, 0, 10, 10, score, 0))})
        assert line in said
        assert ("from 0.7 on 100" in said) == (score >= 0.7)


def test_of_a_large_pool_some_images_are_looked_at(monkeypatch):
    monkeypatch.setattr(card, "MOST_IMAGES", 2)
    assert "by their score, on 2 images drawn at random;" in prediction_card(POOL, FOUND)
