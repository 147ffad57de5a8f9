"""Marks: read, held against today's labels, applied. Expected labels are worked out by hand."""

import json

import numpy as np
import pytest
from marked import drawn, entry, save

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.study.apply_marks import counts, repaired, rows_of
from metricloop.study.judged import judged_right, read_judged, write_judged
from metricloop.study.marks import MarksError, on_labels, read_marks


def frame(number, boxes, labels):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Frame(number, 100, 80, boxes, np.array(labels, int), ("panda", "football"))


@pytest.fixture
def data():
    """Image 1 with two boxes (ids 0, 1), image 2 with one (id 2), image 3 with none."""
    return pool_of(
        [
            frame(1, [[10, 10, 30, 30], [40, 20, 60, 50]], [0, 1]),
            frame(2, [[5, 5, 25, 45]], [0]),
            frame(3, [], []),
        ]
    )


def marks_of(data, tmp_path, *entries, done=()):
    return on_labels(read_marks(save(tmp_path / "marks.json", *entries)), data, done, "metricloop audit")


def test_labels_are_moved_renamed_deleted_and_added(data, tmp_path):
    ball = drawn([70, 60, 90, 75], "football")
    marks = marks_of(
        data, tmp_path,
        entry(data, "fix", 0, 0, to=drawn([12, 11, 33, 31], "panda")),
        entry(data, "fix", 0, 1, "class", to=drawn([40, 20, 60, 50], "panda"), added=[ball]),
        entry(data, "delete", 1, 2, "spurious"),
        entry(data, "fix", 2, kind="missing", to=drawn([-4, 2, 30, 90], "football")),
    )  # fmt: skip
    new, touched = repaired(data, marks)
    assert touched == [0, 1, 2]
    assert rows_of(new, 0) == [
        ([12, 11, 33, 31], "panda", False), ([40, 20, 60, 50], "panda", False), ([70, 60, 90, 75], "football", False)
    ]  # fmt: skip
    assert rows_of(new, 1) == []
    assert rows_of(new, 2) == [([0, 2, 30, 80], "football", False)]  # cut at the edges of the picture
    assert new.box_id.tolist() == [0, 1, 3, 4]
    assert new.offsets.tolist() == [0, 3, 3, 4]
    assert data.boxes[0].tolist() == [10, 10, 30, 30]  # the input is as it was
    assert counts(marks) == {
        "placed": {"keep": 0, "fix": 1, "delete": 0, "unsure": 0},
        "class": {"keep": 0, "fix": 1, "delete": 0, "unsure": 0},
        "spurious": {"keep": 0, "fix": 0, "delete": 1, "unsure": 0},
        "missing": {"keep": 0, "fix": 1, "delete": 0, "unsure": 0},
    }


def test_an_object_that_two_marks_add_is_added_once(data, tmp_path):
    same = [drawn([70, 60, 90, 75], "football")]
    marks = marks_of(
        data, tmp_path,
        entry(data, "fix", 0, 0, added=same),
        entry(data, "fix", 0, kind="missing", to=drawn([70, 60, 90, 75.5], "football")),
        entry(data, "fix", 1, 2, added=[drawn([5, 5, 25, 45], "panda")]),  # there already
    )  # fmt: skip
    new, touched = repaired(data, marks)
    assert touched == [0]
    assert new.counts.tolist() == [3, 1, 0]


