"""Labels against a model by degrees: values by hand, and what scale and order do not change."""

from dataclasses import replace

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue.matching import exclusive_agreement, uncovered_prediction

# IoU with the first label: 1/2 and 1; with the second 0; the third label is the first once more, IoU 1/2 and 1.
BOXES = np.float32([[0, 0, 10, 10], [80, 80, 90, 90], [0, 0, 10, 10]])
FOUND = Detections(
    np.float32([[0, 0, 10, 5], [0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.64, 0.25, 0.09]), np.array([0, 0, 1])
)
FRAME = Frame(1, 100, 100, BOXES, np.array([0, 0, 0]), ("cat", "dog"), predictions=FOUND)


def test_a_prediction_speaks_for_one_label_only():
    # sqrt(.25) * 1 = .5 for one of the two like labels; sqrt(.64) * .25 = .2 is left for the other
    assert sorted(exclusive_agreement(FRAME)) == pytest.approx([0.0, 0.2, 0.5])


def test_a_class_apart_does_not_speak_for_a_label_but_is_an_object_without_one():
    frame = replace(FRAME, boxes=BOXES[:1], labels=np.array([1]))
    assert exclusive_agreement(frame).tolist() == [0.0]
    assert uncovered_prediction(frame) == pytest.approx(0.32)  # .64 * (1 - 1/2), the others .25 * 0 and .09 * 1


@pytest.mark.parametrize("function", [exclusive_agreement, uncovered_prediction])
def test_scale_does_not_matter_and_nothing_is_handled(function):
    larger = replace(FRAME, width=300, height=300, boxes=BOXES * 3, predictions=replace(FOUND, boxes=FOUND.boxes * 3))
    assert np.asarray(function(larger)) == pytest.approx(np.asarray(function(FRAME)))
    empty = Frame(1, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, int), ("cat",), predictions=FOUND)
    none = replace(FRAME, predictions=Detections.empty())
    assert np.size(function(empty)) == (1 if function is uncovered_prediction else 0)
    assert not np.any(function(none))


def test_the_order_of_labels_does_not_matter():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [1, 0, 10, 10]])
    frame = replace(FRAME, boxes=boxes)
    turned = replace(FRAME, boxes=boxes[::-1].copy())
    assert exclusive_agreement(turned)[::-1] == pytest.approx(exclusive_agreement(frame))
