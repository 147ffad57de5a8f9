"""Two looks at one picture: values by hand."""

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue import consistency
from metricloop.metrics.contract import MetricError, call_metric

BOX, FAR = [20, 20, 40, 40], [60, 60, 80, 80]  # inside the middle of a picture of 100 x 100: 10 to 90


def found(*rows):
    """rows of (x1, y1, x2, y2, score, label)."""
    rows = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(rows[:, :4].astype(np.float32), rows[:, 4], rows[:, 5].astype(np.int64))


def frame(predictions, boxes=(), **views):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64)
    return Frame(1, 100, 100, boxes, labels, ("cat", "dog"), predictions=predictions, views=views)


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (found([*BOX, 0.8, 0], [*FAR, 0.3, 1]), found([*FAR, 0.3, 1], [*BOX, 0.8, 0]), 1),
        # the same box with 0.8 and with 0.4: (0.8 * 0.4 + 0.4 * 0.4) / (0.64 + 0.16)
        (found([*BOX, 0.8, 0]), found([*BOX, 0.4, 0]), 0.6),
        # half the box
        (found([*BOX, 0.8, 0]), found([20, 20, 40, 30, 0.8, 0]), 0.5),
        # another class, another place, nothing
        (found([*BOX, 0.8, 0]), found([*BOX, 0.8, 1]), 0),
        (found([*BOX, 0.8, 0]), found([*FAR, 0.8, 0]), 0),
        (found([*BOX, 0.8, 0]), found(), 0),
        (found(), found([*BOX, 0.8, 0]), 0),
        (found(), found(), np.nan),
        # one of two with half the score is missing: (2 * 0.64) / (2 * 0.64 + 0.16)
        (found([*BOX, 0.8, 0], [*FAR, 0.4, 0]), found([*BOX, 0.8, 0]), 8 / 9),
    ],
)
def test_soft_overlap_of_two_looks(here, there, expected):
    np.testing.assert_allclose(call_metric(consistency.flip_consistency, frame(here, flip=there)), [expected])
    np.testing.assert_allclose(call_metric(consistency.flip_consistency, frame(there, flip=here)), [expected])
    np.testing.assert_allclose(call_metric(consistency.seed_disagreement, frame(here, seed=there)), [1 - expected])
    np.testing.assert_allclose(call_metric(consistency.crop_consistency, frame(here, crop=there)), [expected])


def test_what_the_crop_cuts_or_leaves_out_does_not_count():
    here = found([*BOX, 0.5, 0], [0, 50, 30, 80, 0.9, 0], [92, 92, 99, 99, 0.9, 0])  # cut at x = 10; outside
    there = found([*BOX, 0.5, 0], [10, 50, 30, 80, 0.9, 0])
    assert call_metric(consistency.crop_consistency, frame(here, crop=there)) == [1]
    # the cut one may answer for a whole one, as here, where the model sees it a little smaller
    smaller = found([*BOX, 0.5, 0], [11.5, 50, 30, 80, 0.9, 0])
    share = 18.5 / 30  # of the cut box, that the smaller one covers
    expected = (0.25 + 0.25 + 0.81 * share) / (0.25 + 0.25 + 0.81)
    np.testing.assert_allclose(call_metric(consistency.crop_consistency, frame(here, crop=smaller)), [expected])


def test_the_gap_of_two_models_is_that_of_their_confidence_in_the_label():
    here, there = found([*BOX, 0.8, 0]), found([20, 20, 40, 30, 0.6, 0], [*FAR, 0.7, 1])
    scores = call_metric(consistency.seed_gap, frame(here, [BOX, FAR], seed=there))
    np.testing.assert_allclose(scores, [0.8 - 0.6 / 2, 0])  # a dog says nothing of a cat


def test_the_committee_is_the_mean_over_all_looks_but_the_crop():
    views = {"flip": found([*BOX, 0.5, 0]), "seed": found([*BOX, 0.2, 0]), "crop": found([*BOX, 0.9, 0])}
    scores = call_metric(consistency.committee_confidence, frame(found([*BOX, 0.8, 0]), [BOX, FAR], **views))
    np.testing.assert_allclose(scores, [0.5, 0])


@pytest.mark.parametrize("name", ["flip_consistency", "crop_consistency", "seed_disagreement", "seed_gap"])
def test_a_view_nobody_asked_for_is_named(name):
    with pytest.raises(MetricError, match=r"predict\.views"):
        call_metric(getattr(consistency, name), frame(found(), [BOX], other=found()))
