"""The warning about groups that take a class out of the pool, or are so few that chance makes the splits."""

from dataclasses import replace

import numpy as np
import pytest
from small_dataset import make

from metricloop.study.coarse_groups import coarse_groups


def pictures(*rows):
    """rows: (group, label, split) of pictures with one box each."""
    made = make([(40, 30, group, [(1, 1, 9, 9, label)]) for group, label, _ in rows])
    return replace(made, split=np.array([split for *_, split in rows], object))


MANY = [(f"g{k}", 0, "pool") for k in range(6)]
LOST = pictures(*MANY, ("ball", 1, "search"), ("ball", 1, "search"))
FEW = pictures(*[(f"g{k % 3}", 0, ("pool", "search", "test")[k % 3]) for k in range(9)])


def test_a_class_that_a_group_takes_out_of_the_pool_is_told_with_the_option():
    (kind, said), (_, option) = coarse_groups(LOST, by_name=True, given=False)
    assert kind == "warning"
    assert said.startswith("football: a class that is in no picture of the pool, as a few groups hold them all. If")
    assert option == "--set data.group=off"
    assert coarse_groups(LOST, by_name=False, given=False)[1][1] == "--set data.near_duplicates=off"
    assert len(coarse_groups(LOST, by_name=False, given=True)) == 1  # no option takes groups of the data set away


def test_fewer_than_a_handful_of_groups_is_told():
    said = coarse_groups(FEW, by_name=True, given=False)[0][1]
    assert said.startswith("all 9 pictures are in 3 groups, which are never split. If these are no frames")


@pytest.mark.parametrize(
    "made",
    [
        pictures(*MANY),  # no groups of several pictures
        pictures(*MANY, ("two", 0, "pool"), ("two", 0, "pool")),  # the class is in other groups, too
        pictures(*MANY, ("two", 0, "pool"), ("two", 0, "pool"), ("x", 1, "test")),  # lost, but not by a group
        pictures(*MANY, ("two", 1, "pool"), ("two", 1, "pool")),
        pictures(),
    ],
)
def test_harmless_groups_are_not_told(made):
    assert coarse_groups(made, by_name=True, given=False) == []
