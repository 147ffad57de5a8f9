"""What changed between two labellings of an image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from metricloop.data.label_changes import Labels, match, summary_of


def labels(*rows):
    """rows: (x1, y1, x2, y2, label) or with crowd."""
    return Labels(
        np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[4] for row in rows], int),
        np.array([len(row) > 5 and row[5] for row in rows], bool),
    )


def told(old, new):
    return sorted((c.kind, c.old, c.new, round(c.iou, 3)) for c in match(old, new).changes)


def test_each_kind_of_change():
    old = labels((0, 0, 10, 10, 0), (20, 0, 30, 10, 0), (40, 0, 50, 10, 0), (60, 0, 70, 10, 1))
    new = labels((80, 0, 90, 10, 1), (40, 0, 50, 10, 1), (25, 0, 35, 10, 0), (0.01, 0, 10, 10, 0))
    assert told(old, new) == [
        ("added", -1, 0, 0), ("moved", 1, 2, 0.333), ("removed", 3, -1, 0), ("renamed", 2, 1, 1)
    ]  # fmt: skip
    found = match(old, new)
    assert found.partner.tolist() == [-1, 2, 1, 0]
    assert found.same.tolist() == [False, False, False, True]


def test_a_box_that_became_a_crowd_region_counts_as_renamed():
    assert told(labels((0, 0, 10, 10, 0)), labels((0, 0, 10, 10, 0, True))) == [("renamed", 0, 0, 1)]


def test_a_box_is_matched_within_its_class_rather_than_with_a_nearer_one_of_another():
    old = labels((0, 0, 10, 10, 0), (2, 0, 12, 10, 1))
    assert told(old, labels((1, 0, 11, 10, 1))) == [("moved", 1, 0, 0.818), ("removed", 0, -1, 0)]


def test_equal_boxes_twice_stay_two():
    twice = labels((0, 0, 10, 10, 0), (0, 0, 10, 10, 0))
    assert told(twice, twice) == []
    assert told(twice, labels((0, 0, 10, 10, 0))) == [("removed", 1, -1, 0)]
    assert told(labels(), twice) == [("added", -1, 0, 0), ("added", -1, 1, 0)]
    assert told(twice, labels()) == [("removed", 0, -1, 0), ("removed", 1, -1, 0)]


BOX = st.tuples(*[st.integers(0, 50)] * 2, *[st.integers(1, 30)] * 2, st.integers(0, 2))


@given(st.lists(BOX, max_size=6), st.lists(BOX, max_size=6))
def test_every_box_is_told_once(first, second):
    old, new = (labels(*((x, y, x + w, y + h, label) for x, y, w, h, label in rows)) for rows in (first, second))
    found = match(old, new)
    paired = [c for c in found.changes if c.old >= 0 and c.new >= 0]
    gone, made = [c.old for c in found.changes if c.new < 0], [c.new for c in found.changes if c.old < 0]
    assert len(gone) + len(paired) + found.same.sum() == len(first)
    assert len(made) + len(paired) + found.same.sum() == len(second)
    assert match(old, old).changes == []


def test_the_summary_counts_by_class_and_by_iou():
    rows = [("added", None, "cat", 0.0), ("moved", "cat", "cat", 0.25), ("renamed", "dog", "cat", 1.0),
            ("removed", "dog", None, 0.0), ("moved", "dog", "dog", 0.95)]  # fmt: skip
    found = summary_of(rows)
    assert [found[kind] for kind in ("added", "removed", "moved", "renamed")] == [1, 1, 2, 1]
    assert found["per_class"]["cat"] == {"added": 1, "removed": 0, "moved": 1, "renamed": 1}
    assert found["renamed_from"] == {"dog -> cat": 1}
    assert found["iou"] == {"0.1-0.3": 1, "0.3-0.5": 0, "0.5-0.7": 0, "0.7-0.9": 0, "0.9-1": 2}
