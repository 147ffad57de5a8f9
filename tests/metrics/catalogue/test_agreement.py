"""Labels against predictions: values by hand."""

import numpy as np
import pytest

from metricloop.data.boxes import iou
from metricloop.data.frame import Detections, Frame
from metricloop.evaluation.greedy_match import greedy_match
from metricloop.metrics.catalogue import agreement
from metricloop.metrics.catalogue._overlap import among_predictions, by_falling_score
from metricloop.metrics.contract import call_metric


def frame(boxes=(), found=(), labels=None):
    """found: rows of (x1, y1, x2, y2, score, label)."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows = np.array(found, np.float32).reshape(-1, 6)
    predictions = Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Frame(1, 200, 100, boxes, labels, ("cat", "dog"), predictions=predictions)


BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def test_object_confidence_is_the_best_score_times_iou_of_the_same_class():
    found = [
        [0, 0, 10, 5, 0.8, 0],  # half of the first box: 0.5 * 0.8
        [*BOX, 0.3, 0],  # all of it: 1 * 0.3
        [*BOX, 0.9, 1],  # all of it, but a dog
    ]
    scores = call_metric(agreement.object_confidence, frame([BOX, BOX, FAR], found, [0, 1, 0]))
    np.testing.assert_allclose(scores, [0.4, 0.9, 0.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("boxes", "found", "expected"),
    [
        # one label found at IoU 1 with 0.8; the other prediction has nothing under it: 0.8 / (1 + 0.6)
        ([BOX], [[*BOX, 0.8, 0], [*FAR, 0.6, 0]], 0.5),
        # as above, but the second is not confident, and costs nothing
        ([BOX], [[*BOX, 0.8, 0], [*FAR, 0.2, 0]], 0.8),
        # a label at IoU 1/2 with 0.6: agreed 0.3, surprise 0.6 * 1/2
        ([BOX], [[0, 0, 10, 5, 0.6, 0]], 0.3 / 1.3),
        # the right place, the wrong class: nothing agreed
        ([BOX], [[*BOX, 0.9, 1]], 0.0),
        # labels and no predictions are not perfect
        ([BOX], [], 0.0),
        # an object nobody labelled
        ([], [[*BOX, 0.9, 0]], 0.0),
        # nothing claimed by either
        ([], [[*BOX, 0.1, 0]], np.nan),
        ([], [], np.nan),
    ],
)
def test_label_agreement(boxes, found, expected):
    np.testing.assert_allclose(call_metric(agreement.label_agreement, frame(boxes, found)), [expected], rtol=1e-6)


def test_agreement_iou_asks_confident_predictions_of_the_same_class():
    found = [
        [*BOX, 0.29, 0],  # not confident
        [*BOX, 0.9, 1],  # another class
        [0, 0, 10, 8, 0.3, 0],  # IoU 0.8
        [0, 0, 10, 4, 0.99, 0],  # surer, and looser
    ]
    np.testing.assert_allclose(call_metric(agreement.agreement_iou, frame([BOX, FAR], found)), [0.8, 0], rtol=1e-6)
    np.testing.assert_allclose(agreement.agreement_iou(frame([BOX], found), confident=0.2), [1.0])


def test_class_margin_is_below_zero_where_the_model_would_say_something_else():
    found = [[*BOX, 0.25, 0], [0, 0, 10, 8, 0.75, 1]]  # 0.25 for a cat, 0.75 * 0.8 = 0.6 for a dog
    cat, dog, nothing = call_metric(agreement.class_margin, frame([BOX, BOX, FAR], found, [0, 1, 0]))
    assert cat == pytest.approx(-0.35)
    assert dog == pytest.approx(0.35)
    assert nothing == 0


# Two labels of a cat and one of a dog. By falling score: 0.9 takes the first cat; 0.8 overlaps it more than the
# second (IoU 0.9 against 0), which is taken: a false positive; 0.7 is a cat on the dog: another; 0.6 takes the second
# cat at IoU 0.5; 0.25 would find the dog, and is not confident.
LABELLED = [BOX, FAR, [100, 0, 120, 20]]
CLAIMED = [
    [*BOX, 0.9, 0],
    [0, 0, 10, 9, 0.8, 0],
    [100, 0, 120, 20, 0.7, 0],
    [50, 50, 60, 55, 0.6, 0],
    [100, 0, 120, 20, 0.25, 1],
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("true_positives", 2),
        ("false_positives", 2),
        ("false_negatives", 1),
        ("image_f1", 4 / 7),  # 2 * 2 / (4 + 3)
        ("count_gap", 1),
    ],
)
def test_what_is_found_is_matched_greedily_by_class(name, expected):
    labelled = frame(LABELLED, CLAIMED, [0, 0, 1])
    assert call_metric(getattr(agreement, name), labelled) == pytest.approx(expected)


def test_the_thresholds_are_parameters():
    labelled = frame(LABELLED, CLAIMED, [0, 0, 1])
    assert agreement.true_positives(labelled, confident=0.2) == 3
    assert agreement.true_positives(labelled, hit=0.6) == 1
    assert agreement.count_gap(labelled, confident=0.65) == 0


@pytest.mark.parametrize(
    ("labelled", "f1", "gap"),
    [
        (frame(), np.nan, 0),
        (frame([BOX]), 0, 1),  # labels and no predictions are not perfect
        (frame(found=[[*BOX, 0.9, 0]]), 0, 1),
    ],
)
def test_images_with_nothing_in_one_list_or_both(labelled, f1, gap):
    np.testing.assert_array_equal(call_metric(agreement.image_f1, labelled), [f1])
    assert call_metric(agreement.count_gap, labelled) == [gap]
    assert call_metric(agreement.true_positives, labelled) == [0]


def test_equal_scores_are_matched_in_an_order_of_their_own():
    # Both overlap both labels; whichever came first, the one further left goes first, and takes what it overlaps most.
    rows = [[0, 0, 10, 10, 0.5, 0], [2, 0, 12, 10, 0.5, 0]]
    there, back = (frame([[0, 0, 10, 10], [1, 0, 11, 10]], each) for each in (rows, rows[::-1]))
    assert by_falling_score(there.predictions).tolist() == [0, 1]
    assert by_falling_score(back.predictions).tolist() == [1, 0]
    for each in (there, back):
        assert call_metric(agreement.true_positives, each) == [2]


def test_assign_is_that_of_the_coco_evaluation():
    # detections by falling score against objects, as COCO's greedy match does it at IoU 0.5
    from metricloop.evaluation.coco import match

    rng = np.random.default_rng(0)
    for _ in range(200):
        shared = rng.uniform(size=(rng.integers(0, 6), rng.integers(0, 9)))
        hits, _ = match(shared.T, np.zeros(len(shared), bool))
        taken = greedy_match(shared, np.arange(shared.shape[1]), 0.5)
        assert sorted(taken[taken >= 0]) == np.flatnonzero(hits[:, 0]).tolist()


def test_predictions_overlap_each_other_as_any_boxes_do():
    corner = np.random.default_rng(0).uniform(0, 80, (40, 2))
    boxes = np.concatenate([corner, corner + np.random.default_rng(1).uniform(-2, 60, (40, 2))], axis=1)
    crowded = frame(found=np.column_stack([boxes, np.full(40, 0.5), np.zeros(40)]))
    np.testing.assert_allclose(
        among_predictions(crowded), iou(crowded.predictions.boxes, crowded.predictions.boxes), atol=1e-12
    )
