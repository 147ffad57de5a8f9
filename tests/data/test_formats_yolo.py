"""YOLO: where data.yaml leads, what lines mean, and what is broken."""

import cv2
import numpy as np
import pytest
import yaml

from metricloop.data.formats import SourceError, read, recognise


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((30, 40, 3), np.uint8))


def label(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def describe(folder, **content):
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    return folder / "data.yaml"


def kinds(source):
    return [problem.problem for problem in source.problems]


def test_images_beside_labels_with_equal_names_in_both_splits(tmp_path):
    for part in ("train", "val"):
        picture(tmp_path / f"images/{part}/1.png")
        label(tmp_path / f"labels/{part}/1.txt", "1 0.5 0.5 0.5 0.2\n")
    describe(tmp_path, path=".", train="images/train", val="images/val", names={0: "panda", 1: "zebra"})
    assert recognise(tmp_path) == "yolo"
    source = read(tmp_path)
    assert source.class_names == ("panda", "zebra")
    assert [(r.split, r.file.parent.name) for r in source.records] == [("pool", "train"), ("search", "val")]
    assert source.records[0].relative
    np.testing.assert_allclose(source.records[0].boxes, [[0.25, 0.4, 0.75, 0.6]])
    assert source.records[0].labels.tolist() == [1]
    assert source.problems == ()


def test_roboflow_layout_lists_and_nested_folders(tmp_path):
    picture(tmp_path / "train/images/deep/1.png")
    label(tmp_path / "train/labels/deep/1.txt", "0 0.5 0.5 0.5 0.2")
    picture(tmp_path / "test/images/2.png")
    label(tmp_path / "test/labels/2.txt", "0 0.5 0.5 0.5 0.2")
    (tmp_path / "test.txt").write_text("./test/images/2.png\n./test/images/gone.png\n")
    path = describe(tmp_path, train="../train/images", test="test.txt", val="valid/images", names=["panda"])
    source = read(path)
    assert [(r.split, r.file.name, len(r.boxes)) for r in source.records] == [
        ("pool", "1.png", 1),
        ("test", "2.png", 1),
    ]
    assert sorted(kinds(source)) == ["listed picture does not exist", "part of the data set does not exist"]


@pytest.mark.parametrize(
    ("line", "boxes", "problem"),
    [
        ("0 0.5 0.5 0.5 0.2", [[0.25, 0.4, 0.75, 0.6]], None),
        ("0.0 0.5 0.5 0.5 0.2  ", [[0.25, 0.4, 0.75, 0.6]], None),
        ("0 0.1 0.2 0.5 0.1 0.3 0.9", [[0.1, 0.1, 0.5, 0.9]], None),  # a triangle
        ("0 0.5 0.5", [], "line is not a label"),  # cut off
        ("0 0.5 0.5 0.5 0.2 0.9", [], "line is not a label"),  # a prediction with its score
        ("0 0.5 half 0.5 0.2", [], "line is not a label"),
        ("nan 0.5 0.5 0.5 0.2", [], "line is not a label"),
        ("3 0.5 0.5 0.5 0.2", [], "unknown class"),
        ("0.5 0.5 0.5 0.5 0.2", [], "unknown class"),
    ],
)
def test_lines(tmp_path, line, boxes, problem):
    picture(tmp_path / "images/1.png")
    label(tmp_path / "labels/1.txt", f"\n{line}\n")
    describe(tmp_path, train="images", names=["panda"])
    source = read(tmp_path)
    np.testing.assert_allclose(source.records[0].boxes, np.reshape(boxes, (-1, 4)))
    assert kinds(source) == ([problem] if problem else [])


def test_missing_halves_are_listed(tmp_path):
    for name in ("labelled", "background", "nolabels"):
        picture(tmp_path / f"images/{name}.png")
    label(tmp_path / "labels/labelled.txt", "0 0.5 0.5 0.5 0.2")
    label(tmp_path / "labels/background.txt", "")
    label(tmp_path / "labels/nopicture.txt", "0 0.5 0.5 0.5 0.2")
    label(tmp_path / "labels/classes.txt", "panda")
    describe(tmp_path, train="images", names=["panda"])
    source = read(tmp_path)
    assert {r.file.stem: len(r.boxes) for r in source.records} == {"labelled": 1, "background": 0, "nolabels": 0}
    assert sorted((p.file.rsplit("/", 1)[1], p.problem) for p in source.problems) == [
        ("nolabels.png", "no label file"),
        ("nopicture.txt", "labels without picture"),
    ]


def test_errors_name_what_is_wrong(tmp_path):
    describe(tmp_path, train="images", names=["panda"])
    with pytest.raises(SourceError, match="no picture found"):
        read(tmp_path)
    describe(tmp_path, train="images", names=3)
    with pytest.raises(SourceError, match="`names` must be"):
        read(tmp_path)
