"""metricloop/evaluation/coco.py is held to pycocotools, number by number and match by match."""

import numpy as np
import pytest
from coco_reference import CLASSES, dataset, detections, pycoco, random_case, reference_matches, reference_numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metricloop.evaluation.coco import BITS, coco_evaluate, match, read_matches, write_matches


def assert_equal_numbers(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_equal_numbers(found[key], value)
    else:
        assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    images=st.integers(1, 6),
    crowds=st.sampled_from([0, 0.3, 1]),
    found=st.sampled_from([0, 0.5, 1]),
    tied=st.booleans(),
    max_detections=st.sampled_from([2, 100]),
)
def test_numbers_and_matches_are_those_of_pycocotools(seed, images, crowds, found, tied, max_detections):
    truth, predicted = random_case(seed, images, crowds, found, tied)
    result = coco_evaluate(truth, predicted, max_detections)
    reference = pycoco(truth, predicted, max_detections)
    assert_equal_numbers(result.numbers, reference_numbers(reference, CLASSES))
    found_matches: dict = {}
    for image_id, label, *rest in zip(*(values.tolist() for values in vars(result.matches).values()), strict=True):
        found_matches.setdefault((image_id, label), []).append(tuple(rest))
    assert found_matches == reference_matches(reference, truth)


def test_hand_computed():
    # Two lions; the first detection fits one exactly, the second covers half of the other (IoU 0.5), one is made up.
    truth = dataset([([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0], [False, False]), ([], [], [])])
    predicted = [
        detections([[0, 0, 10, 10], [20, 0, 25, 10]], [0.9, 0.6], [0, 0]),
        detections([[0, 0, 5, 5]], [0.8], [0]),
    ]
    numbers = coco_evaluate(truth, predicted).numbers
    # At IoU .50 precision is 1 up to recall .5 (51 of 101 levels), then 2/3; at the nine others recall ends at .5.
    at_50 = (51 + 50 * 2 / 3) / 101
    assert numbers["mAP50"] == pytest.approx(at_50)
    assert numbers["mAP"] == pytest.approx((at_50 + 9 * 51 / 101) / 10)
    assert numbers["mAR"] == pytest.approx((1 + 9 * 0.5) / 10)
    assert numbers["per_size"]["small"]["mAP"] == pytest.approx(numbers["mAP"])
    assert numbers["per_size"]["large"] == {"mAP": None, "mAR": None}
    assert numbers["per_class"]["panda"] == {"mAP": None, "mAR": None}


def test_no_truth_is_null_and_no_predictions_is_zero():
    nothing = detections([], [], [])
    empty = coco_evaluate(dataset([([], [], []), ([], [], [])]), [detections([[0, 0, 9, 9]], [0.5], [0]), nothing])
    assert (empty.numbers["mAP"], empty.numbers["mAR"]) == (None, None)
    missed = coco_evaluate(dataset([([[0, 0, 9, 9]], [0], [False])]), [nothing])
    assert (missed.numbers["mAP"], missed.numbers["mAR"]) == (0, 0)
    assert len(missed.matches.score) == 0


def test_only_the_best_detections_of_an_image_and_class_are_kept():
    truth = dataset([([[0, 0, 10, 10]], [0], [False])])
    boxes = [[50, 50, 60, 60]] * 3 + [[0, 0, 10, 10]]
    predicted = [detections(boxes, [0.9, 0.8, 0.7, 0.1], [0, 0, 0, 0])]
    assert coco_evaluate(truth, predicted, 3).numbers["mAR"] == 0
    result = coco_evaluate(truth, predicted, 4)
    assert result.numbers["mAR"] == 1
    assert result.matches.tp.tolist() == [0, 0, 0, BITS.sum()]


def test_match_takes_the_best_free_object_and_crowds_take_any_number():
    ious = np.array([[0.91, 0.60, 0.0], [0.80, 0.57, 0.0], [0.0, 0.0, 0.72], [0.0, 0.0, 0.96]])
    hits, ignored = match(ious, np.array([False, False, True]))
    assert hits[0].tolist() == [True] * 9 + [False]
    # Up to .90 the first detection holds object 0, so the second is left with object 1 at .57.
    assert hits[1].tolist() == [True] * 2 + [False] * 8
    assert not hits[2:].any()
    assert not ignored[:2].any()
    assert ignored[2].tolist() == [True] * 5 + [False] * 5
    assert ignored[3].all()


def test_nothing_is_printed(capfd):
    coco_evaluate(*random_case(1, 3, 0, 1, False))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("predicted", "message"),
    [([], "0 lists of detections for 1 images"), ([detections([[0, 0, 1, 1]], [0.5], [3])], "labels 3..3")],
)
def test_detections_that_do_not_fit_the_split_are_refused(predicted, message):
    with pytest.raises(ValueError, match=message):
        coco_evaluate(dataset([([], [], [])]), predicted)


def test_matches_survive_the_file(tmp_path):
    matches = {seed: coco_evaluate(*random_case(seed, 4, 0.2, 1, True)).matches for seed in (3, 1)}
    write_matches(tmp_path / "matches.parquet", matches)
    again = read_matches(tmp_path / "matches.parquet", [1, 2, 3])
    assert len(again[2].score) == 0
    for seed in (1, 3):
        for name, values in vars(again[seed]).items():
            np.testing.assert_array_equal(values, getattr(matches[seed], name))
