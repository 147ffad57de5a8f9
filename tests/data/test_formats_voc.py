"""Pascal VOC: layouts, coordinates, and files that are broken."""

import cv2
import numpy as np
import pytest

from metricloop.data.formats import SourceError, read, recognise


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((30, 40, 3), np.uint8))


def xml(path, *objects, filename=""):
    """objects: (name, xmin, ymin, xmax, ymax[, difficult])."""
    path.parent.mkdir(parents=True, exist_ok=True)
    items = "".join(
        f"<object><name>{name}</name><difficult>{int(bool(more))}</difficult><bndbox><xmin>{x1}</xmin>"
        f"<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2, *more in objects
    )
    size = "<size><width>40</width><height>30</height><depth>3</depth></size>"
    path.write_text(f"<annotation><filename>{filename}</filename>{size}{items}</annotation>")


def kinds(source):
    return [problem.problem for problem in source.problems]


def test_devkit_layout_with_one_based_corners_and_difficult_objects(tmp_path):
    for name in ("1", "2", "3", "4"):
        picture(tmp_path / f"JPEGImages/{name}.jpg")
        xml(tmp_path / f"Annotations/{name}.xml", ("zebra", 1, 1, 40, 30), ("bear", 5, 6, 10, 12, "difficult"))
    for part, names in (("train", "1\n"), ("val", "2\n"), ("test", "3\n9\n"), ("zebra_train", "4 1\n")):
        (tmp_path / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"ImageSets/Main/{part}.txt").write_text(names)
    assert recognise(tmp_path) == "voc"
    source = read(tmp_path)
    assert source.class_names == ("bear", "zebra")
    assert [(r.file.name, r.split) for r in source.records] == [
        ("1.jpg", "pool"),
        ("2.jpg", "search"),
        ("3.jpg", "test"),
    ]
    assert source.records[0].boxes.tolist() == [[0, 0, 40, 30], [4, 5, 10, 12]]
    assert source.records[0].labels.tolist() == [1, 0]
    assert source.records[0].crowd.tolist() == [False, True]
    assert (source.records[0].width, source.records[0].height) == (40, 30)
    assert sorted(kinds(source)) == [
        "in no list of ImageSets/Main",
        "listed in ImageSets/Main without a label file",
    ]


def test_trainval_list_alone_is_the_pool(tmp_path):
    for name in ("1", "2"):
        picture(tmp_path / f"JPEGImages/{name}.jpg")
        xml(tmp_path / f"Annotations/{name}.xml", ("bear", 5, 6, 10, 12))
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/trainval.txt").write_text("1\n")
    (tmp_path / "ImageSets/Main/test.txt").write_text("2\n")
    assert [record.split for record in read(tmp_path).records] == ["pool", "test"]


def test_a_source_with_a_corner_at_0_counts_from_0(tmp_path):
    picture(tmp_path / "a.jpg")
    xml(tmp_path / "a.xml", ("bear", 0, 6, 10, 12))
    assert read(tmp_path).records[0].boxes.tolist() == [[0, 6, 10, 12]]


def test_flat_folders_per_split_with_equal_names(tmp_path):
    for part in ("train", "valid"):
        picture(tmp_path / part / "1.jpg")
        xml(tmp_path / part / "1.xml", ("bear", 5, 6, 10, 12))
    source = read(tmp_path)
    assert [(r.split, r.file.parent.name) for r in source.records] == [("pool", "train"), ("search", "valid")]
    assert source.problems == ()


def test_picture_named_in_the_file_when_names_differ(tmp_path):
    picture(tmp_path / "images/photo one.JPG")
    xml(tmp_path / "annotations/x.xml", ("bear", 5, 6, 10, 12), filename="C:\\photos\\photo one.JPG")
    assert [record.file.name for record in read(tmp_path).records] == ["photo one.JPG"]


def test_broken_files_cost_their_own_picture_only(tmp_path):
    for name in ("good", "cut", "empty", "alone"):
        picture(tmp_path / f"{name}.jpg")
    xml(
        tmp_path / "good.xml",
        ("bear", 5, 6, 10, 12),
        ("", 5, 6, 10, 12),
        ("bear", "x", 6, 10, 12),
        ("bear", 9, 8, 3, 2),
    )
    xml(tmp_path / "cut.xml", ("bear", 5, 6, 10, 12))
    text = (tmp_path / "cut.xml").read_text()
    (tmp_path / "cut.xml").write_text(text[: len(text) // 2])
    (tmp_path / "empty.xml").write_text("")
    xml(tmp_path / "nopicture.xml", ("bear", 5, 6, 10, 12))
    source = read(tmp_path)
    assert [record.file.name for record in source.records] == ["good.jpg"]
    assert source.records[0].boxes.tolist() == [[4, 5, 10, 12], [8, 7, 3, 2]]  # as stated; ingest mends it
    assert sorted((problem.file.rsplit("/", 1)[1], problem.problem) for problem in source.problems) == [
        ("alone.jpg", "picture without labels"),
        ("cut.xml", "label file cut off or damaged"),
        ("empty.xml", "label file cut off or damaged"),
        ("good.xml", "box is not four numbers"),
        ("good.xml", "unknown class"),
        ("nopicture.xml", "labels without picture"),
    ]


def test_nothing_usable_is_an_error(tmp_path):
    xml(tmp_path / "nopicture.xml", ("bear", 5, 6, 10, 12))
    with pytest.raises(SourceError, match=r"nopicture\.xml: labels without picture"):
        read(tmp_path)
