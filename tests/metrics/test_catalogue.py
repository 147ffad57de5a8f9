"""Every metric of the catalogue against values worked out by hand, and against the laws it promises."""

import doctest
from dataclasses import replace

import cv2
import numpy as np
import pytest

from detection.frame import Detections, Frame
from metrics.catalogue import labels, model, pixels
from metrics.contract import evaluate, spec_of
from metrics.loading import catalogue


def frame(boxes, labelled=None, found=None, image=None, width=200, height=100):
    """found: rows of (x1, y1, x2, y2, score, label)."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows = np.array(found if found is not None else [], np.float32).reshape(-1, 6)
    return Frame(
        image_id=1,
        width=width,
        height=height,
        boxes=boxes,
        labels=np.zeros(len(boxes), np.int64) if labelled is None else np.array(labelled),
        class_names=("cat", "dog"),
        image=image,
        predictions=Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)),
    )


def scene(scale=1):
    """A grey picture with two textured rectangles, at (40, 20, 80, 60) and (120, 40, 180, 80)."""
    image = np.full((100, 200, 3), 90, np.uint8)
    for x1, y1, x2, y2 in ((40, 20, 80, 60), (120, 40, 180, 80)):
        image[y1:y2, x1:x2] = 160
        image[y1:y2:4, x1:x2] = 230
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


TIGHT = [[40, 20, 80, 60], [120, 40, 180, 80]]
FOUND = [[40, 20, 80, 60, 0.9, 0], [120, 40, 180, 60, 0.8, 0], [0, 0, 20, 20, 0.5, 0]]
FULL = frame(TIGHT, found=FOUND, image=scene())


@pytest.mark.parametrize("module", [labels, model, pixels])
def test_the_examples_in_the_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("function", catalogue().values(), ids=catalogue())
class TestLaws:
    def test_box_order_does_not_matter(self, function):
        turned = replace(FULL, boxes=FULL.boxes[::-1], labels=FULL.labels[::-1])
        scores, again = evaluate(function, FULL), evaluate(function, turned)
        np.testing.assert_array_equal(scores, again[::-1] if spec_of(function).level == "object" else again)

    def test_rescaling_the_image_does_not_matter(self, function):
        found = FULL.predictions
        twice = replace(
            FULL,
            boxes=2 * FULL.boxes,
            width=400,
            height=200,
            image=scene(2),
            predictions=replace(found, boxes=2 * found.boxes),
        )
        resampling = 0.05 if "image" in spec_of(function).needs else 1e-6
        np.testing.assert_allclose(evaluate(function, twice), evaluate(function, FULL), atol=resampling)

    def test_an_image_without_labels_is_legal(self, function):
        scores = evaluate(function, frame([], found=FOUND, image=scene()))
        assert scores.shape == ((0,) if spec_of(function).level == "object" else (1,))

    def test_boxes_of_one_pixel_and_of_none_are_legal(self, function):
        boxes = [[0, 0, 1, 1], [10, 10, 10, 10], [199, 99, 200, 100], [0, 0, 200, 100]]
        scores = evaluate(function, frame(boxes, found=FOUND, image=scene()))
        assert not np.isinf(scores).any()

    def test_the_same_frame_gets_the_same_scores_and_is_left_as_it_was(self, function):
        image, boxes = FULL.image.copy(), FULL.boxes.copy()
        np.testing.assert_array_equal(evaluate(function, FULL), evaluate(function, FULL))
        np.testing.assert_array_equal(image, FULL.image)
        np.testing.assert_array_equal(boxes, FULL.boxes)


def test_aspect_ratio_is_width_over_height():
    scores = evaluate(labels.aspect_ratio, frame([[0, 0, 30, 10], [0, 0, 10, 40], [0, 0, 5, 0]]))
    np.testing.assert_array_equal(scores, [3.0, 0.25, np.nan])


def test_object_count_counts():
    assert evaluate(labels.object_count, frame([])) == [0]
    assert evaluate(labels.object_count, frame(TIGHT)) == [2]


def test_object_proximity_is_the_mean_distance_to_the_nearest_centre():
    # centres (0, 0), (3, 4), (3, 16): nearest at 5, 5 and 12; the diagonal of 30 x 40 is 50
    boxes = [[-1, -1, 1, 1], [2, 3, 4, 5], [2, 15, 4, 17]]
    scores = evaluate(labels.object_proximity, frame(boxes, width=30, height=40))
    np.testing.assert_allclose(scores, [(5 + 5 + 12) / 3 / 50])


@pytest.mark.parametrize("boxes", [[], [[0, 0, 10, 10]]])
def test_object_proximity_cannot_say_without_a_neighbour(boxes):
    assert np.isnan(evaluate(labels.object_proximity, frame(boxes)))


def test_a_doubled_box_is_nearest_to_itself():
    assert evaluate(labels.object_proximity, frame([[0, 0, 10, 10], [0, 0, 10, 10]])) == [0]


def test_object_confidence_is_the_best_score_times_iou_of_the_same_class():
    found = [
        [0, 0, 10, 5, 0.8, 0],  # half of the first box: 0.5 * 0.8
        [0, 0, 10, 10, 0.3, 0],  # all of it: 1 * 0.3
        [0, 0, 10, 10, 0.9, 1],  # all of it, but a dog
    ]
    boxes = [[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]]
    scores = evaluate(model.object_confidence, frame(boxes, [0, 1, 0], found))
    np.testing.assert_allclose(scores, [0.4, 0.9, 0.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("boxes", "found", "expected"),
    [
        # one label found at IoU 1 with 0.8; the other prediction has nothing under it: 0.8 / (1 + 0.6)
        ([[0, 0, 10, 10]], [[0, 0, 10, 10, 0.8, 0], [50, 50, 60, 60, 0.6, 0]], 0.5),
        # as above, but the second is not confident, and costs nothing
        ([[0, 0, 10, 10]], [[0, 0, 10, 10, 0.8, 0], [50, 50, 60, 60, 0.2, 0]], 0.8),
        # a label at IoU 1/2 with 0.6: agreed 0.3, surprise 0.6 * 1/2
        ([[0, 0, 10, 10]], [[0, 0, 10, 5, 0.6, 0]], 0.3 / 1.3),
        # the right place, the wrong class: nothing agreed
        ([[0, 0, 10, 10]], [[0, 0, 10, 10, 0.9, 1]], 0.0),
        # labels and no predictions are not perfect
        ([[0, 0, 10, 10]], [], 0.0),
        # an object nobody labelled
        ([], [[0, 0, 10, 10, 0.9, 0]], 0.0),
        # nothing claimed by either
        ([], [[0, 0, 10, 10, 0.1, 0]], np.nan),
    ],
)
def test_label_agreement(boxes, found, expected):
    np.testing.assert_allclose(evaluate(model.label_agreement, frame(boxes, found=found)), [expected], rtol=1e-6)


@pytest.mark.parametrize("function", [pixels.box_tightness, pixels.edge_support])
@pytest.mark.parametrize(
    "worse",
    [
        [20, 0, 100, 80],  # twice too large
        [45, 25, 75, 55],  # cuts the object
        [55, 35, 95, 75],  # slid off
        [85, 60, 115, 90],  # on the background
    ],
)
def test_a_tight_box_beats_a_loose_small_or_shifted_one(function, worse):
    tight, other = evaluate(function, frame([TIGHT[0], worse], image=scene()))
    assert tight > 0.7
    assert other < tight - 0.1


def test_tightness_is_the_iou_of_box_and_contours():
    # the object covers a quarter of the loose box: IoU 0.25
    tight, loose = evaluate(pixels.box_tightness, frame([TIGHT[0], [20, 0, 100, 80]], image=scene()))
    assert tight == pytest.approx(1, abs=0.08)
    assert loose == pytest.approx(0.25, abs=0.05)


def test_a_flat_image_has_no_contours_and_no_edges():
    flat = frame(TIGHT, image=np.full((100, 200, 3), 90, np.uint8))
    np.testing.assert_array_equal(evaluate(pixels.box_tightness, flat), [0, 0])
    np.testing.assert_array_equal(evaluate(pixels.edge_support, flat), [0.5, 0.5])


def test_pixel_metrics_cannot_say_of_a_box_below_four_pixels():
    tiny = frame([[10, 10, 13.9, 50]], image=scene())
    assert np.isnan(evaluate(pixels.box_tightness, tiny))
    assert np.isnan(evaluate(pixels.edge_support, tiny))


def test_a_box_that_fills_the_image_is_not_read_beyond_it():
    scores = evaluate(pixels.edge_support, frame([[0, 0, 200, 100]], image=scene()))
    assert 0 <= scores[0] <= 1
