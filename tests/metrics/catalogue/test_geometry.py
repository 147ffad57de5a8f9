"""Metrics of boxes: numbers by hand, plain loops over random pools, and laws."""

import math
from dataclasses import replace

import numpy as np
import pytest

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import geometry, integrity, labels
from metricloop.metrics.catalogue._boxes import BLOCK, blocks
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in

ALL = {**metrics_in(labels), **metrics_in(geometry), **metrics_in(integrity)}
EACH = pytest.mark.parametrize("function", ALL.values(), ids=ALL)
NAMES = ("cat", "dog", "eel")
NAN = math.nan


def frame(boxes, labels=None, width=40, height=30, image_id=1):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Frame(image_id, width, height, boxes, labels, NAMES)


def random_frames(seed, images=60, most=12, whole=False):
    """Images of two sizes whose boxes lie partly outside, some doubled, some of no size, some images without."""
    random = np.random.default_rng(seed)
    frames = []
    for image_id in range(images):
        width, height = ((60, 40), (37, 53))[image_id % 2]
        n = int(random.integers(0, most + 1))
        low = random.uniform(-8, 45, (n, 2))
        boxes = np.concatenate([low, low + random.exponential(9, (n, 2))], axis=1)
        if n > 2:
            boxes[1] = boxes[0]
            boxes[2, 2:] = boxes[2, :2]
        boxes = np.round(boxes) if whole else boxes
        frames.append(frame(boxes, random.integers(0, 3, n), width, height, image_id))
    return frames


POOLS = [
    random_frames(0),
    random_frames(1, whole=True),
    random_frames(2, images=6, most=80, whole=True),  # counts that share a block, filled up
    random_frames(3, images=40, most=1),
    random_frames(4, images=1, most=5),
    [],
]
EVERY_POOL = pytest.mark.parametrize("frames", POOLS, ids=["floats", "whole", "many", "lonely", "one", "empty"])


# ---- by hand


def test_aspect_ratio_is_width_over_height():
    scores = call_metric(geometry.aspect_ratio, pool_of([frame([[0, 0, 30, 10], [0, 0, 10, 40], [0, 0, 5, 0]])]))
    np.testing.assert_array_equal(scores, [3.0, 0.25, NAN])


def test_object_count_counts():
    pool = pool_of([frame([]), frame([[0, 0, 9, 9], [0, 0, 9, 9]])])
    np.testing.assert_array_equal(call_metric(labels.object_count, pool), [0, 2])


def test_object_proximity_is_the_mean_distance_to_the_nearest_centre():
    # centres (0, 0), (3, 4), (3, 16): nearest at 5, 5 and 12; the diagonal of 30 x 40 is 50
    boxes = [[-1, -1, 1, 1], [2, 3, 4, 5], [2, 15, 4, 17]]
    pool = pool_of([frame(boxes, width=30, height=40), frame([]), frame([[0, 0, 9, 9]]), frame([[0, 0, 9, 9]] * 2)])
    np.testing.assert_allclose(call_metric(labels.object_proximity, pool), [(5 + 5 + 12) / 3 / 50, NAN, NAN, 0])


