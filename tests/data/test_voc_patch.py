"""A VOC data set written anew: untouched files are the same bytes, and in the others only what differs is another."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from metricloop.data.dataset import Dataset
from metricloop.data.formats import read
from metricloop.data.formats.voc_patch import patch_voc
from metricloop.data.formats.writer import ExportError

HEAD = "<annotation>\n\t<folder>mine</folder>\n\t<filename>{name}.jpg</filename>\n\t<source>D</source>\n"
OBJECT = (
    "\t<object>\n\t\t<name>{label}</name>\n\t\t<pose>Left</pose>\n\t\t<truncated>1</truncated>\n"
    "\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{0}</xmin>\n\t\t\t<ymin>{1}</ymin>\n\t\t\t<xmax>{2}</xmax>\n"
    "\t\t\t<ymax>{3}</ymax>\n\t\t</bndbox>\n\t</object>\n"
)
FILES = {
    "a": [("cat", 11, 11, 20, 20), ("dog", 31, 5, 50, 25)],
    "b": [("cat", 1, 1, 30, 30)],
    "c": [("dog & co", 6, 6, 16, 16)],
}
NAMES = ("cat", "dog", "dog & co")


def text_of(name, objects):
    inner = "".join(OBJECT.format(*box, label=label.replace("&", "&amp;")) for label, *box in objects)
    return HEAD.format(name=name) + inner + "</annotation>\n"


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "set"
    for name, objects in FILES.items():
        for folder in ("xml", "photos"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / f"xml/{name}.xml").write_text(text_of(name, objects))
        cv2.imwrite(str(root / f"photos/{name}.jpg"), np.zeros((40, 60, 3), np.uint8))
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text("a\nb\nc\n")
    return root


def dataset(root, rows):
    """The labels of the three files: rows of (row of the image, label, box from 0)."""
    count = len(FILES)
    image = np.array([row for row, _, _ in rows], int)
    return Dataset(
        root=root,
        image_id=np.arange(1, count + 1),
        file=np.array([f"photos/{name}.jpg" for name in FILES], object),
        sha256=np.array(["0"] * count, object),
        width=np.full(count, 60),
        height=np.full(count, 40),
        split=np.array(["pool"] * count, object),
        group=np.array(list("abc"), object),
        box_id=np.arange(1, len(rows) + 1),
        boxes=np.array([box for _, _, box in rows], np.float32).reshape(-1, 4),
        labels=np.array([label for _, label, _ in rows], int),
        crowd=np.zeros(len(rows), bool),
        offsets=np.searchsorted(image, np.arange(count + 1)),
        class_names=NAMES,
    )


ROWS = [(0, 0, (10, 10, 20, 20)), (0, 1, (30, 4, 50, 25)), (1, 0, (0, 0, 30, 30)), (2, 2, (5, 5, 16, 16))]


def test_only_what_differs_is_written_anew_and_in_whole_pixels(source, tmp_path):
    before = dataset(source, ROWS)
    # the first box moves, the second is of another class, an object is added to the second file
    changed = [(0, 0, (10.4, 10.6, 19.9, 20)), (0, 2, ROWS[1][2]), ROWS[2], (1, 1, (31.2, 7.9, 40.5, 20)), ROWS[3]]
    after = replace(dataset(source, changed), box_id=np.array([1, 2, 3, 5, 4]))
    said = patch_voc(source, source, before, after, [0, 1, 2], tmp_path / "out")
    assert said[0] == f"{tmp_path}/out: 3 label files as Pascal VOC, 2 of them changed"
    assert (tmp_path / "out/xml/c.xml").read_bytes() == (source / "xml/c.xml").read_bytes()
    assert (tmp_path / "out/ImageSets/Main/train.txt").read_text() == "a\nb\nc\n"
    old = text_of("a", FILES["a"])
    assert (tmp_path / "out/xml/a.xml").read_text() == old.replace("<ymin>11<", "<ymin>12<").replace(
        "<name>dog<", "<name>dog &#38; co<".replace("&#38;", "&amp;")
    )
    new = OBJECT.format(32, 9, 41, 20, label="dog").replace("Left", "Unspecified").replace("truncated>1", "truncated>0")
    assert (tmp_path / "out/xml/b.xml").read_text() == text_of("b", FILES["b"]).replace("</ann", f"{new}</ann")


def test_a_dropped_object_leaves_no_gap_and_what_is_written_is_read_again(source, tmp_path):
    before = dataset(source, ROWS)
    after = replace(dataset(source, ROWS[1:]), box_id=np.array([2, 3, 4]))
    patch_voc(source, source, before, after, [0], tmp_path / "out")
    assert (tmp_path / "out/xml/a.xml").read_text() == text_of("a", FILES["a"][1:])
    (tmp_path / "out/photos").mkdir()
    for path in (source / "photos").iterdir():
        (tmp_path / "out/photos" / path.name).hardlink_to(path)
    found = read(tmp_path / "out")
    assert {record.file.stem: record.boxes.tolist() for record in found.records} == {
        "a": [[30, 4, 50, 25]], "b": [[0, 0, 30, 30]], "c": [[5, 5, 16, 16]]
    }  # fmt: skip
    with pytest.raises(ExportError, match="is not empty"):
        patch_voc(source, source, before, after, [0], tmp_path / "out")


def test_a_source_that_counts_parts_of_pixels_gets_two_decimals(source, tmp_path):
    path = source / "xml/c.xml"
    path.write_text(path.read_text().replace("<xmax>16<", "<xmax>16.5<"))
    before = dataset(source, [*ROWS[:3], (2, 2, (5, 5, 16.5, 16))])
    after = replace(before, boxes=np.array([*before.boxes[:3], (4.899999, 5, 16.5, 15.123456)], np.float32))
    patch_voc(source, source, before, after, [2], tmp_path / "out")
    text = path.read_text().replace("<xmin>6<", "<xmin>5.9<").replace("<ymax>16<", "<ymax>15.12<")
    assert (tmp_path / "out/xml/c.xml").read_text() == text


def test_files_that_cannot_be_mended_safely_stay_as_they_are_and_are_counted(source, tmp_path):
    (source / "xml/a.xml").write_bytes(text_of("a", FILES["a"]).replace("mine", "é").encode("latin-1"))
    path = source / "xml/b.xml"
    path.write_text(path.read_text().replace("</source>", "</source><size><width>30</width><height>20</height></size>"))
    before = dataset(source, ROWS)
    after = replace(before, boxes=before.boxes + 1)
    said = patch_voc(source, source, before, after, [0, 1, 2], tmp_path / "out")
    assert said[1].startswith("2 images left as they were")
    for name in "ab":
        assert (tmp_path / f"out/xml/{name}.xml").read_bytes() == (source / f"xml/{name}.xml").read_bytes()
