"""Every type of error on boxes small enough to check by hand, and the laws that hold whatever is found."""

import doctest

import numpy as np
import pytest
from coco_reference import dataset, detections, random_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metricloop.data.boxes import iou
from metricloop.evaluation import error_types
from metricloop.evaluation.average_precision import count_positives
from metricloop.evaluation.coco import coco_evaluate
from metricloop.evaluation.error_types import KINDS, WRONG, Error, find_errors

LION, PANDA = 0, 1
SQUARE = [0, 0, 10, 10]


def one(objects, labels, boxes, scores, named, threshold=0.0, crowd=None):
    """The errors in a single image."""
    truth = dataset([(objects, labels, crowd or [False] * len(labels))])
    return find_errors(truth, [detections(boxes, scores, named)], threshold)


def kinds(errors):
    return {kind: number for kind, number in errors.counts.items() if number}


@pytest.mark.parametrize(
    ("box", "named", "expected"),
    [
        (SQUARE, LION, {}),
        ([0, 0, 10, 5], LION, {}),  # IoU 0.5 is foreground
        ([0, 0, 10, 4.9], LION, {"localisation": 1}),
        ([0, 0, 10, 1], LION, {"localisation": 1}),  # IoU 0.1 is no background
        ([0, 0, 10, 0.9], LION, {"background": 1, "missed": 1}),
        (SQUARE, PANDA, {"classification": 1}),
        ([0, 0, 10, 5], PANDA, {"classification": 1}),
        ([0, 0, 10, 4.9], PANDA, {"both": 1, "missed": 1}),
        ([0, 0, 10, 0.9], PANDA, {"background": 1, "missed": 1}),
        ([20, 0, 30, 10], LION, {"background": 1, "missed": 1}),
    ],
)
def test_one_object_and_one_detection(box, named, expected):
    errors = one([SQUARE], [LION], [box], [0.9], [named])
    assert kinds(errors) == expected
    assert (errors.correct, errors.objects, errors.detections) == (0 if expected else 1, 1, 1)


def test_the_lower_score_is_the_duplicate_however_well_it_fits():
    errors = one([SQUARE], [LION], [SQUARE, [0, 0, 10, 6]], [0.5, 0.75], [LION, LION])
    assert errors.per_image == ((Error("duplicate", (0, 0, 10, 10), LION, 0.5),),)
    assert errors.correct == 1


def test_a_detection_takes_the_free_object_before_it_counts_as_duplicate():
    # Both detections fit the first object best; the second one still covers 10 of 14 of the other object (IoU 5/7).
    errors = one([SQUARE, [0, 2, 10, 12]], [LION, LION], [SQUARE, [0, 0.5, 10, 10.5]], [0.9, 0.8], [LION, LION])
    assert (errors.correct, kinds(errors)) == (2, {})


@pytest.mark.parametrize(
    ("objects", "labels", "box", "expected"),
    [
        # IoU 2/3 with the panda and with the lion, which is taken: the double finding is tried first.
        ([SQUARE, [0, 4, 10, 14]], [LION, PANDA], [0, 2, 10, 12], "duplicate"),
        # It fits the panda exactly and only touches the lion (20 / 180).
        ([SQUARE, [0, 8, 10, 18]], [LION, PANDA], [0, 8, 10, 18], "classification"),
        # IoU 1/3 with the lion, 3/7 with the panda: the right class is tried first.
        ([SQUARE, [0, 9, 10, 19]], [LION, PANDA], [0, 5, 10, 15], "localisation"),
    ],
)
def test_the_first_type_that_fits_counts(objects, labels, box, expected):
    errors = one(objects, labels, [SQUARE, box], [0.9, 0.8], [LION, LION])
    assert [error.kind for error in errors.per_image[0]][:1] == [expected]


def test_an_object_is_not_missed_when_a_loose_detection_points_at_it():
    # Of two lions beside each other, the detection overlaps the right one more (30 / 170 and 60 / 140).
    objects = [SQUARE, [10, 0, 20, 10]]
    errors = one(objects, [LION, LION], [[7, 0, 16, 10]], [0.9], [LION])
    assert errors.per_image == (
        (
            Error("localisation", (7, 0, 16, 10), LION, pytest.approx(0.9)),
            Error("missed", (0, 0, 10, 10), LION, None),
        ),
    )


def test_detections_below_the_threshold_do_not_count():
    boxes = [SQUARE, [50, 50, 60, 60]]
    all_of_them = one([SQUARE], [LION], boxes, [0.25, 0.75], [LION, LION], threshold=0.25)
    assert (all_of_them.correct, all_of_them.detections, kinds(all_of_them)) == (1, 2, {"background": 1})
    high = one([SQUARE], [LION], boxes, [0.25, 0.75], [LION, LION], threshold=0.5)
    assert (high.correct, high.detections, kinds(high)) == (0, 1, {"background": 1, "missed": 1})


