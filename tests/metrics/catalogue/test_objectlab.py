"""ObjectLab: values by hand, and cleanlab's own numbers with cleanlab's constants."""

from dataclasses import replace

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.catalogue import objectlab
from metricloop.metrics.catalogue._overlap import overlap
from metricloop.metrics.contract import call_metric


def frame(boxes, labels, found, width=400, height=300):
    """found: rows of (x1, y1, x2, y2, score, label). The diagonal is 500."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows = np.array(found, np.float64).reshape(-1, 6)
    predictions = Detections(rows[:, :4].astype(np.float32), rows[:, 4], rows[:, 5].astype(np.int64))
    return Frame(1, width, height, boxes, np.array(labels, np.int64), ("a", "b", "c"), predictions=predictions)


# What cleanlab 2.9.0 says of these (its compute_*_box_scores and get_label_quality_scores, called with all at once).
IMAGES = [
    frame(
        [[10, 10, 60, 60], [100, 40, 160, 120]],
        [0, 1],
        [
            [12, 8, 64, 58, 0.97, 0],
            [96, 44, 150, 126, 0.7, 1],
            [104, 40, 168, 118, 0.96, 2],
            [200, 150, 240, 190, 0.98, 0],
            [30, 160, 60, 190, 0.99, 2],
        ],
    ),
    frame(
        [[20, 20, 80, 90], [22, 20, 80, 90], [150, 30, 190, 80]],
        [0, 1, 2],
        [[18, 22, 84, 88, 0.6, 0], [150, 34, 186, 90, 0.96, 1], [120, 120, 150, 150, 0.96, 1]],
    ),
    frame([[40, 40, 90, 100]], [1], [[42, 44, 90, 96, 0.3, 1], [200, 20, 230, 60, 0.4, 0]]),
    frame([], [], [[10, 10, 50, 50, 0.97, 1]]),
]
NAN = np.nan
CLEANLAB = {
    "overlooked": [
        [NAN, NAN, NAN, 1.131886806504667e-11, 1.1318868065046679e-13],
        [NAN, NAN, 9.16608773626759e-07],
        [NAN, NAN],
        [3.395660419514004e-13],
    ],
    "located": [[0.8113598147079875, 0.6723726924980576], [0.8659406608636482, 1.0, 1.0], [1.0], []],
    "swapped": [
        [0.9999983576631759, 0.22079241131974991],
        [1.131886806504667e-11, 1.131886806504667e-11, 0.3201877296416624],
        [1.0],
        [],
    ],
    "quality": [9.600378601989114e-05, 0.0017474968230752064, 1.0, 6.97656134726956e-05],
}


def test_with_its_constants_cleanlabs_numbers_come_out():
    alike = [objectlab.similarity(overlap(image), image, 0.9, 0.1, 1) for image in IMAGES]
    floor = min(matrix.min(initial=1.0) for matrix in alike)  # cleanlab takes the smallest of the data set
    for row, (image, matrix) in enumerate(zip(IMAGES, alike, strict=True)):
        scores = objectlab.box_scores(image, matrix, confident=0.5, sure=0.95, unfound=1.0, floor=floor)
        for name in ("overlooked", "located", "swapped"):
            np.testing.assert_allclose(getattr(scores, name), CLEANLAB[name][row], rtol=1e-6, err_msg=name)
        # cleanlab adds 1e-6 to what it divides by in its soft minimum
        assert objectlab.quality(scores, 0.1) == pytest.approx(CLEANLAB["quality"][row], rel=2e-6)


def test_overlooked_is_the_similarity_to_the_nearest_label_of_the_class():
    # centres (20, 20) and (50, 60): 50 px of a diagonal of 500, a tenth: 0.1 exp(-8)
    alone = frame([[10, 10, 30, 30]], [0], [[40, 50, 60, 70, 0.6, 0]])
    assert call_metric(objectlab.overlooked, alone) == pytest.approx(0.1 * np.exp(-8))
    # of another class: 0.1 exp(-80), what boxes a diagonal apart would have, times 1 - 0.6
    other = replace(alone, labels=np.array([1]))
    assert call_metric(objectlab.overlooked, other) == pytest.approx(0.04 * np.exp(-80))
    # unsure, or touching a label: nothing was overlooked
    assert call_metric(objectlab.overlooked, frame([[10, 10, 30, 30]], [0], [[40, 50, 60, 70, 0.4, 0]])) == [1]
    assert call_metric(objectlab.overlooked, frame([[10, 10, 30, 30]], [1], [[29, 29, 60, 70, 0.9, 0]])) == [1]


def test_badly_located_is_the_best_similarity_to_a_confident_prediction():
    # IoU 1/2, centres 5 px apart, a hundredth of the diagonal: 0.45 + 0.1 exp(-0.8)
    boxes = [[0, 0, 20, 10], [100, 100, 120, 120], [200, 200, 220, 220]]
    found = [[0, 0, 10, 10, 0.6, 0], [0, 0, 20, 10, 0.2, 0], [100, 100, 120, 120, 0.9, 1]]
    scores = call_metric(objectlab.badly_located, frame(boxes, [0, 0, 0], found))
    # the second was found as another class only, the third not at all
    np.testing.assert_allclose(scores, [0.45 + 0.1 * np.exp(-0.8), 0.5, 0.5])


def test_swapped_is_low_where_the_model_is_sure_of_another_class():
    boxes = [[0, 0, 20, 10], [100, 100, 120, 120], [100, 100, 120, 120.5]]
    scores = call_metric(objectlab.swapped, frame(boxes, [0, 0, 1], [[0, 0, 20, 10, 0.6, 1]]))
    # the same box under another name; the other two are one object with two names
    np.testing.assert_allclose(scores, [0, 0, 0], atol=1e-15)
    assert call_metric(objectlab.swapped, frame(boxes[:1], [0], [[0, 0, 20, 10, 0.5, 1]])) == [1]  # not sure
    assert call_metric(objectlab.swapped, frame(boxes[:1], [1], [[0, 0, 20, 10, 0.9, 1]])) == [1]  # the same


def test_the_soft_minimum_lies_between_minimum_and_mean():
    # weights 1 and exp(-0.1 / 0.1): (0.2 + 0.3 / e) / (1 + 1 / e)
    expected = (0.2 + 0.3 / np.e) / (1 + 1 / np.e)
    assert objectlab.soft_min(np.array([0.3, np.nan, 0.2]), 0.1) == pytest.approx(expected)
    assert objectlab.soft_min(np.array([np.nan]), 0.1) == 1


def test_label_quality_is_the_geometric_mean_of_the_three():
    # overlooked 1; located 0.45 + 0.1 exp(-0.8) of the only label; swapped 1
    image = frame([[0, 0, 20, 10]], [0], [[0, 0, 10, 10, 0.6, 0]])
    assert call_metric(objectlab.label_quality, image) == pytest.approx((0.45 + 0.1 * np.exp(-0.8)) ** (1 / 3))


def test_labels_without_predictions_are_not_perfect():
    assert call_metric(objectlab.label_quality, frame([[0, 0, 20, 10]], [0], [])) == pytest.approx(0.5 ** (1 / 3))
    assert call_metric(objectlab.label_quality, frame([], [], [])) == [1]
    assert call_metric(objectlab.overlooked, frame([], [], [])) == [1]


@pytest.mark.parametrize("name", ["overlooked", "badly_located", "swapped", "label_quality"])
def test_doubling_all_coordinates_changes_nothing(name):
    for image in IMAGES:
        twice = replace(
            image,
            width=800,
            height=600,
            boxes=2 * image.boxes,
            predictions=replace(image.predictions, boxes=2 * image.predictions.boxes),
        )
        function = getattr(objectlab, name)
        np.testing.assert_allclose(call_metric(function, twice), call_metric(function, image), rtol=1e-9)
