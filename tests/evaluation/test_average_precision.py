"""evaluation/average_precision.py against COCO itself: on the split, and on splits whose images really repeat."""

import numpy as np
import pytest
from coco_reference import CLASSES, dataset, detections, pycoco, random_case, reference_numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.evaluation.coco import coco_evaluate

seeded = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def reweighted(truth, predicted, weights):
    matches = coco_evaluate(truth, predicted).matches
    return weighted_ap(matches, truth.image_id, count_positives(truth), np.atleast_2d(weights))


@seeded
@given(
    seed=st.integers(0, 10**6), crowds=st.sampled_from([0, 0.3]), found=st.sampled_from([0, 0.5, 1]), tied=st.booleans()
)
def test_unit_weights_give_coco(seed, crowds, found, tied):
    truth, predicted = random_case(seed, 5, crowds, found, tied)
    numbers = coco_evaluate(truth, predicted).numbers
    mean_ap, mean_ar = reweighted(truth, predicted, np.ones((3, 5)))
    if numbers["mAP"] is None:
        assert np.isnan([*mean_ap, *mean_ar]).all()
    else:
        assert mean_ap == pytest.approx([numbers["mAP"]] * 3, abs=1e-6)
        assert mean_ar == pytest.approx([numbers["mAR"]] * 3, abs=1e-6)


@seeded
@given(seed=st.integers(0, 10**6), crowds=st.sampled_from([0, 0.3]))
def test_integer_weights_are_repeated_images(seed, crowds):
    truth, predicted = random_case(seed, 6, crowds, 1, tied=False)
    weights = np.random.default_rng(seed).integers(0, 4, (3, 6))
    positives = count_positives(truth)
    whole = positives.sum(axis=0) > 0
    mean_ap, mean_ar = reweighted(truth, predicted, weights)
    for replicate, times in enumerate(weights):
        if ((times @ positives > 0) != whole).any() or not whole.any():
            continue  # a class went missing: pycocotools would average over fewer classes
        rows = np.repeat(np.arange(6), times)
        parts = [truth.slice(row) for row in rows]
        repeated = dataset([(truth.boxes[part], truth.labels[part], truth.crowd[part]) for part in parts])
        # The copies of one detection tie and stand together; all other scores differ, so no tie is broken by order.
        expected = reference_numbers(pycoco(repeated, [predicted[row] for row in rows]), CLASSES)
        assert mean_ap[replicate] == pytest.approx(expected["mAP"], abs=1e-6)
        assert mean_ar[replicate] == pytest.approx(expected["mAR"], abs=1e-6)


def test_a_class_no_drawn_image_shows_keeps_its_value():
    box = [[0, 0, 10, 10]]
    truth = dataset([(box, [0], [False]), (box, [1], [False])])
    # The lion is found behind a false alarm on the panda's image, the panda is missed.
    predicted = [detections(box, [0.5], [0]), detections(box, [0.9], [0])]
    mean_ap, mean_ar = reweighted(truth, predicted, [[1, 1], [1, 0], [0, 1], [2, 6]])
    # The lion's AP: 1/2 in the split; 1 without the panda's image; kept at 1/2 when not drawn; 2 of 8 when reweighted.
    assert mean_ap == pytest.approx([0.25, 0.5, 0.25, 0.125])
    assert mean_ar == pytest.approx([0.5, 0.5, 0.5, 0.5])


def test_crowds_are_not_to_be_found():
    truth = dataset([([[0, 0, 9, 9], [0, 0, 50, 50], [1, 1, 9, 9]], [0, 0, 1], [False, True, False])])
    assert count_positives(truth).tolist() == [[1, 1, 0]]