# one image of 40 x 30, its boxes and what is expected, arithmetic in the comments
HAND = [
    (labels.class_count, [[0, 0, 9, 9]] * 4, [0, 2, 2, 0], [2]),
    (labels.class_entropy, [[0, 0, 9, 9]] * 4, [0, 2, 2, 2], [0.25 * 2 + 0.75 * math.log2(4 / 3)]),
    (labels.class_entropy, [[0, 0, 9, 9]] * 4, [1] * 4, [0]),
    (labels.rarity, [[0, 0, 9, 9]] * 4, [0, 2, 2, 2], [(4 + 3 * 4 / 3) / 4]),
    # 10 x 10 and 10 x 10 that share 5 x 5, and one 4 x 4 of which only 2 x 2 is inside: 175 + 4 of 1200
    (labels.covered_area, [[5, 5, 15, 15], [10, 10, 20, 20], [38, 28, 42, 32]], None, [179 / 1200]),
    (labels.background_share, [[0, 0, 40, 15]], None, [0.5]),
    (labels.covered_area, [[-10, -10, 90, 90]] * 3, None, [1]),
    # the long side of 40 becomes 224, a factor of 5.6: sides of 28 and 33.6
    (labels.small_object_share, [[0, 0, 5, 5], [0, 0, 6, 6]], None, [0.5]),
    (geometry.object_size, [[0, 0, 5, 5], [0, 0, 4, 9], [0, 0, 0, 9]], None, [28, 33.6, 0]),
    # x of the centres: 0, 1/2, 1 of the width, variance 1/6; y: all 1/2
    (labels.spatial_spread, [[-1, 14, 1, 16], [19, 14, 21, 16], [39, 14, 41, 16]], None, [math.sqrt(1 / 12)]),
    (labels.spatial_spread, [[1, 1, 2, 2]], None, [NAN]),
    # two above left, one above right, one below right: 1/2, 1/4, 1/4
    (labels.quadrant_entropy, [[0, 0, 2, 2], [3, 3, 5, 5], [30, 0, 32, 2], [30, 20, 32, 22]], None, [1.5]),
    (labels.quadrant_entropy, [[0, 0, 2, 2]], None, [0]),
    # logs of 1, 4 and 16: 0, a, 2a with a = ln 4; variance 2/3 a^2
    (labels.size_diversity, [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 4, 4]], None, [math.log(4) * math.sqrt(2 / 3)]),
    (labels.size_diversity, [[0, 0, 1, 1], [0, 0, 2, 0]], None, [NAN]),
    # the first and second overlap; the third is 3 right and 4 below of the second; the diagonal is 50
    (geometry.nearest_gap, [[0, 0, 9, 9], [5, 5, 10, 10], [13, 14, 20, 20]], None, [0, 0, 0.1]),
    (geometry.nearest_gap, [[0, 0, 9, 9]], None, [NAN]),
    # 50 of 150; of the first box and the third 100 of 400
    (geometry.overlap, [[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 20, 20]], [0, 1, 2], [1 / 3, 1 / 3, 1 / 4]),
    (geometry.overlap, [[0, 0, 10, 10]], None, [0]),
    # of the first, the left half lies under the second, the upper half of the rest under the third
    (
        geometry.crowding,
        [[0, 0, 20, 20], [-9, 0, 10, 25], [10, 0, 30, 10]],
        None,
        [0.75, 200 / 250, 100 / 200],
    ),
    (geometry.crowding, [[0, 0, 10, 10], [-9, -9, -1, -1], [3, 3, 3, 9]], None, [0, NAN, NAN]),
    (geometry.object_area, [[0, 0, 20, 15], [0, 0, 80, 30], [3, 3, 3, 9]], None, [0.25, 2, 0]),
    (geometry.aspect_extremeness, [[0, 0, 4, 1], [0, 0, 1, 4], [0, 0, 0, 4]], None, [math.log(4), math.log(4), NAN]),
    # 4 of 40 on the left, 12 of 30 below, 2 beyond the right border
    (geometry.border_gap, [[4, 10, 20, 20], [18, 13, 22, 18], [20, 5, 42, 9]], None, [0.1, 0.4, 0]),
    (geometry.truncated, [[1, 5, 9, 9], [1.5, 5, 9, 9], [5, 5, 9, 29.5], [5, 5, 50, 9]], None, [1, 0, 1, 1]),
    # sides 1, 2, 4, 8, 64 by 1: median 4; |log2| apart: 2, 1, 0, 1, 4, whose median is 1
    (
        geometry.size_outlier,
        [[0, 0, side, 1] for side in (1, 2, 4, 8, 64)],
        None,
        [1.349, 0.6745, 0, 0.6745, 2.698],
    ),
    # as above; a sixth box without height says nothing, and changes nothing
    (
        geometry.aspect_outlier,
        [[0, 0, side, 1] for side in (1, 2, 4, 8, 64)] + [[0, 0, 9, 0]],
        None,
        [1.349, 0.6745, 0, 0.6745, 2.698, NAN],
    ),
    (geometry.size_outlier, [[0, 0, side, 1] for side in (1, 2, 4, 8)], None, [NAN] * 4),  # too few to compare
    # most are alike: MAD is 0. Off by ln 4 in one of five: mean deviation ln 4 / 5, so 0.7979 * 5
    (geometry.size_outlier, [[0, 0, 4, 1]] * 4 + [[0, 0, 16, 1]], None, [0, 0, 0, 0, 3.9895]),
    (geometry.size_outlier, [[0, 0, 4, 1]] * 5, None, [0] * 5),
    # x at 10, 11, 12, 13, 20: median 12, apart 2, 1, 0, 1, 8; y all alike but the last but one: 0.7979 * 5
    (
        geometry.position_outlier,
        [[x - 1, y - 1, x + 1, y + 1] for x, y in ((10, 9), (11, 9), (12, 9), (13, 21), (20, 9))],
        None,
        [1.349, 0.6745, 0, 3.9895, 5.396],
    ),
]


