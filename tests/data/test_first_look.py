"""Which label files describe the same pictures, and when pictures count as missing."""

from pathlib import Path

import pytest

from metricloop.data.first_look import clash, missing
from metricloop.data.formats.source import Problem, Source, make_record

BOX, OTHER = [1, 2, 11, 12], [3, 2, 11, 12]


def record(name, origin, box=BOX, split=None, label=0):
    return make_record(Path(f"/set/{name}.jpg"), [(box, label, False)], split=split, origin=f"/set/{origin}")


def source(*records, problems=()):
    return Source("coco", ("cat", "dog"), tuple(records), tuple(problems))


def test_two_files_with_other_boxes_for_the_same_pictures_clash():
    found = clash(source(*(record(n, "a.json") for n in range(4)), *(record(n, "b.json", OTHER) for n in range(3))))
    assert [(own.path.name, own.pictures, own.boxes) for own in found.labels] == [("a.json", 4, 4), ("b.json", 3, 3)]
    assert (found.shared, found.differing) == (3, 3)


@pytest.mark.parametrize(
    "records",
    [
        [record(1, "a.json"), record(1, "b.json")],  # the same boxes: nothing is lost when they are joined
        [record(1, "a.json", split="pool"), record(1, "b.json", OTHER, split="search")],  # a picture in two splits
        [record(n, "a.json") for n in range(9)] + [record(n, "b.json", OTHER) for n in range(8, 13)],  # one of five
        [record(1, "a.json"), record(1, "a.json", OTHER)],  # one file names it twice
        [record(n, "a.json") for n in range(3)] + [record(n, "b.json") for n in range(3, 6)],
    ],
)
def test_files_that_do_not_clash(records):
    assert clash(source(*records)) is None


def test_equal_boxes_clash_where_only_one_file_says_the_split():
    assert clash(source(record(1, "all.json"), record(1, "train.json", split="pool"))).differing == 0


def test_another_class_is_another_label_and_the_order_of_boxes_is_none():
    assert clash(source(record(1, "a.json"), record(1, "b.json", label=1))).differing == 1
    rows = [(BOX, 0, False), (OTHER, 0, False)]
    one, two = (
        make_record(Path("/set/1.jpg"), own, origin=f"/set/{n}.json") for own, n in ((rows, 1), (rows[::-1], 2))
    )
    assert clash(source(one, two)) is None


def test_labellings_in_folders_of_several_files_are_told_by_folder():
    files = [(part, n) for part in ("clean", "rough") for n in (1, 2)]
    made = [record(n, f"{part}/{n}.json", BOX if part == "clean" else OTHER) for part, n in files]
    assert [(own.path.name, own.pictures) for own in clash(source(*made)).labels] == [("clean", 2), ("rough", 2)]


def gone(number):
    return [Problem(f"/set/x{n}.jpg", "labels without picture", "left out (1 boxes)") for n in range(number)]


def test_missing_pictures_are_told_from_one_in_twenty_on():
    kept = [record(n, "a.json") for n in range(95)]
    assert missing(source(*kept), gone(5)) is None
    found = missing(source(*kept[1:]), gone(6))
    assert (found.pictures, found.of, found.first.file) == (6, 100, "/set/x0.jpg")
    assert missing(None, gone(3))[:2] == (3, 3)


def test_a_picture_with_two_problems_is_missing_once():
    twice = [Problem("/set/x0.jpg", "picture cannot be told for certain", "left out"), *gone(1)]
    assert missing(source(record(1, "a.json")), twice)[:2] == (1, 2)
