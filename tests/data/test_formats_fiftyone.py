"""FiftyOne's labels.json with pictures in data/."""

import json

import cv2
import numpy as np
import pytest

from metricloop.data.formats import SourceError, read, recognise


def put(folder, *names):
    for name in names:
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))


def save(folder, labels, **more):
    (folder / "labels.json").write_text(json.dumps(more | {"labels": labels}))


def test_numbers_and_names_of_classes(tmp_path):
    put(tmp_path, "a.jpg", "deep/b.c.jpg", "d.jpg")
    box = {"bounding_box": [0.1, 0.2, 0.3, 0.4]}
    save(
        tmp_path,
        {"a": [{"label": 1, **box, "attributes": {"iscrowd": True}}], "deep/b.c": [{"label": "cow", **box}], "d": []},
        classes=["cat", "dog"],
    )
    assert recognise(tmp_path) == recognise(tmp_path / "labels.json") == "fiftyone"
    source = read(tmp_path)
    assert (source.class_names, source.problems) == (("cat", "dog", "cow"), ())
    assert [record.file.name for record in source.records] == ["a.jpg", "b.c.jpg", "d.jpg"]
    first, second, third = source.records
    assert first.relative
    assert first.boxes.round(9).tolist() == [[0.1, 0.2, 0.4, 0.6]]
    assert (first.labels.tolist(), first.crowd.tolist()) == ([1], [True])
    assert second.labels.tolist() == [2]
    assert len(third.boxes) == 0


def test_what_cannot_be_used_is_listed(tmp_path):
    put(tmp_path, "a.jpg", "two.jpg", "two.png")
    good = {"label": 0, "bounding_box": [0, 0, 1, 1]}
    bad = [{"label": 7, "bounding_box": [0, 0, 1, 1]}, {"label": 0, "bounding_box": [0, 0, 1]}, {"label": 0}, "x", good]
    save(tmp_path, {"a": bad, "gone": [good], "two": [good]}, classes=["cat"])
    source = read(tmp_path)
    assert [len(record.boxes) for record in source.records] == [1]
    kinds = [problem.problem for problem in source.problems]
    assert kinds.count("unknown class") == 2
    assert kinds.count("box is not four numbers") == 2
    assert kinds.count("labels without picture") == 2  # a name that two pictures have is not guessed


def test_refused_with_the_reason(tmp_path):
    save(tmp_path, {"gone": []}, classes=["cat"])
    with pytest.raises(SourceError, match=r"no picture of 1 entries can be used\..*labels without picture"):
        read(tmp_path)
