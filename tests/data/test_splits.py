"""Groups, leaks and splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metricloop.data.splits import SplitError, assign, draw_groups, join_groups, leaks

NONE = np.zeros((0, 2), int)


def array(*values):
    return np.array(values, object)


def test_groups_are_chains_of_videos_and_near_duplicates():
    files = ["a", "b", "c", "d", "e", "f"]
    given_groups = ["video2", "video2", None, None, None, "video1"]
    groups = join_groups(files, given_groups, np.array([[1, 2], [3, 4]]))
    assert groups.tolist() == ["video2", "video2", "video2", "d", "d", "video1"]
    assert join_groups(["b", "a"], [None, None], NONE).tolist() == ["b", "a"]


def test_leaks_leave_the_held_out_side_and_search_gives_way_to_test():
    split = array("pool", "search", "test", "search", "test", "search")
    group = array("x", "x", "y", "y", "x", "z")
    assert leaks(split, group).tolist() == [False, True, False, True, True, False]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60), st.integers(0, 60), st.integers(0, 9))
def test_drawn_groups_are_whole_within_the_target_and_independent_of_order(names, target, seed):
    group = array(*names)
    taken = draw_groups(group, target, seed)
    chosen = {name for name, own in zip(names, taken, strict=True) if own}
    assert all(own == (name in chosen) for name, own in zip(names, taken, strict=True))
    assert taken.sum() <= target or len(chosen) == 1  # one group, where none fits
    assert draw_groups(group[::-1], target, seed).tolist() == taken[::-1].tolist()


def test_unsplit_images_are_split_by_share_and_seed():
    split, group = array(*["pool"] * 100), array(*map(str, range(100)))
    found = assign(split, group, search_share=0.1, test_share=0.2, seed=0)
    assert [(found == part).sum() for part in ("pool", "search", "test")] == [70, 10, 20]
    assert not np.array_equal(found, assign(split, group, search_share=0.1, test_share=0.2, seed=1))


@pytest.mark.parametrize("part", ["search", "test"])
def test_a_single_held_out_part_is_halved_by_group(part):
    split = array(*["pool"] * 4, *[part] * 6)
    group = array(*"abcd", "u", "u", "v", "v", "w", "w")
    found = assign(split, group, search_share=0.1, test_share=0.1, seed=0)
    assert (found[:4] == "pool").all()
    assert sorted((found[4:] == name).sum() for name in ("search", "test")) == [2, 4]
    assert all(len(set(found[group == name])) == 1 for name in "uvw")


def test_given_splits_stay():
    split = array("pool", "search", "test", "pool")
    assert assign(split, array(*"abcd"), search_share=0.1, test_share=0.1, seed=0).tolist() == split.tolist()


def test_too_few_groups_is_an_error_that_says_so():
    with pytest.raises(SplitError, match="9 images form 1 groups"):
        assign(array(*["pool"] * 9), array(*["video"] * 9), search_share=0.1, test_share=0.1, seed=0)