def test_keep_and_not_sure_change_nothing(data, tmp_path):
    marks = marks_of(data, tmp_path, entry(data, "keep", 0, 0), entry(data, "unsure", 1, 2))
    new, touched = repaired(data, marks)
    assert touched == []
    assert new.boxes.tolist() == data.boxes.tolist()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"box": [10.0, 10.0, 30.0, 31.0]}, 'make a new one: metricloop audit ("Load marks" on its page'),
        ({"label": "football"}, "has changed since that audit"),
        ({"box_id": 7}, "has changed since that audit"),
        ({"sha256": "0" * 64}, "has changed since that audit"),
        ({"file": "else.jpg"}, "of another audit: none of their pictures is in this study (drawn)"),
        ({"to": drawn([1, 1, 9, 9], "pandda")}, "class 'pandda', which is not in the study; did you mean 'panda'?"),
        ({"to": drawn([1, 1, 1.5, 9], "panda")}, "a box of less than one pixel"),
        ({"to": drawn([120, 1, 150, 9], "panda")}, "a box of less than one pixel"),
        ({"to": None}, "placed-0 is marked fix without a repaired box"),
        ({"mark": "delete", "box_id": None, "box": None}, "deletes a label, and the finding is of none"),
    ],
)
def test_marks_that_do_not_fit_the_labels_are_refused(data, tmp_path, change, told):
    given = entry(data, "fix", 0, 0, to=drawn([12, 11, 33, 31], "panda")) | change
    with pytest.raises(MarksError) as error:
        marks_of(data, tmp_path, given)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_label_is_marked_in_one_way(data, tmp_path):
    fix = entry(data, "fix", 0, 0, to=drawn([12, 11, 33, 31], "panda"))
    with pytest.raises(MarksError, match=r"box 0 of 1.jpg is marked in two ways \(placed-0, spurious-0\)"):
        marks_of(data, tmp_path, fix, entry(data, "delete", 0, 0, "spurious"))
    with pytest.raises(MarksError, match="marks placed-0 twice"):
        marks_of(data, tmp_path, fix, fix)
    assert len(marks_of(data, tmp_path, fix, entry(data, "keep", 0, 0, "class"))) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not a file of marks (the file: Invalid JSON"),
        ("[]", "is not a file of marks"),
        (json.dumps({"format": "coco"}), "is not a file of marks (format: "),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, text, told):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(MarksError) as error:
        read_marks(tmp_path / "other.json")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(MarksError, match=r"gone.json does not exist; press Save"):
        read_marks(tmp_path / "gone.json")


def test_a_mark_that_was_applied_before_is_left_out(data, tmp_path):
    given = entry(data, "delete", 1, 2)
    [mark] = marks_of(data, tmp_path, given)
    after, _ = repaired(data, [mark])
    assert marks_of(after, tmp_path, given, done=[mark.entry]) == []
    with pytest.raises(MarksError, match="has changed since that audit"):
        marks_of(after, tmp_path, given)


def test_an_object_that_was_added_before_is_not_added_again(data, tmp_path):
    given = entry(data, "fix", 2, kind="missing", to=drawn([10, 10, 30, 30], "panda"))
    [mark] = marks_of(data, tmp_path, given)
    after, _ = repaired(data, [mark])
    assert after.counts.tolist() == [2, 1, 1]
    assert marks_of(after, tmp_path, given, done=[mark.entry]) == []
    assert len(marks_of(data, tmp_path, given, done=[mark.entry])) == 1  # the labels of before are back: it is missing


def test_what_was_judged_right_is_remembered_until_it_changes(data, tmp_path):
    seen = drawn([50, 50, 70, 70], "panda")
    copy = entry(data, "keep", 1, kind="repeated", other="3.jpg")
    marks = marks_of(
        data, tmp_path, entry(data, "keep", 0, 0), entry(data, "keep", 2, kind="missing", seen=seen),
        entry(data, "delete", 1, 2), copy,
    )  # fmt: skip
    write_judged(tmp_path, [], [mark.entry for mark in marks])
    right = judged_right(tmp_path, data)
    assert right.boxes.tolist() == [True, False, False]
    assert right.at(2, (50, 50, 70, 68))  # IoU 0.9
    assert not right.at(2, (60, 50, 80, 70))  # IoU 1/3
    assert not right.at(1, (50, 50, 70, 70))
    assert right.pictures == {(1, "repeated", "3.jpg")}
    moved = data.boxes.copy()
    moved[0, 0] += 1
    assert not judged_right(tmp_path, type(data)(**{**vars(data), "boxes": moved})).boxes.any()
    assert judged_right(tmp_path / "elsewhere", data).places == {}
    # a later mark of the same label takes the place of the earlier one
    [other] = marks_of(data, tmp_path, entry(data, "fix", 0, 0, to=drawn([1, 1, 9, 9], "panda")))
    write_judged(tmp_path, read_judged(tmp_path), [other.entry])
    assert [one.mark for one in read_judged(tmp_path)] == ["fix", "keep", "delete", "keep"]
    assert not judged_right(tmp_path, data).boxes.any()


@pytest.mark.parametrize("number", [0, 99])
def test_a_mark_of_a_label_without_its_box_changes_no_other_label(data, tmp_path, number):
    marked = entry(data, "delete", 1, 2, "spurious") | {"box": None, "box_id": number}  # edited by hand
    with pytest.raises(MarksError, match="of other labels than today's"):
        marks_of(data, tmp_path, marked)
