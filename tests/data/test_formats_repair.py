"""Boxes made to fit the picture as shown."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metricloop.data.formats.repair import repair, turn_upright
from metricloop.data.formats.source import make_record, merge
from metricloop.data.pictures import inspect

NAN = float("nan")


@pytest.mark.parametrize(
    ("stated", "expected", "problem"),
    [
        ((2, 3, 12, 13), (2, 3, 12, 13), None),
        ((-0.4, 0, 40.9, 30), (0, 0, 40, 30), None),  # rounding of an exporter
        ((-5, 3, 12, 13), (0, 3, 12, 13), "box reaches over the edge of the picture"),
        ((20, 10, 1e9, 1e9), (20, 10, 40, 30), "box reaches over the edge of the picture"),
        ((12, 13, 2, 3), (2, 3, 12, 13), "inverted box"),
        ((12, 3, 2, 13), (2, 3, 12, 13), "inverted box"),
        ((5, 5, 5, 9), None, "box of zero area"),
        ((5, 5, 5.2, 9), None, "box of zero area"),
        ((50, 5, 60, 9), None, "box outside the picture"),
        ((-9, -9, -2, -2), None, "box outside the picture"),
        ((5, NAN, 9, 9), None, "box is not finite"),
        ((5, 5, float("inf"), 9), None, "box is not finite"),
    ],
)
def test_boxes_are_mended_or_dropped_and_told(stated, expected, problem):
    record = make_record(Path("a.png"), [(stated, 0, False), ((1, 1, 9, 9), 1, True)])
    fixed, notes = repair(record, 40, 30)
    assert fixed.boxes.tolist() == [list(map(float, box)) for box in (expected, (1, 1, 9, 9)) if box]
    assert fixed.labels.tolist() == ([0, 1] if expected else [1])
    assert fixed.crowd.tolist() == ([False, True] if expected else [True])
    assert [note[0] for note in notes] == ([problem] if problem else [])


def test_shares_become_pixels_of_the_shown_picture():
    record = make_record(Path("a.png"), [((0.25, 0.5, 0.75, 1.0), 0, False)], relative=True)
    fixed, notes = repair(record, 40, 30)
    assert fixed.boxes.tolist() == [[10, 15, 30, 30]]
    assert (fixed.relative, fixed.width, fixed.height, notes) == (False, 40, 30, [])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_picture(orientation):
    """A white rectangle on the raster, found again in the picture as shown."""
    raster = np.zeros((30, 40, 3), np.uint8)
    raster[3:13, 2:8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(raster).save(stream, "PNG", exif=exif)
    y, x = np.nonzero(inspect(stream.getvalue()).image[..., 0])
    turned = turn_upright(np.array([[2.0, 3.0, 8.0, 13.0]]), orientation, 40, 30)
    assert turned.tolist() == [[x.min(), y.min(), x.max() + 1, y.max() + 1]]


@pytest.mark.parametrize(
    ("declared", "orientation", "expected", "problem"),
    [
        ((30, 40), 6, (2, 3, 8, 13), None),  # labelled upright, and it says so
        ((40, 30), 6, (17, 2, 27, 8), "EXIF-rotated picture, labelled unrotated"),
        ((None, None), 6, (2, 3, 8, 13), "EXIF-rotated picture"),
        ((30, 40), 3, (2, 3, 8, 13), "EXIF-rotated picture"),  # half a turn: sizes cannot tell
    ],
)
def test_exif_rotation(declared, orientation, expected, problem):
    """The picture is shown 30 wide and 40 high; its look-alikes follow its boxes."""
    record = make_record(
        Path("a.jpg"),
        [((2, 3, 8, 13), 0, False)],
        width=declared[0],
        height=declared[1],
        lookalikes=np.array([[2.0, 3.0, 8.0, 13.0]]),
    )
    fixed, notes = repair(record, 30, 40, orientation)
    assert fixed.boxes.tolist() == fixed.lookalikes.tolist() == [list(map(float, expected))]
    assert [note[0] for note in notes] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("declared", "expected", "action"),
    [((80, 60), (1, 2, 4, 5), "boxes scaled"), ((33, 77), (2, 4, 8, 10), "boxes kept")],
)
def test_declared_size_differs(declared, expected, action):
    record = make_record(Path("a.jpg"), [((2, 4, 8, 10), 0, False)], width=declared[0], height=declared[1])
    fixed, notes = repair(record, 40, 30)
    assert fixed.boxes.tolist() == [list(map(float, expected))]
    assert [note[0] for note in notes] == ["declared size differs from the picture"]
    assert notes[0][1].startswith(action)


def test_merge_keeps_the_labels_of_both_and_the_pool():
    first = make_record(Path("/a.png"), [((1, 1, 2, 2), 0, False), ((3, 3, 4, 4), 0, False)], split="test")
    second = make_record(Path("/a.png"), [((1, 1, 2, 2), 0, False), ((1, 1, 2, 2), 1, False)], split="pool")
    for order in ([first, second], [second, first]):
        problems = []
        (merged,) = merge(order, problems)
        assert merged.split == "pool"
        assert merged.boxes.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]
        assert merged.labels.tolist() == [0, 1, 0]
        assert [problem.problem for problem in problems] == ["picture in two splits"]
