"""How far two detectors agree, on detections written down by hand."""

import numpy as np
import pytest
from detector_fixture import facts

from metricloop.delivery.agreement import Agreement, agreement, distances
from metricloop.serving.detector import Found


def found(*rows: tuple[float, int, float]) -> Found:
    """Detections from rows of (score, label, left side); each box is 10 px wide and high."""
    boxes = np.array([[x, 0, x + 10, 10] for _, _, x in rows], np.float32).reshape(-1, 4)
    return Found(
        boxes, np.array([score for score, _, _ in rows], np.float32), np.array([label for _, label, _ in rows])
    )


class Fixed:
    """A detector that finds the same on every picture."""

    def __init__(self, result: Found, **changes) -> None:
        self.result, self.facts = result, facts(**changes)

    def detect(self, pictures):
        return [self.result] * len(pictures)


PICTURE = np.zeros((50, 100, 3), np.uint8)  # long side 100: 1 px is 0.01


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([(0.9, 0, 5)], [(0.9, 0, 5)], [0]),
        ([(0.9, 0, 5)], [(0.8, 0, 5)], [0.1]),  # the score
        ([(0.9, 0, 5)], [(0.9, 0, 7)], [0.02]),  # 2 px of 100
        ([(0.9, 0, 5)], [(0.9, 1, 5)], [np.inf]),  # another label
        ([(0.9, 0, 5)], [], [np.inf]),
        ([(0.9, 0, 5), (0.9, 0, 60)], [(0.9, 0, 60), (0.9, 0, 5)], [0, 0]),  # equal scores in another order
        ([(0.0105, 0, 5)], [], []),  # at the threshold of 0.01
    ],
)
def test_distances(one, other, expected):
    assert distances(found(*one), found(*other), side=100, limit=0.01) == pytest.approx(expected, abs=1e-6)


def test_equal_detectors():
    result = agreement(Fixed(found((0.9, 0, 5), (0.5, 1, 7))), Fixed(found((0.9, 0, 5), (0.5004, 1, 7))), [PICTURE] * 3)
    assert (result.pictures, result.detections, result.without) == (3, 6, 0)
    assert result.difference == pytest.approx(4e-4, abs=1e-6)
    assert result.equal
    assert str(result) == "largest difference 4.0e-04 over 6 detections on 3 pictures"


@pytest.mark.parametrize("other", [[(0.898, 0, 5)], [(0.9, 0, 5.2)], [(0.9, 1, 5)], [], [(0.9, 0, 5), (0.4, 0, 70)]])
def test_different_detectors(other):
    """A score off by 0.002, a box by 0.2 % of the side, another label, one too few, one too many."""
    assert not agreement(Fixed(found((0.9, 0, 5))), Fixed(found(*other)), [PICTURE]).equal


def test_the_end_of_a_full_list_is_left_out():
    """Both lists are full with two detections; which of two equal ones comes last is chance."""
    one = Fixed(found((0.9, 0, 5), (0.5, 0, 30)), max_detections=2)
    other = Fixed(found((0.9, 0, 5), (0.5, 0, 60)), max_detections=2)
    assert agreement(one, other, [PICTURE]) == Agreement(1, 1, 0.0, 0)
