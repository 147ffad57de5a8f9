"""Labels that contradict themselves: numbers by hand. Loops and laws over random pools are in test_geometry."""

import math
from dataclasses import replace

import numpy as np
import pytest

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import integrity
from metricloop.metrics.contract import call_metric

NAN = math.nan


def frame(boxes, labels=None, image_id=1):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Frame(image_id, 40, 30, boxes, labels, ("cat", "dog"))


@pytest.mark.parametrize(
    ("function", "boxes", "labels", "expected"),
    [
        (integrity.degenerate, [[5, 5, 6, 25], [5, 5, 25, 5.5], [5, 5, 7, 7], [9, 9, 5, 5]], None, [1, 1, 0, 1]),
        # a quarter outside on the right; 3/4 of it out at the corner; touching the border only; all outside
        (
            integrity.out_of_bounds,
            [[25, 5, 45, 9], [-5, -5, 5, 5], [0, 0, 40, 30], [41, 5, 50, 9]],
            None,
            [0.25, 0.75, 0, 1],
        ),
        # a point inside, one outside, a standing line that sticks out by half, one that lies beside the image
        (
            integrity.out_of_bounds,
            [[5, 5, 5, 5], [-1, 5, -1, 5], [5, 25, 5, 35], [45, 5, 45, 9]],
            None,
            [0, 1, 0.5, 1],
        ),
        # the first two cats share 50 of 150; the dog is the first cat again
        (integrity.doubled, [[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 10]], [0, 0, 1], [1 / 3, 1 / 3, 0]),
        (integrity.conflicting, [[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 10]], [0, 0, 1], [1, 1 / 3, 1]),
        (integrity.doubled, [[3, 3, 3, 3], [3, 3, 3, 3]], None, [0, 0]),  # no area: no overlap
        (integrity.doubled, [[0.1, 0.1, 10.3, 10.7]] * 3, None, [1, 1, 1]),
        (integrity.conflicting, [[0, 0, 10, 10]], None, [0]),
    ],
)
def test_numbers_by_hand(function, boxes, labels, expected):
    scores = call_metric(function, pool_of([frame(boxes, labels)]))
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-12)


def grouped(groups, labelled):
    frames = [frame([[0, 0, 9, 9]] * n, image_id=k) for k, n in enumerate(labelled)]
    return replace(pool_of(frames), group=np.array(list(groups), object))


def test_an_image_without_labels_among_labelled_neighbours():
    # video v: two of the three others have labels; w: nobody has; x: alone
    pool = grouped("vvvvwwxx"[:7], [1, 0, 2, 0, 0, 0, 0])
    np.testing.assert_allclose(integrity.unlabelled_neighbour(pool), [0, 2 / 3, 0, 2 / 3, 0, 0, NAN])


def test_groups_need_not_stand_together():
    np.testing.assert_allclose(integrity.unlabelled_neighbour(grouped("abab", [1, 1, 0, 0])), [0, 0, 1, 1])
