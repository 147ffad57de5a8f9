"""How a subset differs from its pool, and the examples with the best and the worst scores; counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from metricloop.data.dataset import Dataset
from metricloop.figures import subset_changes
from metricloop.figures.choose_examples import extremes
from metricloop.scoring.scores import Scores


def little_pool() -> Dataset:
    """Three images of 100 x 100 px with 2, 1 and 0 boxes of sides 10, 20 and 40 px; ids 5, 7, 9 and 1, 2, 3."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 40, 40]], np.float32)
    text, size = np.array(["a", "b", "c"]), np.array([100, 100, 100])
    return Dataset(
        root=Path(), class_names=("x", "y"), image_id=np.array([5, 7, 9]), file=text, sha256=text,
        width=size, height=size, group=text, split=np.array(["pool"] * 3),
        box_id=np.array([1, 2, 3]), boxes=boxes, labels=np.array([0, 0, 1]),
        crowd=np.zeros(3, bool), offsets=np.array([0, 2, 3, 3]),
    )  # fmt: skip


def test_changes_by_hand() -> None:
    pool = subset_changes.pool_profile(little_pool())
    half = subset_changes.Profile(images=1, empty=0, sizes=np.array([0.4]), labels=np.array([1]))
    lines = {line.name: line for line in subset_changes.changes(pool, half, ("x", "y"))}
    assert (lines["Images"].pool, lines["Boxes"].pool, lines["Boxes"].subset) == ("3", "3", "1")
    assert lines["Boxes per image"].ratio == 1.0
    assert lines["Images without a box"].pool == "33.3\u00a0%"
    assert lines["Object size, median"].pool == "20.0\u00a0%"  # sides 10, 20, 40 of 100 px
    assert lines["Object size, median"].ratio == pytest.approx(2.0)
    assert lines["Class y"].ratio == pytest.approx(3.0)
    assert lines["Class x"].ratio == 0.0


def test_extremes_are_distinct_images_in_order() -> None:
    scores = Scores(
        row=np.array([0, 0, 1, 2, 3]), box=np.arange(5), value=np.array([0.9, 0.8, 0.5, np.nan, 0.1]), errors=()
    )
    best, worst = extremes(scores, higher=True, wanted=2)
    assert best.tolist() == [0, 2]  # the second score of image 0 does not show it twice
    assert worst.tolist() == [4]  # images 0 and 1 are taken, image 2 has no score
    assert extremes(scores, higher=False, wanted=1)[0].tolist() == [4]
