"""Precision over recall: curves by hand, and the law that their mean is COCO's average precision."""

import numpy as np
import pytest
from coco_reference import random_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metricloop.evaluation.average_precision import count_positives
from metricloop.evaluation.coco import Matches, coco_evaluate
from metricloop.evaluation.precision_recall import precision_at_recall


def matches(rows: list[tuple[int, float, int, int]]) -> Matches:
    """rows: (label, score, tp, ignored), all of one image."""
    label, score, tp, ignored = (np.array(values) for values in zip(*rows, strict=True))
    return Matches(np.zeros(len(rows), int), label, score, tp.astype(np.int16), ignored.astype(np.int16))


def test_a_curve_by_hand():
    """Two objects; hit, miss, hit: precision 1 up to recall 0.5, then 2 of 3 up to recall 1."""
    curve = precision_at_recall(matches([(0, 0.9, 1, 0), (0, 0.8, 0, 0), (0, 0.7, 1, 0)]), np.array([2]), 0.5)
    assert curve[:51].tolist() == [1.0] * 51
    assert curve[51:] == pytest.approx([2 / 3] * 50)


def test_what_lies_beyond_the_greatest_recall_is_zero():
    curve = precision_at_recall(matches([(0, 0.9, 1, 0)]), np.array([4]), 0.5)
    assert curve.tolist() == [1.0] * 26 + [0.0] * 75


def test_the_threshold_chooses_the_bit():
    """The only detection is a hit up to an IoU of 0.7."""
    found = matches([(0, 0.9, 0b11111, 0)])
    assert precision_at_recall(found, np.array([1]), 0.7).mean() == 1
    assert precision_at_recall(found, np.array([1]), 0.75).mean() == 0


def test_detections_in_crowds_do_not_count_and_classes_without_objects_neither():
    """Of two classes with objects one is not found at all: the mean halves. Class 2 has no object."""
    rows = [(0, 0.9, 0, 1), (0, 0.8, 1, 0), (2, 0.99, 0, 0)]
    assert precision_at_recall(matches(rows), np.array([1, 1, 0]), 0.5).tolist() == [0.5] * 101


def test_no_object_no_curve():
    assert np.isnan(precision_at_recall(matches([(0, 0.9, 0, 0)]), np.array([0]), 0.5)).all()


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), crowds=st.sampled_from([0, 0.3]), found=st.sampled_from([0, 1]), tied=st.booleans())
def test_the_mean_of_the_curve_is_cocos_average_precision(seed, crowds, found, tied):
    truth, predicted = random_case(seed, 5, crowds, found, tied)
    evaluation = coco_evaluate(truth, predicted)
    curve = precision_at_recall(evaluation.matches, count_positives(truth).sum(axis=0), 0.5)
    if evaluation.numbers["mAP50"] is None:
        assert np.isnan(curve).all()
    else:
        assert curve.mean() == pytest.approx(evaluation.numbers["mAP50"], abs=1e-9)
        assert (np.diff(curve) <= 1e-12).all()  # precision falls with recall