@pytest.mark.parametrize(("function", "boxes", "labels", "expected"), HAND)
def test_numbers_by_hand(function, boxes, labels, expected):
    scores = call_metric(function, pool_of([frame(boxes, labels)]))
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-12)


def test_small_is_judged_at_the_size_asked_for():
    # at a long side of 40, as stored, both boxes are small
    pool = pool_of([frame([[0, 0, 5, 5], [0, 0, 6, 6]])])
    np.testing.assert_array_equal(labels.small_object_share(pool, side=40), [1])


def test_rarity_counts_the_whole_pool():
    # 5 labels: 3 cats, 1 dog, 1 eel; shares 3/5 and 1/5
    pool = pool_of([frame([[0, 0, 9, 9]] * 4, [0, 0, 0, 1]), frame([[0, 0, 9, 9]], [2]), frame([])])
    np.testing.assert_allclose(labels.rarity(pool), [(3 * 5 / 3 + 5) / 4, 5, NAN])


def test_outliers_are_judged_within_their_class():
    # among cats of 4 x 1 .. 64 x 1 a dog of 64 x 1 is ordinary for a dog
    cats, dogs = [[0, 0, side, 1] for side in (1, 2, 4, 8, 64)], [[0, 0, 64 * f, 1] for f in (0.25, 0.5, 1, 2, 4)]
    scores = geometry.size_outlier(pool_of([frame(cats + dogs, [0] * 5 + [1] * 5)]))
    np.testing.assert_allclose(scores[[4, 7]], [2.698, 0], atol=1e-9)


def test_one_odd_box_among_very_many_alike_ones_is_not_lost():
    boxes = np.tile(np.float32([0, 0, 10, 10]), (1_500_000, 1))
    boxes[7] = [0, 0, 40, 10]
    scores = geometry.size_outlier(pool_of([frame(boxes)]))
    assert scores[7] == pytest.approx(0.7979 * 1_500_000)
    assert not scores[:7].any()


# ---- the same by plain loops


def looped(frames):
    """What a person would write first: loops over images and boxes, and a raster of whole pixels for areas."""
    found = {name: [] for name in ("object_proximity", "nearest_gap", "overlap", "doubled", "conflicting",
                                   "class_count", "class_entropy", "covered_area", "crowding")}  # fmt: skip
    for one in frames:
        boxes, n = one.boxes.astype(float), len(one.boxes)
        diagonal, nearest = math.hypot(one.width, one.height), []
        raster = np.zeros((n, one.height, one.width), bool)
        for i, (x1, y1, x2, y2) in enumerate(boxes):
            raster[i, max(int(y1), 0) : max(int(y2), 0), max(int(x1), 0) : max(int(x2), 0)] = True
        for i, a in enumerate(boxes):
            ious, distances, gaps = {True: [0.0], False: [0.0]}, [], []
            for j, b in enumerate(boxes):
                if i == j:
                    continue
                wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                shared = max(wide, 0) * max(high, 0)
                both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
                ious[bool(one.labels[i] == one.labels[j])].append(shared / both if both else 0.0)
                gaps.append(math.hypot(max(-wide, 0), max(-high, 0)))
                distances.append(math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2))
            if distances:
                nearest.append(min(distances))
            found["nearest_gap"].append(min(gaps) / diagonal if gaps else NAN)
            found["overlap"].append(max(ious[True] + ious[False]))
            found["doubled"].append(max(ious[True]))
            found["conflicting"].append(max(ious[False]))
            others = np.delete(raster, i, axis=0).any(axis=0)
            own = raster[i].sum()
            found["crowding"].append((raster[i] & others).sum() / own if own else NAN)
        found["object_proximity"].append(sum(nearest) / len(nearest) / diagonal if nearest else NAN)
        shares = [float((one.labels == label).mean()) for label in set(one.labels.tolist())]
        found["class_count"].append(len(shares))
        found["class_entropy"].append(abs(sum(-p * math.log2(p) for p in shares)) if n else NAN)
        found["covered_area"].append(raster.any(axis=0).mean())
    return found


