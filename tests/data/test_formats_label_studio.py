"""Label Studio JSON: tasks and JSON-MIN, which annotation counts, how pictures are named, turned regions."""

import json

import cv2
import numpy as np
import pytest

from metricloop.data.formats import SourceError, read, recognise
from metricloop.data.formats.repair import repair


def put(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))


def region(x=10, y=20, w=30, h=40, label="cat", number="r1", **more):
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": more.pop("rotation", 0), "rectanglelabels": [label]}
    size = {"original_width": 200, "original_height": 100}
    return (
        {"id": number, "type": "rectanglelabels", "from_name": "label", "to_name": "image", "value": value}
        | size
        | more
    )


def task(image, *regions, **more):
    return {"id": 1, "data": {"image": image}, "annotations": [{"result": list(regions)}]} | more


def save(folder, *tasks):
    (folder / "export.json").write_text(json.dumps(tasks))


def told(source):
    return [(problem.problem, problem.action) for problem in source.problems]


def test_percent_become_pixels(tmp_path):
    put(tmp_path, ["a.jpg", "b.jpg"])
    save(tmp_path, task("a.jpg", region(), region(number="r2", label="dog", x=0.5)), task("b.jpg"))
    assert recognise(tmp_path) == recognise(tmp_path / "export.json") == "label-studio"
    source = read(tmp_path)
    assert (source.format, source.class_names, source.problems) == ("label-studio", ("cat", "dog"), ())
    first, second = source.records
    assert first.boxes.tolist() == [[20, 20, 80, 60], [1, 20, 61, 60]]
    assert (first.width, first.height, first.relative) == (200, 100, False)
    assert len(second.boxes) == 0


def test_shares_where_no_size_is_declared(tmp_path):
    put(tmp_path, ["a.jpg"])
    bare = {key: value for key, value in region().items() if not key.startswith("original")}
    save(tmp_path, task("a.jpg", bare))
    [record] = read(tmp_path).records
    assert record.relative
    assert repair(record, 200, 100)[0].boxes.tolist() == [[20, 20, 80, 60]]


@pytest.mark.parametrize(
    "name",
    [
        "/data/local-files/?d=one/a%20b.jpg",
        "/data/upload/3/1f0c9b7a-a b.jpg",
        "s3://bucket/train/one/a%20b.jpg",
        "https://host:8080/files/one/a b.jpg?token=1",
        "C:\\pics\\one\\a b.jpg",
    ],
)
def test_pictures_are_found_by_what_label_studio_was_given(tmp_path, name):
    put(tmp_path, ["one/a b.jpg", "other.jpg"])
    save(tmp_path, task(name, region()))
    [record] = read(tmp_path).records
    assert record.file == tmp_path / "one/a b.jpg"


def test_served_files_of_the_same_name_are_told_apart_by_their_folder(tmp_path):
    put(tmp_path, ["one/a.jpg", "two/a.jpg"])
    save(tmp_path, task("/data/local-files/?d=two/a.jpg", region()), task("/data/local-files/?d=one/a.jpg"))
    source = read(tmp_path)
    assert {record.file.parent.name: len(record.boxes) for record in source.records} == {"two": 1, "one": 0}


def test_a_name_that_begins_like_an_upload_is_taken_as_it_is_if_it_exists(tmp_path):
    put(tmp_path, ["deadbeef-a.jpg", "a.jpg"])
    save(tmp_path, task("/data/upload/1/deadbeef-a.jpg", region()))
    assert [record.file.name for record in read(tmp_path).records] == ["deadbeef-a.jpg"]


