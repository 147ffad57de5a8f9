"""A repair against planted truth, counted by hand."""

import numpy as np
import pyarrow as pa
import pytest
from select_fixture import make_pool, truth_of

from metricloop.auditing.repair_quality import measure_repair
from metricloop.data.edits import EDITS, edit_columns
from metricloop.data.frame import Detections

NAN = np.nan
POOL = make_pool([1, 1, 1, 1])  # boxes 1..4, all [0, 0, 10, 10]
# Image 1 is right; box 2 stands on nothing; image 3 has an object beside its label; image 4 was moved.
TRUTH = truth_of(POOL, {4: "moved"}, missing=[(3, 20, 20, 30, 30)], invented=[2])
TRUE = TRUTH.to_pylist()
for row in TRUE:
    if row["mistake"] == "moved":
        row |= {"x1": 50.0, "y1": 50.0, "x2": 60.0, "y2": 60.0}
TRUTH = pa.Table.from_pylist(TRUE, TRUTH.schema)


def edits(rows):
    columns = edit_columns(POOL, {k: np.array([row], float) for k, row in rows.items()}, {})
    return pa.table({name: pa.array(columns[name], type=EDITS.field(name).type) for name in EDITS.names}, EDITS)


PERFECT = {
    1: [0, 0, NAN, NAN, NAN, NAN, -1, 0.9],
    2: [3, -1, 20, 20, 30, 30, 0, 0.7],
    3: [1, 0, 50, 50, 60, 60, -1, 0.5],
}


def kinds(found):
    return {row["kind"]: (row["cases"], row["before"], row["after"]) for row in found["kinds"]}


def test_a_perfect_repair():
    """Four labels and four objects, two of them right: F1 2 * 2 / 8; after all edits, four of four."""
    found = measure_repair(POOL, edits(PERFECT), 0.0, TRUTH)
    assert found["f1"] == [{"iou": at, "before": 0.5, "after": 1.0} for at in (0.5, 0.75, 0.9)]
    assert kinds(found) == {"missing": (1, 0, 1), "moved": (1, 0, 1), "spurious": (1, 0, 1), "none": (2, 2, 2)}
    assert found["edits"] == {"drop": 1, "move": 1, "relabel": 0, "add": 1}
    assert found["agreement"] == []


def test_strength():
    """From 0.6 on the move is left out (3 right, 4 labels, 4 objects); from 0.8 on the added box, too (2 of 3)."""
    found = measure_repair(POOL, edits(PERFECT), 0.6, TRUTH)
    by_strength = {row["least_confidence"]: row["f1"]["0.75"] for row in found["strength"]}
    assert by_strength == {0.2: 1, 0.4: 1, 0.6: 6 / 8, 0.8: pytest.approx(4 / 7)}
    assert kinds(found)["moved"] == (1, 0, 0)


def test_a_repair_that_spoils():
    """Box 1 is moved by half its width: IoU 1/3, right no longer."""
    found = measure_repair(POOL, edits({0: [1, 0, 5, 0, 15, 10, -1, 1]}), 0.6, TRUTH)
    assert found["f1"][0] == {"iou": 0.5, "before": 0.5, "after": 0.25}
    assert kinds(found)["none"] == (2, 2, 1)


def test_a_move_counts_by_how_near_it_comes():
    """[50, 50, 60, 58] has IoU 0.8 with the object."""
    found = measure_repair(POOL, edits({3: [1, 0, 50, 50, 60, 58, -1, 1]}), 0.6, TRUTH)
    assert [row["after"] for row in found["f1"]] == [0.75, 0.75, 0.5]


def test_without_truth_there_is_only_the_agreement():
    """Two claims, of which label 1 and, after the repair, label 4 agree: 2 * 1 / 6, then 2 * 2 / 6."""
    seen = {
        1: Detections(np.float32([[0, 0, 10, 10], [40, 40, 50, 50]]), np.float32([0.5, 0.2]), np.array([0, 0])),
        4: Detections(np.float32([[50, 50, 60, 60]]), np.float32([0.3]), np.array([0])),
    }
    found = measure_repair(POOL, edits({3: PERFECT[3]}), 0.5, None, seen)
    assert (found["f1"], found["kinds"], found["strength"]) == ([], [], [])
    assert found["agreement"][0] == {"iou": 0.5, "before": pytest.approx(1 / 3), "after": pytest.approx(2 / 3)}


def test_what_a_second_labelling_does_not_judge_is_left_out():
    rows = [row | {"mistake": "unjudged"} if row["image_id"] == 1 else row for row in TRUTH.to_pylist()]
    found = measure_repair(POOL, edits(PERFECT), 0.0, pa.Table.from_pylist(rows, TRUTH.schema))
    assert kinds(found)["none"] == (1, 1, 1)
    assert found["f1"][0]["before"] == pytest.approx(2 / 6)