@EVERY_POOL
def test_the_vectorised_metrics_agree_with_loops(frames):
    whole = all((one.boxes == np.round(one.boxes)).all() for one in frames)
    pool = pool_of(frames)
    for name, expected in looped(frames).items():
        if whole or name not in ("covered_area", "crowding"):
            np.testing.assert_allclose(call_metric(ALL[name], pool), expected, rtol=1e-6, atol=1e-6, err_msg=name)


def test_object_proximity_is_to_the_bit_what_one_image_at_a_time_gives():
    frames = random_frames(5, images=40, most=60)
    expected = []
    for one in frames:
        if len(one.boxes) < 2:
            expected.append(NAN)
            continue
        centres = (one.boxes[:, :2] + one.boxes[:, 2:]).astype(np.float64) / 2
        distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
        np.fill_diagonal(distance, np.inf)
        expected.append(float(distance.min(axis=1).mean() / np.hypot(one.width, one.height)))
    np.testing.assert_array_equal(labels.object_proximity(pool_of(frames)), expected)


@pytest.mark.parametrize("most", [0, 1, 16, 17, 300])
def test_blocks_hold_every_box_once_and_fill_up_by_an_eighth_at_most(most):
    counts = np.random.default_rng(most).integers(0, most + 1, 500)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    seen = []
    for index, held in blocks(counts, offsets):
        assert index.size <= max(BLOCK, len(index))
        assert held is None or held.sum(axis=0).min() >= len(index) * 8 // 9
        seen.append(index.ravel() if held is None else index[held])
    np.testing.assert_array_equal(np.sort(np.concatenate([np.zeros(0, int), *seen])), np.arange(offsets[-1]))


# ---- laws


@EACH
@EVERY_POOL
class TestLaws:
    def test_scores_keep_the_contract_and_leave_the_pool_alone(self, function, frames):
        pool = pool_of(frames)
        for array in (pool.boxes, pool.labels, pool.offsets, pool.width, pool.height):
            array.flags.writeable = False
        scores = call_metric(function, pool)
        assert scores.shape == (len(pool.boxes) if spec_of(function).level == "object" else len(pool),)
        assert not (scores < 0).any()
        np.testing.assert_array_equal(call_metric(function, pool), scores)

    def test_the_order_of_boxes_does_not_matter(self, function, frames):
        scores = call_metric(function, pool_of(frames))
        turned = pool_of([replace(one, boxes=one.boxes[::-1], labels=one.labels[::-1]) for one in frames])
        again = call_metric(function, turned)
        if spec_of(function).level == "object":
            ends = np.cumsum([len(one.boxes) for one in frames])
            again = np.concatenate([np.zeros(0), *(part[::-1] for part in np.split(again, ends)[: len(frames)])])
        np.testing.assert_allclose(again, scores, rtol=1e-9, atol=1e-9)

    def test_the_order_of_images_does_not_matter(self, function, frames):
        scores = call_metric(function, pool_of(frames))
        again = call_metric(function, pool_of(frames[::-1]))
        ends = np.cumsum([len(one.boxes) if spec_of(function).level == "object" else 1 for one in frames[::-1]])
        parts = np.split(again, ends)[: len(frames)][::-1] if frames else []
        np.testing.assert_allclose(np.concatenate([np.zeros(0), *parts]), scores, rtol=1e-9, atol=1e-9)

    def test_rescaling_does_not_matter(self, function, frames):
        if function in (integrity.degenerate, geometry.truncated):
            return  # pixels by their nature
        twice = [replace(f, boxes=2 * f.boxes, width=2 * f.width, height=2 * f.height) for f in frames]
        scores, again = call_metric(function, pool_of(frames)), call_metric(function, pool_of(twice))
        np.testing.assert_allclose(again, scores, rtol=1e-9, atol=1e-9)


@EACH
def test_absurd_coordinates_give_no_infinity(function):
    boxes = [[-1e30, -1e30, 1e30, 1e30], [1e30, 0, 1e30, 1e-30], [0, 0, 1e-38, 1e30], [9, 9, 5, 5], [0, 0, 1, 1]]
    with np.errstate(all="raise", under="ignore"):
        call_metric(function, pool_of([frame(boxes), frame([])]))
