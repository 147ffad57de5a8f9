"""What a person judged right is not listed by the next audit; the next label of the picture is."""

import numpy as np
import pytest

from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.suspects import suspects
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.study.judged import Right

BOXES = np.array([[10, 10, 30, 30], [50, 50, 70, 70]], np.float32)
POOL = pool_of([Frame(number, 100, 100, BOXES, np.zeros(2, int), ("panda",)) for number in (1, 2)])
SEEN = Detections(np.array([[80, 80, 95, 95]], np.float32), np.array([0.9], np.float32), np.zeros(1, int))
PLACED, MISSING = (next(kind for kind in KINDS if kind.name == name) for name in ("placed", "missing"))
NOTHING = Right(np.zeros(4, bool), {})


def listed(kind, scores, right):
    by_kind = {"placed": np.zeros(4), kind.name: np.array(scores)}
    seen = {1: SEEN, 2: SEEN} if kind is MISSING else None
    found = suspects([PLACED, MISSING][: len(by_kind)], by_kind, POOL, seen, 50, right=right)
    return [(it.row, it.box) for it in found[kind.name]]


def test_another_box_of_the_picture_takes_the_place_of_one_that_is_right():
    scores = [0.9, 0.7, 0.8, 0.1]
    assert listed(PLACED, scores, None) == listed(PLACED, scores, NOTHING) == [(0, 0), (1, 2)]
    assert listed(PLACED, scores, Right(np.array([True, False, True, False]), {})) == [(0, 1)]


@pytest.mark.parametrize(
    ("place", "expected"),
    [((80, 80, 95, 95), [(1, -1)]), ((80, 80, 95, 90), [(1, -1)]), ((50, 50, 70, 70), [(0, -1), (1, -1)])],
)
def test_no_label_is_missing_where_a_person_saw_that_none_is(place, expected):
    right = Right(np.zeros(4, bool), {0: [tuple(map(float, place))]})
    assert listed(MISSING, [0.9, 0.8], right) == expected
