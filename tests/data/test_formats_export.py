"""Export to COCO and YOLO, and what comes back when the result is read."""

import json

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO

from metricloop.data.formats import read
from metricloop.data.formats.export import ExportError, export_dataset, of_subset
from metricloop.data.formats.repair import repair
from metricloop.data.formats.written import links_of
from metricloop.data.loading import assemble
from metricloop.data.tables import BOXES, IMAGES, SUBSET

FILES = ["a/1.png", "b/1.png", "c.png"]  # two share a name


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "originals"
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / file), np.zeros((30, 40, 3), np.uint8))
    images = pa.table(
        {
            "image_id": [1, 2, 3], "file": FILES, "sha256": ["", "", ""], "width": [40] * 3, "height": [30] * 3,
            "group": ["v", "v", "c.png"], "split": ["pool", "search", "test"],
        }
    ).cast(IMAGES)  # fmt: skip
    boxes = pa.table(
        {
            "box_id": [1, 2, 3], "image_id": [1, 1, 2], "x1": [1.5, 2.1, 0.0], "y1": [2.0, 3.3, 0.0],
            "x2": [9.25, 7.7, 40.0], "y2": [8.0, 9.9, 30.0], "label": [0, 1, 1], "crowd": [False, True, False],
        }
    ).cast(BOXES)  # fmt: skip
    return assemble(images, boxes, ("panda", "red panda"), root)


def test_coco_reads_back_the_same(data, tmp_path):
    path = tmp_path / "elsewhere/deep/labels.json"
    export_dataset(data, path, "coco")
    source = read(path, outside=True)
    assert source.problems == ()
    assert source.class_names == data.class_names
    assert [record.file for record in source.records] == [data.root / file for file in FILES]
    assert [record.split for record in source.records] == ["pool", "search", "test"]
    assert [record.group for record in source.records] == ["v", "v", "c.png"]
    for row, record in enumerate(source.records):
        own = data.slice(row)
        assert np.array_equal(record.boxes.astype(np.float32), data.boxes[own])
        assert np.array_equal(record.labels, data.labels[own])
        assert np.array_equal(record.crowd, data.crowd[own])


def test_coco_is_what_pycocotools_expects(data, tmp_path):
    export_dataset(data, tmp_path / "x.json", "coco")
    content = json.loads((tmp_path / "x.json").read_text())
    assert [entry["id"] for entry in content["annotations"]] == [1, 2, 3]
    assert content["annotations"][0]["area"] == pytest.approx(7.75 * 6)
    api = COCO(tmp_path / "x.json")
    assert api.getAnnIds(imgIds=[1]) == [1, 2]
    assert not any(path.name.endswith(".png") for path in tmp_path.glob("*"))  # nothing copied


def test_yolo_reads_back_the_same_without_crowds(data, tmp_path):
    folder = tmp_path / "yolo"
    export_dataset(data, folder, "yolo")
    source = read(folder, outside=[links_of(folder)])
    assert source.problems == ()
    assert source.class_names == data.class_names
    assert [record.split for record in source.records] == ["pool", "search", "test"]
    assert all(record.file.samefile(data.root / file) for record, file in zip(source.records, FILES, strict=True))
    for row, record in enumerate(source.records):
        own = data.slice(row)
        kept = ~data.crowd[own]
        fixed, _ = repair(record, 40, 30)
        np.testing.assert_allclose(fixed.boxes, data.boxes[own][kept], atol=1e-5)
        assert fixed.labels.tolist() == data.labels[own][kept].tolist()
    with pytest.raises(ExportError, match="is not empty"):
        export_dataset(data, folder, "yolo")


def subset(*rows):
    """rows: (draw, image_id, box_id, x1, label, use)."""
    columns = list(zip(*rows, strict=True))
    side = [None if x is None else x + 5.0 for x in columns[3]]
    return pa.table(
        {
            "draw": columns[0], "image_id": columns[1], "box_id": columns[2], "x1": columns[3], "y1": columns[3],
            "x2": side, "y2": side, "label": columns[4], "use": columns[5],
        }
    ).cast(SUBSET)  # fmt: skip


def test_a_draw_of_a_subset_carries_its_own_labels(data, tmp_path):
    table = subset(
        (0, 1, 1, 1.0, 0, "keep"),
        (1, 3, None, None, None, "none"),
        (1, 1, 2, 8.0, 0, "mask"),
        (1, 1, 1, 6.0, 1, "keep"),
    )
    chosen = of_subset(data, table, draw=1)
    assert chosen.file.tolist() == ["a/1.png", "c.png"]
    assert chosen.counts.tolist() == [2, 0]
    assert chosen.boxes.tolist() == [[6, 6, 11, 11], [8, 8, 13, 13]]
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.crowd.tolist() == [False, True]
    export_dataset(chosen, tmp_path / "x.json", "coco")
    assert [len(record.boxes) for record in read(tmp_path / "x.json").records] == [2, 0]
    with pytest.raises(ExportError, match="no draw 7; it has 0, 1"):
        of_subset(data, table, draw=7)
    with pytest.raises(ExportError, match="names image 9"):
        of_subset(data, subset((0, 9, 1, 1.0, 0, "keep")))