def test_the_threshold_is_the_one_of_the_best_f1():
    # By falling score: hit, wrong, hit, wrong, wrong. F1 with three objects: 2/4, 2/5, 4/6, 4/7, 4/8.
    objects = [SQUARE, [20, 0, 30, 10], [40, 0, 50, 10]]
    boxes = [SQUARE, [60, 0, 70, 10], objects[1], [60, 20, 70, 30], [60, 40, 70, 50]]
    errors = one(objects, [LION] * 3, boxes, [0.875, 0.75, 0.5, 0.375, 0.25], [LION] * 5, threshold=None)
    assert errors.threshold == 0.5
    assert (errors.correct, kinds(errors)) == (2, {"background": 1, "missed": 1})
    # A hit that shares its score with two wrong ones comes with them: 2/4, then 4/8, and equals take the highest.
    tied = one(objects, [LION] * 3, [*boxes[:3], boxes[3], boxes[4]], [0.875] + [0.5] * 4, [LION] * 5, threshold=None)
    assert (tied.threshold, tied.detections) == (0.875, 1)
    assert one(objects, [LION] * 3, boxes[1:2], [0.25], [LION], threshold=None).threshold == 0.5  # no hit at all


def test_crowd_regions_are_no_objects_and_excuse_detections_of_their_class():
    objects, crowd = [SQUARE, [40, 0, 80, 40]], [False, True]
    inside, half_outside = [50, 10, 60, 20], [34, 0, 42, 10]
    errors = one(objects, [LION, LION], [inside, inside, half_outside], [0.9] * 3, [LION, PANDA, LION], crowd=crowd)
    assert (errors.objects, errors.detections, kinds(errors)) == (1, 2, {"background": 2, "missed": 1})


def test_nothing_at_all_and_nothing_found():
    empty = find_errors(dataset([]), [])
    assert (empty.objects, empty.detections, empty.correct, kinds(empty), len(empty.number)) == (0, 0, 0, {}, 0)
    truth = dataset([([SQUARE], [LION], [False]), ([], [], [])])
    nothing = detections([], [], [])
    missed = find_errors(truth, [nothing, nothing])
    assert (missed.objects, kinds(missed), missed.number.tolist()) == (1, {"missed": 1}, [1, 0])
    invented = find_errors(truth, [nothing, detections([SQUARE], [0.75], [PANDA])])
    assert (kinds(invented), invented.number.tolist()) == ({"background": 1, "missed": 1}, [1, 1])
    with pytest.raises(ValueError, match="1 lists of detections for 2 images"):
        find_errors(truth, [nothing])


CASES = {"seed": st.integers(0, 10**6), "crowds": st.sampled_from([0, 0.3]), "tied": st.booleans()}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(**CASES, threshold=st.sampled_from([None, 0.0, 0.5]))
def test_laws(seed, crowds, tied, threshold):
    truth, found = random_case(seed, 5, crowds, 1, tied)
    errors = find_errors(truth, found, threshold)
    assert errors.correct + sum(errors.counts[kind] for kind in WRONG) == errors.detections
    pointed_at = errors.counts["classification"] + errors.counts["localisation"]
    assert errors.correct + errors.counts["missed"] <= errors.objects
    assert errors.objects <= errors.correct + errors.counts["missed"] + pointed_at
    assert [e.kind for image in errors.per_image for e in image].count("missed") == errors.counts["missed"]
    assert errors.number.sum() == sum(errors.counts.values())
    if not crowds:
        assert errors.detections == sum(int((one.scores >= errors.threshold).sum()) for one in found)

    rng = np.random.default_rng(seed)
    shuffled = []
    for image in found:
        order = rng.permutation(len(image.scores))
        shuffled.append(detections(image.boxes[order], image.scores[order], image.labels[order]))
    assert find_errors(truth, shuffled, threshold) == errors


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6))
def test_correct_detections_are_those_of_the_coco_evaluation(seed):
    truth, found = random_case(seed, 5, 0.3, 1, False)
    matches = coco_evaluate(truth, found).matches
    assert find_errors(truth, found, 0.0).correct == (matches.tp & 1).sum()


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5])
def test_perfect_detections_make_no_errors(threshold):
    truth, _ = random_case(3, 6, 0, 1, False)
    own = [truth.slice(row) for row in range(len(truth))]
    found = [detections(truth.boxes[s], np.full(s.stop - s.start, 0.75), truth.labels[s]) for s in own]
    errors = find_errors(truth, found, threshold)
    assert errors.counts == dict.fromkeys(KINDS, 0)
    assert errors.correct == errors.objects == count_positives(truth).sum() > 5


def test_iou_of_boxes_without_an_area():
    line = np.array([[3, 3, 3, 9], [5, 5, 5, 5]], np.float32)
    assert iou(line, line).tolist() == [[0, 0], [0, 0]]
    assert doctest.testmod(error_types).failed == 0
