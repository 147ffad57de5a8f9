"""Choosing one after the other: against the plain loops that the fast ones stand for, and the laws of greedy choice."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metricloop.data import k_center
from metricloop.selection.greedy import Room, farthest_first_with_room, fewest_first, nearest_counts

# Unit vectors whose products are exact: 0, 1, -1, 0.6, 0.8, 0.96 and so on.
UNIT = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0.6, -0.8], [-0.8, 0, 0.6]])
PICKS = st.lists(st.integers(0, len(UNIT) - 1), min_size=1, max_size=25)


def plain_farthest(points, count, given, group, cap):
    chosen = list(range(min(given, len(points))))
    while len(chosen) < count:
        full = {g for g in group if cap and sum(group[row] == g for row in chosen) >= cap}
        left = [row for row in range(len(points)) if row not in chosen and group[row] not in full]
        if not left:
            break
        steps = [min([round(1e6 * (1 - points[row] @ points[c])) for c in chosen], default=2e6) for row in left]
        chosen.append(left[int(np.argmax(steps))])
    return chosen


class TestFarthestFirst:
    def test_by_hand(self):
        # From east, north is at 1, (0.6, 0.8) at 0.4, (0.8, 0.6) at 0.2. Then the last two are 0.2 from the nearest.
        points = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]])
        assert farthest_first_with_room(points, 2).tolist() == [0, 3]
        assert farthest_first_with_room(points, 3).tolist() == [0, 3, 1]  # as far as 2, and before it
        assert farthest_first_with_room(points, 3, given=2).tolist() == [0, 1, 3]

    @settings(max_examples=200, deadline=None)
    @given(
        picks=PICKS, count=st.integers(0, 25), taken=st.integers(0, 4), groups=st.integers(1, 6),
        cap=st.sampled_from([None, 1, 2]), block=st.integers(1, 5),
    )  # fmt: skip
    def test_it_is_the_plain_loop_however_far_it_looks_ahead(self, picks, count, taken, groups, cap, block):
        points = UNIT[picks]
        group = [k % groups for k in range(len(picks))]
        before, k_center.BLOCK = k_center.BLOCK, block
        try:
            chosen = farthest_first_with_room(points, count, given=taken, room=Room(group, cap))
        finally:
            k_center.BLOCK = before
        assert chosen.tolist() == plain_farthest(points, count, taken, group, cap)

    def test_on_many_points_of_many_dimensions(self):
        rng = np.random.default_rng(0)
        points = rng.integers(-2, 3, (700, 12)).astype(float)
        points[:, 0] += 5 * (np.abs(points).sum(axis=1) == 0)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        chosen = farthest_first_with_room(points, 300)
        near = np.full(700, np.inf)
        for row, following in pairwise(chosen):
            near = np.minimum(near, 1 - points @ points[row])
            near[row] = -1
            assert near[following] == pytest.approx(near.max(), abs=3e-6)

    @settings(max_examples=60, deadline=None)
    @given(picks=st.lists(st.integers(0, len(UNIT) - 1), min_size=3, max_size=8), count=st.integers(1, 3))
    def test_no_choice_of_as_many_covers_better_than_by_half(self, picks, count):
        points = UNIT[picks]

        def radius(rows):
            return np.linalg.norm(points[:, None] - points[list(rows)], axis=2).min(axis=1).max()

        best = min(radius(rows) for rows in combinations(range(len(points)), count))
        assert radius(farthest_first_with_room(points, count)) <= 2 * best + 1e-9

    @given(picks=PICKS, count=st.integers(1, 20))
    def test_fewer_are_the_first_of_more(self, picks, count):
        points = UNIT[picks]
        assert (
            farthest_first_with_room(points, count + 3)[:count].tolist()
            == farthest_first_with_room(points, count).tolist()
        )


def plain_fewest(images, count, given, group, cap):
    """images: a list of labels each."""
    chosen = list(range(min(given, len(images))))
    common = {kind: sum(own.count(kind) for own in images) for kind in range(3)}
    while len(chosen) < count:
        left = [
            row for row in range(len(images))
            if row not in chosen and (not cap or sum(group[c] == group[row] for c in chosen) < cap)
        ]  # fmt: skip
        if not left:
            break
        shown = {kind for row in left for kind in images[row]}
        if not shown:
            chosen.append(left[0])
            continue
        fewest = min(shown, key=lambda kind: (sum(images[row].count(kind) for row in chosen), common[kind], kind))
        chosen.append(next(row for row in left if fewest in images[row]))
    return chosen


def fewest(images, count, **options):
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in images])]).astype(int)
    labels = np.array([kind for own in images for kind in own], int)
    return fewest_first(labels, offsets, 3, count, **options).tolist()


IMAGES = st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=15)


class TestFewestFirst:
    def test_by_hand(self):
        # Class 2 is the rarest (1 box), then 1 (2), then 0 (5). Image 3 brings 2 and 1; then 0 is at none: image 0
        # brings two of it; then 1 and 2 are at one each, 2 has no image left, so 1: image 2.
        images = [[0, 0], [0], [1], [1, 2], [0, 0], []]
        assert fewest(images, 3) == [3, 0, 2]
        assert fewest(images, 6) == [3, 0, 2, 1, 4, 5]

    def test_a_given_image_counts(self):
        assert fewest([[1, 2], [2], [1], [0]], 2, given=1) == [0, 3]

    @settings(max_examples=200, deadline=None)
    @given(
        images=IMAGES, count=st.integers(0, 16), taken=st.integers(0, 3), groups=st.integers(1, 5),
        cap=st.sampled_from([None, 1, 2]),
    )  # fmt: skip
    def test_it_is_the_plain_loop(self, images, count, taken, groups, cap):
        group = [k % groups for k in range(len(images))]
        expected = plain_fewest(images, count, taken, group, cap)
        assert fewest(images, count, given=taken, room=Room(group, cap)) == expected

    @given(images=IMAGES, count=st.integers(1, 10))
    def test_fewer_are_the_first_of_more(self, images, count):
        assert fewest(images, count + 2)[:count] == fewest(images, count)

    @given(images=IMAGES, count=st.integers(1, 10), data=st.data())
    def test_a_chosen_image_that_becomes_better_stays(self, images, count, data):
        place = data.draw(st.sampled_from(fewest(images, count)))
        ahead = data.draw(st.integers(0, place))
        better = [*images[:ahead], images[place], *images[ahead:place], *images[place + 1 :]]
        assert ahead in fewest(better, count)

    def test_classes_come_out_even_where_they_can(self):
        images = [[0]] * 90 + [[1]] * 9 + [[2]] * 5
        counts = np.bincount([images[row][0] for row in fewest(images, 15)])
        assert counts.tolist() == [5, 5, 5]


def plain_nearest(counts, wanted, given, group, cap):
    chosen = list(range(min(given, len(counts))))
    for exact in (True, False):
        unmet = []
        for number in wanted:
            left = [
                row for row in range(len(counts))
                if row not in chosen and (not cap or sum(group[c] == group[row] for c in chosen) < cap)
            ]  # fmt: skip
            row = min(left, key=lambda row: (abs(counts[row] - number), row), default=None)
            if row is None or (exact and counts[row] != number):
                unmet.append(number)
            else:
                chosen.append(row)
        wanted = unmet
    return chosen


class TestNearestCounts:
    @pytest.mark.parametrize(
        ("counts", "wanted", "expected"),
        [
            ([1, 2, 4, 9], [5], [2]),
            ([2, 5, 0], [3, 2], [0, 1]),  # 2 is nearest to 3, but is wanted itself; then 5
            ([1, 3, 5], [4, 4], [1, 2]),  # 3 and 5 are as near: the first
            ([5, 3], [4], [0]),
            ([7], [1, 1], [0]),  # nothing left for the second
            ([], [3], []),
        ],
    )
    def test_by_hand(self, counts, wanted, expected):
        assert nearest_counts(np.array(counts, int), wanted).tolist() == expected

    @settings(max_examples=300, deadline=None)
    @given(
        counts=st.lists(st.integers(0, 9), max_size=20), wanted=st.lists(st.integers(0, 12), max_size=20),
        taken=st.integers(0, 3), groups=st.integers(1, 6), cap=st.sampled_from([None, 1, 3]),
    )  # fmt: skip
    def test_it_is_the_plain_loop(self, counts, wanted, taken, groups, cap):
        group = [k % groups for k in range(len(counts))]
        chosen = nearest_counts(np.array(counts, int), wanted, given=taken, room=Room(group, cap))
        assert chosen.tolist() == plain_nearest(counts, wanted, taken, group, cap)
