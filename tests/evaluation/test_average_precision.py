"""evaluation/average_precision.py against COCO itself: on the split, and on splits whose images really repeat."""

import numpy as np
import pytest
from coco_reference import CLASSES, dataset, detections, pycoco, random_case, reference_numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metricloop.evaluation import average_precision
from metricloop.evaluation.average_precision import RECALL_LEVELS, count_positives, levels_reached, weighted_ap
from metricloop.evaluation.coco import BITS, Matches, coco_evaluate

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


def plain_ap(matches, image_id, positives, weights):
    """weighted_ap by its definition: every detection of every replicate, one class and threshold after the other."""
    classes = np.flatnonzero(positives.sum(axis=0))
    weights = np.vstack([weights, np.ones(len(image_id))])
    result = np.zeros((2, len(weights)))
    for label in classes:
        mine = np.flatnonzero(matches.label == label)
        mine = mine[np.argsort(-matches.score[mine], kind="stable")]
        drawn = weights[:, np.searchsorted(image_id, matches.image_id[mine])]
        expected = weights @ positives[:, label]
        values = np.zeros_like(result)
        for bit in BITS if len(mine) else ():
            found = np.cumsum(drawn * ((matches.tp[mine] & bit) > 0), axis=1)
            counted = np.cumsum(drawn * ((matches.ignored[mine] & bit) == 0), axis=1)
            precision = found / np.maximum(counted, 1e-300)
            recall = found / np.maximum(expected, 1e-300)[:, None]
            for replicate, reached in enumerate(recall):
                first = np.searchsorted(reached, RECALL_LEVELS)  # COCO's own lines, from here on
                best = np.append(np.maximum.accumulate(precision[replicate, ::-1])[::-1], 0)
                values[0, replicate] += best[first].mean() / len(BITS)
            values[1] += recall[:, -1] / len(BITS)
        result += np.where(expected > 0, values, values[:, -1:]) / len(classes)
    return result[:, :-1]


def random_matches(seed, images, tied, objects):
    """Matches without pictures: every object is hit at most once per threshold, the rest is wrong or in a crowd."""
    rng = np.random.default_rng(seed)
    positives = rng.integers(0, objects + 1, (images, 3)) * (rng.random((images, 3)) < 0.7)
    positives[:, 2] *= rng.random() < 0.5
    row, label = (index.repeat(positives.ravel()) for index in map(np.ravel, np.indices(positives.shape)))
    good = np.full(len(row), True)
    invented = int(rng.integers(0, 3 * len(row) + 2))
    row = np.concatenate([row, rng.integers(0, images, invented)])
    label = np.concatenate([label, rng.integers(0, 3, invented)])
    good = np.concatenate([good, np.zeros(invented, bool)])
    tp = np.where(good, rng.integers(0, 1024, len(row)), 0)
    ignored = np.where(rng.random(len(row)) < 0.2, rng.integers(0, 1024, len(row)), 0) & ~tp
    score = rng.choice([0.2, 0.5, 0.9], len(row)) if tied else rng.random(len(row)) + 0.5 * good
    order = np.lexsort((-score, label, row))
    image_id = 5 + 3 * np.arange(images)
    columns = (image_id[row], label, score.astype(np.float32), tp.astype(np.int16), ignored.astype(np.int16))
    return Matches(*(values[order] for values in columns)), image_id, positives


@seeded
@given(
    seed=st.integers(0, 10**6), images=st.sampled_from([1, 4, 40]), tied=st.booleans(), objects=st.sampled_from([1, 5])
)
def test_values_are_those_of_the_definition(seed, images, tied, objects):
    matches, image_id, positives = random_matches(seed, images, tied, objects)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(images, np.full(images, 1 / images), size=5)
    found = weighted_ap(matches, image_id, positives, weights)
    if positives.any():
        assert np.abs(found - plain_ap(matches, image_id, positives, weights)).max() <= 1e-12
    else:
        assert np.isnan(found).all()


def test_values_do_not_depend_on_the_other_replicates(monkeypatch):
    matches, image_id, positives = random_matches(3, 30, False, 4)
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=11)
    whole = np.stack(weighted_ap(matches, image_id, positives, weights))
    monkeypatch.setattr(average_precision, "BLOCK", 4)  # blocks of 4, 4 and 4 with the whole split
    assert np.array_equal(np.stack(weighted_ap(matches, image_id, positives, weights)), whole)
    assert np.array_equal(np.stack(weighted_ap(matches, image_id, positives, weights[7:8]))[:, 0], whole[:, 7])


def test_recall_levels_are_counted_as_coco_counts_them():
    """At the levels themselves and one float beside them, and at every recall of up to 400 objects."""
    edges = [np.nextafter(RECALL_LEVELS, side) for side in (-1, 2)]
    shares = [np.arange(expected + 1) / expected for expected in range(1, 401)]
    recall = np.concatenate([RECALL_LEVELS, *edges, *shares]).clip(0)
    assert np.array_equal(levels_reached(recall), np.searchsorted(RECALL_LEVELS, recall, side="right"))
