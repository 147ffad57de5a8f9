"""Edits applied to a pool of literal boxes."""

import numpy as np
import pyarrow as pa
import pytest
from select_fixture import make_pool

from metricloop.data.edits import EDITS, apply_edits, edit_columns, taken
from metricloop.data.tables import TableError

NAN = np.nan
POOL = make_pool([2, 0, 1], labels=[0, 1, 2])  # box ids 1, 2 and 3, all [0, 0, 10, 10]


def table(rows, errors=None, pool=POOL):
    """EDITS from literal rows by image row: kind, box, x1, y1, x2, y2, label, confidence."""
    return pa.table(edit_columns(pool, {k: np.array(own, float) for k, own in rows.items()}, errors or {}), EDITS)


def drop(box, sure):
    return [0, box, NAN, NAN, NAN, NAN, -1, sure]


EDITS_OF_POOL = table(
    {
        0: [drop(0, 0.9), [1, 1, 5, 6, 7, 8, -1, 0.6], [2, 1, NAN, NAN, NAN, NAN, 2, 0.3]],
        1: [[3, -1, 4, 4, 9, 9, 1, 0.8], [3, -1, 1, 1, 9, 9, 0, 0.8]],
    },
    {2: "ValueError: no"},
)


def test_all_edits():
    mended, source = apply_edits(POOL, EDITS_OF_POOL, 0)
    assert mended.boxes.tolist() == [[5, 6, 7, 8], [1, 1, 9, 9], [4, 4, 9, 9], [0, 0, 10, 10]]
    assert mended.labels.tolist() == [2, 0, 1, 2]
    assert mended.box_id.tolist() == [2, -1, -1, 3]
    assert mended.offsets.tolist() == [0, 1, 3, 4]
    assert source.tolist() == [1, -1, -1, 2]


def test_those_of_which_it_is_sure_enough():
    mended, source = apply_edits(POOL, EDITS_OF_POOL, 0.6)
    assert mended.labels.tolist() == [1, 0, 1, 2]  # not relabelled, but moved: 0.6 is enough
    assert mended.boxes[0].tolist() == [5, 6, 7, 8]
    mended, source = apply_edits(POOL, EDITS_OF_POOL, 0.85)
    assert mended.boxes.tolist() == [[0, 0, 10, 10]] * 2
    assert source.tolist() == [1, 2]


def test_those_of_some_kinds():
    mended, source = apply_edits(POOL, EDITS_OF_POOL, 0, ["relabel", "drop"])
    assert mended.boxes.tolist() == [[0, 0, 10, 10]] * 2  # nothing moved, nothing added
    assert mended.labels.tolist() == [2, 2]
    assert source.tolist() == [1, 2]
    assert taken(EDITS_OF_POOL, 0.5, ["add", "move"])["kind"].to_pylist() == ["move", "add", "add"]
    assert taken(EDITS_OF_POOL, 0)["kind"].to_pylist() == ["drop", "move", "relabel", "add", "add"]


@pytest.mark.parametrize("edits", [EDITS.empty_table(), table({}, {0: "failed"}), table({0: [drop(0, 0.5)]})])
def test_nothing_to_apply_leaves_the_pool_itself(edits):
    mended, source = apply_edits(POOL, edits, 0.6)
    assert mended is POOL
    assert source.tolist() == [0, 1, 2]


def test_after_every_box_is_dropped_nothing_is_left():
    mended, source = apply_edits(POOL, table({0: [drop(0, 1), drop(1, 1)], 2: [drop(0, 1)]}), 1)
    assert (len(mended.boxes), mended.offsets.tolist(), len(source)) == (0, [0, 0, 0, 0], 0)


def test_the_order_of_the_rows_does_not_matter():
    shuffled = EDITS_OF_POOL.take(np.random.default_rng(1).permutation(len(EDITS_OF_POOL)))
    for one, two in zip(apply_edits(POOL, EDITS_OF_POOL, 0), apply_edits(POOL, shuffled, 0), strict=True):
        same = one == two if isinstance(one, np.ndarray) else one.boxes == two.boxes
        assert same.all()


def test_the_pool_is_not_written_to():
    before = POOL.boxes.copy(), POOL.labels.copy()
    apply_edits(POOL, EDITS_OF_POOL, 0)
    assert (POOL.boxes == before[0]).all()
    assert (POOL.labels == before[1]).all()


def test_edits_of_other_labels_are_refused():
    with pytest.raises(TableError, match="a label that the pool does not have; run the stage mend again"):
        apply_edits(make_pool([1, 0, 0]), EDITS_OF_POOL, 0)
    with pytest.raises(TableError, match="an image that the pool does not have"):
        apply_edits(make_pool([2]), EDITS_OF_POOL, 0)
