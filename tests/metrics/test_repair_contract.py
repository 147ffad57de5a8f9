"""What a repair may return: literal edits, and one broken rule per case."""

import numpy as np
import pytest

from metricloop import Edit, Frame, repair
from metricloop.metrics.repair_contract import MOST_ADDED, RepairError, call_repair, check_rows

FRAME = Frame(7, 100, 50, np.float32([[0, 0, 10, 10], [20, 20, 40, 40]]), np.array([0, 1]), ("cat", "dog"))


def returning(*edits):
    @repair()
    def it(frame):
        return list(edits)

    return it


def test_edits_become_rows_by_box_and_added_ones_last():
    rows = call_repair(
        returning(
            Edit.add([1, 2, 3, 4], 1, 0.5), Edit.relabel(1, 0, 0.7), Edit.move(1, [5, 5, 9, 9], 0.6), Edit.drop(0, 1)
        ),
        FRAME,
    )
    nan = np.nan
    wanted = [
        [0, 0, nan, nan, nan, nan, -1, 1.0],
        [1, 1, 5, 5, 9, 9, -1, 0.6],
        [2, 1, nan, nan, nan, nan, 0, 0.7],
        [3, -1, 1, 2, 3, 4, 1, 0.5],
    ]
    np.testing.assert_array_equal(rows, wanted)


def test_the_order_of_the_list_does_not_matter():
    edits = [
        Edit.add([1, 2, 3, 4], 1, 0.5),
        Edit.add([1, 2, 3, 5], 0, 0.5),
        Edit.drop(1, 0.2),
        Edit.move(0, [5, 5, 9, 9], 1),
    ]
    one, two = (call_repair(returning(*some), FRAME) for some in (edits, edits[::-1]))
    np.testing.assert_array_equal(one, two)


def test_a_corner_that_rounding_put_outside_is_put_on_the_edge():
    rows = call_repair(returning(Edit.move(0, [-0.005, 0, 100.005, 50], 1)), FRAME)
    assert rows[0, 2:6].tolist() == [0, 0, 100, 50]


def test_nothing_to_mend_is_an_empty_list():
    assert call_repair(returning(), FRAME).shape == (0, 8)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([Edit.move(0, [-1, 0, 5, 5], 1)], "inside the image, 100 x 50"),
        ([Edit.add([0, 0, 5, 50.1], 0, 1)], "inside the image"),
        ([Edit.add([0, 0, np.nan, 5], 0, 1)], "four finite numbers"),
        ([Edit.add([0, 0, np.inf, 5], 0, 1)], "four finite numbers"),
        ([Edit.add([5, 0, 5.5, 5], 0, 1)], "at least 1 pixel"),
        ([Edit.add([9, 0, 5, 5], 0, 1)], "at least 1 pixel"),
        ([Edit.add([0, 0, 5], 0, 1)], "xyxy must be four numbers"),
        ([Edit.add([0, 0, 5, 5], 2, 1)], "its label must be one of 2"),
        ([Edit.relabel(0, -1, 1)], "its label must be one of 2"),
        ([Edit.drop(2, 1)], "row of the 2 boxes"),
        ([Edit.drop(-1, 1)], "row of the 2 boxes"),
        ([Edit.drop(0.5, 1)], "row of the 2 boxes"),
        ([Edit.drop(0, 1.1)], "confidence must be between 0 and 1"),
        ([Edit.drop(0, np.nan)], "confidence must be between 0 and 1"),
        ([Edit.drop(0, "sure")], "edit 0 (drop)"),
        ([Edit("burn", 1, 0)], "kind 'burn'"),
        ([{"kind": "drop"}], "edit 0 is a dict"),
        ([Edit.drop(0, 1), Edit.drop(0, 0.5)], "cannot both be"),
        ([Edit.drop(0, 0.2), Edit.move(0, [0, 0, 5, 5], 1)], "cannot both be"),
        ([Edit.move(1, [0, 0, 5, 5], 1), Edit.move(1, [0, 0, 6, 6], 1)], "cannot both be"),
        ([Edit.add([0, 0, 5, 5], 1, 1), Edit.add([0, 0, 5, 5], 1, 0.4)], "cannot both be"),
        ([Edit.drop(0, 1)] * 105, "105 edits for an image with 2 boxes; at most 104"),
    ],
)
def test_what_breaks_the_contract(edits, said):
    with pytest.raises(RepairError) as raised:
        call_repair(returning(*edits), FRAME)
    assert said in str(raised.value)


def test_a_generator_without_end_is_refused_before_it_runs():
    @repair()
    def it(frame):
        while True:
            yield Edit.drop(0, 1)

    with pytest.raises(RepairError, match="must return a list of Edits; got generator"):
        call_repair(it, FRAME)


def test_as_many_added_boxes_as_allowed():
    many = [Edit.add([k / 10, 0, 20, 20], 0, 1) for k in range(MOST_ADDED)]
    assert len(call_repair(returning(*many), FRAME)) == MOST_ADDED


def test_rows_from_outside_are_checked_alike():
    rows = np.array([[7.0, 0, 1, 1, 5, 5, 0, 1]])
    with pytest.raises(RepairError, match="kind must be one of drop, move, relabel, add"):
        check_rows("it", rows, FRAME)


def test_what_the_frame_lacks_is_named():
    @repair(needs=("predictions",))
    def it(frame):
        return []

    with pytest.raises(RepairError, match="it needs predictions"):
        call_repair(it, FRAME)
    with pytest.raises(RepairError, match="must be a tuple out of"):
        repair(needs=("depth",))(lambda frame: [])
