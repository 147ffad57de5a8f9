"""Repaired labels find their images, whatever the format, and wherever the file lies."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import make

from metricloop.data import writers
from metricloop.data.formats import SourceError
from metricloop.data.formats.export import export_dataset, reordered
from metricloop.data.formats.repaired import read_repaired
from metricloop.data.formats.writer import Notes

FILES = ["a/1.png", "b/1.png", "c.png"]
TARGETS = {"coco": "x.json", "cvat": "x.xml", "label-studio": "x.json"}


@pytest.fixture
def data(tmp_path):
    boxes = [[(1, 2, 30.5, 20, 0), (5, 5, 20, 30, 1)], [(0, 0, 40, 60, 1)], []]
    made = make([(60, 40, "a", boxes[0]), (40, 60, "b", boxes[1]), (50, 50, "c", boxes[2])])
    root = tmp_path / "data set"
    for file, width, height in zip(FILES, made.width, made.height, strict=True):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / file), np.full((height, width, 3), width, np.uint8))
    return replace(made, root=root, file=np.array(FILES, object), crowd=np.array([False, True, False]))


@pytest.mark.parametrize("name", writers.NAMES)
@pytest.mark.parametrize("copy", [False, True])
def test_some_images_in_another_order_are_told_apart(data, tmp_path, name, copy):
    part, _ = reordered(data, [1, 0])
    notes = Notes(images={0: {"rank": 1}, 1: {"rank": 2}})
    target = tmp_path / "elsewhere" / TARGETS.get(name, "x")
    target.parent.mkdir()
    export_dataset(part, target, name, notes, copy=copy)
    found = read_repaired(target, data)
    assert found.format == {"coco-folder": "coco"}.get(name, name)  # one is read, two are written
    assert sorted(found.images) == [0, 1]
    names = ("panda", "football")
    for row in (0, 1):
        own = data.slice(row)
        expected = [
            (box, names[label], crowd)
            for box, label, crowd in zip(
                data.boxes[own].tolist(), data.labels[own], data.crowd[own].tolist(), strict=True
            )
        ]
        assert sorted(found.images[row]) == sorted(expected)


def test_what_is_not_of_the_study_is_left_out_or_refused(data, tmp_path):
    entry = {"id": 1, "file_name": "c.png", "width": 50, "height": 50}
    other = {"id": 2, "file_name": "other.png", "width": 50, "height": 50}
    cv2.imwrite(str(tmp_path / "other.png"), np.zeros((50, 50, 3), np.uint8))
    path = tmp_path / "r.json"
    categories = [{"id": 1, "name": "panda"}]
    path.write_text(json.dumps({"images": [entry, other], "annotations": [], "categories": categories}))
    found = read_repaired(path, data)
    assert dict(found.images) == {2: []}
    assert "picture is not in the study's data set" in [problem.problem for problem in found.problems]
    path.write_text(json.dumps({"images": [other], "annotations": [], "categories": categories}))
    with pytest.raises(SourceError, match="none of its 1 pictures is in the study's data set"):
        read_repaired(path, data)


def test_a_yolo_picture_without_a_label_file_was_not_looked_at_and_one_with_an_empty_file_was(data, tmp_path):
    folder = tmp_path / "yolo"
    export_dataset(data, folder, "yolo", copy=True)
    files = {path.stem: path for path in (folder / "labels").rglob("*.txt")}
    [first, second, third] = [files[stem] for stem in sorted(files)]
    first.unlink()
    assert third.read_text() == ""
    found = read_repaired(folder, data)
    assert sorted(found.images) == [1, 2]
    assert found.images[2] == []
    [told] = [one for one in found.problems if one.problem == "no label file"]
    assert told.file.endswith(f"{first.stem}.png")
    assert told.action.startswith("not taken as looked at; an empty label file")
    assert f"looked for ../yolo/labels/train/{first.name}" in told.action
    third.unlink()
    assert sorted(read_repaired(folder, data).images) == [1]
    second.unlink()
    with pytest.raises(SourceError, match=r"no known format|none of its 3 pictures has a label file"):
        read_repaired(folder, data)


def test_a_renamed_copy_is_known_by_its_contents(data, tmp_path):
    import hashlib
    import shutil

    digests = [hashlib.sha256((data.root / file).read_bytes()).hexdigest() for file in FILES]
    known = replace(data, sha256=np.array(digests, object))
    folder = tmp_path / "back/data"
    folder.mkdir(parents=True)
    shutil.copyfile(data.root / "b/1.png", folder / "task 7.png")
    (tmp_path / "back/labels.json").write_text(json.dumps({"classes": ["panda"], "labels": {"task 7": []}}))
    assert dict(read_repaired(tmp_path / "back", known).images) == {1: []}


def test_labels_without_pictures_are_known_by_the_names_that_an_export_or_upload_gave_them(data, tmp_path):
    """As from a tool that was given the pictures of an exported folder, or by Label Studio's COCO export."""
    names = ["0001_000030_c.png", "images/1f0c9b7a-c.png", "000030_c.png"]
    for name in names:
        image = {"id": 1, "file_name": name, "width": 50, "height": 50}
        box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
        content = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "panda"}]}
        (tmp_path / "back.json").write_text(json.dumps(content))
        assert dict(read_repaired(tmp_path / "back.json", data).images) == {2: [([1, 2, 4, 6], "panda", False)]}
    folder = tmp_path / "only labels"
    export_dataset(reordered(data, [2])[0], folder, "voc")
    for picture in (folder / "JPEGImages").iterdir():
        picture.unlink()
    assert dict(read_repaired(folder, data).images) == {2: []}