def test_the_newest_annotation_counts_and_skipped_ones_do_not(tmp_path):
    put(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    old = {"result": [region(x=1)], "updated_at": "2026-01-01T00:00:00Z"}
    new = {"result": [region(x=2)], "updated_at": "2026-02-01T00:00:00Z"}
    skipped = {"result": [region(x=3)], "updated_at": "2026-03-01T00:00:00Z", "was_cancelled": True}
    save(
        tmp_path,
        task("a.jpg") | {"annotations": [new, old, skipped]},
        task("b.jpg") | {"annotations": [skipped]},
        task("c.jpg") | {"annotations": [], "predictions": [{"result": [region()]}]},
    )
    source = read(tmp_path)
    assert [record.boxes.tolist() for record in source.records] == [[[4, 20, 64, 60]]]
    assert ("task without an annotation", "left out (2)") in told(source)
    assert ("several annotations of a task", "the newest taken (1)") in told(source)


def test_a_rectangle_is_turned_about_its_upper_left_corner(tmp_path):
    put(tmp_path, ["a.jpg"])
    save(tmp_path, task("a.jpg", region(x=50, y=50, w=20, h=10, rotation=90)))  # 40 x 10 px at (100, 50)
    source = read(tmp_path)
    assert source.records[0].boxes.round(6).tolist() == [[90, 50, 100, 90]]
    assert told(source) == [("turned box", "the box around it is taken, cat (1)")]


def test_other_regions(tmp_path):
    put(tmp_path, ["a.jpg"])
    size = {"original_width": 200, "original_height": 100}
    polygon = {
        "id": "p",
        "type": "polygonlabels",
        "value": {"points": [[10, 10], [20, 30], [5, 15]], "polygonlabels": ["cat"]},
    }
    ellipse = {
        "id": "e",
        "type": "ellipselabels",
        "value": {"x": 50, "y": 50, "radiusX": 5, "radiusY": 10, "ellipselabels": ["cat"]},
    }
    apart = [
        {"id": "s", "type": "rectangle", "value": {"x": 0, "y": 0, "width": 50, "height": 50}},
        {"id": "s", "type": "labels", "value": {"x": 0, "y": 0, "width": 50, "height": 50, "labels": ["dog"]}},
    ]
    brush = {"id": "b", "type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["cat"]}}
    bare = {"id": "n", "type": "rectangle", "value": {"x": 0, "y": 0, "width": 50, "height": 50}}
    choice = {"id": "c", "type": "choices", "value": {"choices": ["good"]}}
    save(tmp_path, task("a.jpg", *({**one, **size} for one in (polygon, ellipse, *apart, brush, bare, choice))))
    source = read(tmp_path)
    [record] = source.records
    assert record.boxes.tolist() == [[10, 10, 40, 30], [90, 40, 110, 60], [0, 0, 100, 50]]
    assert [source.class_names[label] for label in record.labels] == ["cat", "cat", "dog"]
    assert sorted(told(source)) == [
        ("region without a box", "dropped, brushlabels (1)"),
        ("unknown class", "dropped, region without a class (1)"),
    ]


def test_json_min_and_the_split(tmp_path):
    put(tmp_path, ["a.jpg"])
    value = region()["value"] | {"original_width": 200, "original_height": 100}
    save(
        tmp_path,
        {"image": "/data/upload/1/0a1b2c3d-a.jpg", "id": 1, "label": [value], "annotation_id": 3, "split": "val"},
    )
    source = read(tmp_path)
    [record] = source.records
    assert (record.boxes.tolist(), record.split) == ([[20, 20, 80, 60]], "search")


def test_what_cannot_be_used_is_listed_and_refused_only_if_nothing_is_left(tmp_path):
    put(tmp_path, ["a.jpg"])
    save(tmp_path, task("gone.jpg", region()), task("a.jpg", region()), "no task", {"data": {}, "annotations": []})
    source = read(tmp_path)
    assert len(source.records) == 1
    assert {problem for problem, _ in told(source)} == {"labels without picture", "task without a picture"}
    save(tmp_path, task("gone.jpg", region()))
    with pytest.raises(SourceError, match=r"from 1 Label Studio file\(s\)\..*labels without picture"):
        read(tmp_path)
