"""Crowd regions of a data set on their whole way: ingest, the counts that people see, the report, every export."""

import json

import numpy as np
import pytest
from PIL import Image

from metricloop.cli.main import main
from metricloop.cli.status_lines import describe_splits
from metricloop.data.damage_presets import Corrupt
from metricloop.data.formats import read
from metricloop.data.formats.repaired import read_repaired
from metricloop.data.ingest import ingest, write
from metricloop.data.loading import load
from metricloop.data.summary import describe
from metricloop.report.data_section import class_counts, split_counts

SPLITS = ["train"] * 4 + ["val"] * 2 + ["test"] * 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace after ingest: eight pictures with a lion each; the first, fifth and sixth have a herd as well, and
    the second has nothing but a herd."""
    folder = tmp_path_factory.mktemp("ws")
    rng = np.random.default_rng(1)
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "lion"}, {"id": 2, "name": "zebra"}]}
    (folder / "set").mkdir()
    for k, split in enumerate(SPLITS):
        noise = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"set/{k}.png")
        content["images"].append({"id": k, "file_name": f"{k}.png", "width": 60, "height": 40, "split": split})
        boxes = [] if k == 1 else [([5, 5, 10, 12], 1, 0)]
        boxes += [([20, 10, 30, 20], 2, 1)] if k in (0, 1, 4, 5) else []
        for box, label, crowd in boxes:
            entry = {"image_id": k, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd}
            content["annotations"].append(entry | {"id": len(content["annotations"]) + 1})
    (folder / "set/annotations.json").write_text(json.dumps(content))
    (folder / "params.yaml").write_text(
        f"study: {{name: s}}\ndata: {{source: {folder / 'set'}, root: {folder / 'set'}}}\n"
    )
    (folder / "arms.yaml").write_text("arms: {}\n")
    tables = ingest(read(folder / "set"), folder / "set", corrupt=Corrupt())
    write(tables, folder / "data")
    return folder


def test_they_are_counted_apart(folder):
    summary = json.loads((folder / "data/summary.json").read_text())
    assert describe_splits(summary) == (
        "pool 4 images, 3 boxes and 2 crowd regions; search 2 images, 2 boxes and 2 crowd regions; "
        "test 2 images, 2 boxes"
    )
    assert "11 boxes" in describe(summary)
    assert "4 boxes are crowd regions, which do not count" in describe(summary)
    assert summary["splits"]["pool"]["per_class"] == {"lion": 3, "zebra": 0}
    assert summary["splits"]["pool"]["images_without_boxes"] == 1  # a herd alone is no object


def test_the_report_counts_them_apart(folder):
    data = load(folder / "data", folder / "set")
    rows = [(row["name"], row["boxes"], row["crowd"], row["empty"]) for row in split_counts(data)]
    assert rows == [("pool", 3, 2, 1), ("search", 2, 2, 0), ("test", 2, 0, 0)]
    assert class_counts(data) == [
        {"name": "lion", "pool": 3, "search": 2, "test": 2},
        {"name": "zebra", "pool": 0, "search": 0, "test": 0},
    ]


@pytest.mark.parametrize(
    ("form", "target"),
    [("coco", "p.json"), ("cvat", "p.xml"), ("label-studio", "ls.json"), ("voc", "voc"), ("fiftyone", "fo")],
)
def test_every_format_that_knows_them_keeps_them(folder, tmp_path, capsys, form, target):
    where = tmp_path / target
    assert main(["export", "pool", str(where), "--format", form, "-C", str(folder)]) == 0
    assert "4 images, 3 boxes, 2 crowd regions as" in capsys.readouterr().out
    data = load(folder / "data", folder / "set")
    found = read_repaired(where, data, form).images
    crowds = {str(data.file[row]): [name for _, name, crowd in own if crowd] for row, own in found.items()}
    assert crowds == {"0.png": ["zebra"], "1.png": ["zebra"], "2.png": [], "3.png": []}
    boxes = [name for own in found.values() for _, name, crowd in own if not crowd]
    assert boxes == ["lion"] * 3


def test_yolo_leaves_them_out_and_says_so(folder, tmp_path, capsys):
    assert main(["export", "pool", str(tmp_path / "y"), "--format", "yolo", "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "4 images, 3 boxes, 2 crowd regions as YOLO" in out
    assert "4 crowd regions left out: YOLO has no place for them" in out  # those of the search split, too
    lines = [line for file in (tmp_path / "y/labels/train").iterdir() for line in file.read_text().splitlines()]
    assert [line.split()[0] for line in lines] == ["0"] * 3
