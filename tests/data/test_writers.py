"""Every format that is written: what is in the files, and what other tools find there."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml
from small_dataset import make

from metricloop.data import writers
from metricloop.data.fingerprint import fingerprint
from metricloop.data.formats.export import ExportError, export_dataset, format_of, joined, reordered, with_crowds
from metricloop.data.formats.picture_folder import made_of, picture_name
from metricloop.data.formats.writer import Notes, SeenBox, exact
from metricloop.data.formats.written import links_of

IMAGES = [(100, 50, "a", [(10, 5, 30.5, 25, 0), (0, 0, 100, 50, 1)]), (80, 40, "b", [(8, 4, 16, 12, 1)])]
NOTES = Notes(
    images={0: {"rank": 1, "suspected": "class, missing"}},
    boxes={0: {"rank": 1, "suspected": "class", "suspicion": 0.9}},
    seen={0: [SeenBox((10, 5, 60, 55), 1, 0.75)]},
)


FOLDERS = [("voc", "JPEGImages"), ("yolo", "images/train"), ("fiftyone", "data"), ("coco-folder", "train")]


@pytest.fixture
def data(tmp_path):
    """Two images of the pool; the second box of the first is a crowd region."""
    small = make(IMAGES)
    root = tmp_path / "originals"
    (root / "secret").mkdir(parents=True)
    for file in small.file:
        (root / file).write_bytes(b"picture")

    return replace(small, root=root, crowd=np.array([False, True, False]))


def test_the_form_follows_from_the_target_or_is_named():
    assert format_of(Path("a.json")) == "coco"
    assert format_of(Path("a.xml")) == "cvat"
    assert format_of(Path("a.b")) == "yolo"
    assert format_of(Path("a.json"), "label-studio") == "label-studio"
    assert format_of(Path("a"), "voc") == "voc"
    assert format_of(Path("a"), "coco") == "coco-folder"
    with pytest.raises(ExportError, match=r"CVAT is an \.xml file; name it so, for example a\.xml"):
        format_of(Path("a.json"), "cvat")
    with pytest.raises(ExportError, match=r"Pascal VOC is a folder, and a\.json has the name of a file"):
        format_of(Path("a.json"), "voc")
    with pytest.raises(ExportError, match="unknown format 'kitti'; known: coco, coco-folder, cvat"):
        format_of(Path("a"), "kitti")


@pytest.mark.parametrize("name", [name for name, _ in FOLDERS])
def test_a_folder_with_something_in_it_is_left_alone(data, tmp_path, name):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("x")
    with pytest.raises(ExportError, match="is not empty; name another folder"):
        export_dataset(data, tmp_path / "full", name)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("name", "place"), FOLDERS)
def test_pictures_are_linked_or_copied_under_names_that_tell_which_they_are(data, tmp_path, name, place):
    ranks = Notes(images={0: {"rank": 1}, 1: {"rank": 2}})
    export_dataset(data, tmp_path / "linked", name, ranks)
    linked = sorted((tmp_path / "linked" / place).iterdir())
    assert [path.name for path in linked] == ["0001_000010_0.jpg", "0002_000020_1.jpg"]
    assert [made_of(path.name) for path in linked] == [(10, "0.jpg"), (20, "1.jpg")]
    assert all(path.samefile(data.root / file) for path, file in zip(linked, data.file, strict=True))
    assert all(path.is_symlink() for path in linked)
    export_dataset(data, tmp_path / "copied", name, copy=True)
    copied = sorted((tmp_path / "copied" / place).iterdir())
    assert not any(path.is_symlink() for path in copied)
    assert [path.read_bytes() for path in copied] == [b"picture"] * 2
    export_dataset(data, tmp_path / "hard", name, hard=True)
    for row, path in enumerate(sorted((tmp_path / "hard" / place).iterdir())):
        assert not path.is_symlink()
        assert path.samefile(data.root / data.file[row])


def test_a_yolo_folder_with_the_pictures_in_it_can_move_and_one_of_links_names_its_place(data, tmp_path):
    """Without `path`, Ultralytics starts at the folder of data.yaml."""
    for name, options in (("linked", {}), ("copied", {"copy": True}), ("hard", {"hard": True})):
        export_dataset(data, tmp_path / name, "yolo", **options)
    found = {name: yaml.safe_load((tmp_path / name / "data.yaml").read_text()) for name in ("linked", "copied", "hard")}
    assert found["linked"]["path"] == str(tmp_path / "linked")
    assert "path" not in found["copied"]
    assert found["copied"] == found["hard"]


@pytest.mark.parametrize(("name", "place"), FOLDERS)
def test_links_leave_the_pictures_as_they_are_for_every_study_that_watches_them(data, tmp_path, name, place):
    before = fingerprint([data.root])
    export_dataset(data, tmp_path / "linked", name)
    export_dataset(data, tmp_path / "copied", name, copy=True)
    assert fingerprint([data.root]) == before
    assert links_of(tmp_path / "linked") == str(data.root)
    assert links_of(tmp_path / "copied") == ""


def test_a_coco_folder_has_a_file_and_a_folder_of_pictures_for_each_split(data, tmp_path):
    """The first image has a box and a crowd region; the second is of the search split."""
    mixed = replace(data, split=np.array(["pool", "search"], object))
    export_dataset(mixed, tmp_path / "c", "coco-folder")
    train, val = (
        json.loads((tmp_path / f"c/annotations/instances_{part}.json").read_text()) for part in ("train", "val")
    )
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["annotations", "train", "val"]
    assert [(image["id"], image["file_name"]) for image in train["images"]] == [(1, "000010_0.jpg")]
    assert [(image["id"], image["file_name"]) for image in val["images"]] == [(2, "000020_1.jpg")]
    assert [(entry["image_id"], entry["bbox"], entry["iscrowd"]) for entry in train["annotations"]] == [
        (1, [10, 5, 20.5, 20], 0), (1, [0, 0, 100, 50], 1),
    ]  # fmt: skip
    assert [(entry["id"], entry["image_id"], entry["bbox"]) for entry in val["annotations"]] == [(3, 2, [8, 4, 8, 8])]
    assert train["categories"] == val["categories"] == [{"id": 1, "name": "panda"}, {"id": 2, "name": "football"}]
    assert (tmp_path / "c/val/000020_1.jpg").samefile(data.root / data.file[1])


def test_a_picture_that_is_gone_is_named_when_it_cannot_be_copied(data, tmp_path):
    (data.root / data.file[1]).unlink()
    with pytest.raises(ExportError, match=r"1\.jpg cannot be copied to .*: No such file"):
        export_dataset(data, tmp_path / "copied", "yolo", copy=True)


def test_yolo_names_train_and_val_and_the_whole_path(data, tmp_path):
    folder = tmp_path / "a folder"
    said = export_dataset(data, folder, "yolo")
    content = yaml.safe_load((folder / "data.yaml").read_text())
    assert content == {
        "path": str(folder), "train": "train.txt", "val": "train.txt", "names": {0: "panda", 1: "football"}
    }  # fmt: skip
    assert "val is train" in (folder / "data.yaml").read_text()
    assert said == [
        "1 crowd region left out: YOLO has no place for them",
        f"train: yolo detect train 'data={folder / 'data.yaml'}' model=yolo11n.pt",
    ]
    assert (folder / "labels/train/000010_0.txt").read_text() == "0 0.2025 0.3 0.205 0.4\n"


def test_yolo_for_evaluation_has_an_empty_train_list(data, tmp_path):

    said = export_dataset(replace(data, split=np.array(["test", "search"], object)), tmp_path / "held", "yolo")
    content = yaml.safe_load((tmp_path / "held/data.yaml").read_text())
    assert [content[key] for key in ("train", "val", "test")] == ["train.txt", "val.txt", "test.txt"]
    assert (tmp_path / "held/train.txt").read_text() == ""
    assert (tmp_path / "held/test.txt").read_text() == "./images/test/000010_0.jpg\n"
    assert said[-1] == "train is empty: these images are for evaluation"


def test_voc_counts_pixels_from_one_and_calls_crowds_difficult(data, tmp_path):
    export_dataset(data, tmp_path / "voc", "voc", NOTES)
    root = ET.parse(tmp_path / "voc/Annotations/0001_000010_0.xml").getroot()
    assert root.findtext("filename") == "0001_000010_0.jpg"
    first, second = root.iter("object")
    assert [first.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")] == ["11", "6", "30.5", "25"]
    assert (first.findtext("difficult"), second.findtext("difficult")) == ("0", "1")
    noted = {item.findtext("name"): item.findtext("value") for item in first.iter("attribute")}
    assert noted == {"rank": "1", "suspected": "class", "suspicion": "0.9"}
    assert second.find("attributes") is None
    assert (tmp_path / "voc/ImageSets/Main/train.txt").read_text() == "0001_000010_0\n000020_1\n"


def test_coco_has_notes_as_attributes(data, tmp_path):
    export_dataset(data, tmp_path / "x.json", "coco", NOTES)
    content = json.loads((tmp_path / "x.json").read_text())
    assert [entry.get("attributes") for entry in content["annotations"]] == [dict(NOTES.boxes[0]), None, None]
    assert [entry.get("attributes") for entry in content["images"]] == [dict(NOTES.images[0]), None]


def test_cvat_describes_its_labels_and_tags_suspects(data, tmp_path):
    export_dataset(data, tmp_path / "x.xml", "cvat", NOTES)
    root = ET.parse(tmp_path / "x.xml").getroot()
    labels = {item.findtext("name"): item for item in root.iter("label")}
    assert [item.findtext("type") for item in labels.values()] == ["any", "any", "tag"]
    declared = [item.findtext("name") for item in labels["panda"].iter("attribute")]
    assert declared == ["is_crowd", "rank", "suspected", "suspicion"]
    first, second = root.iter("image")
    assert (first.get("name"), first.get("subset"), first.get("width")) == ("secret/0.jpg", "train", "100")
    assert first.find("tag").get("label") == "suspect"
    box = first.findall("box")[0]
    assert [box.get(side) for side in ("label", "xtl", "ytl", "xbr", "ybr")] == ["panda", "10", "5", "30.5", "25"]
    assert {item.get("name"): item.text for item in box} == {
        "is_crowd": "false", "rank": "1", "suspected": "class", "suspicion": "0.9"
    }  # fmt: skip
    assert first.findall("box")[1].findtext("attribute") == "true"
    assert second.find("tag") is None


def test_label_studio_has_percent_predictions_and_a_configuration(data, tmp_path):
    said = export_dataset(data, tmp_path / "x.json", "label-studio", NOTES)
    tasks = json.loads((tmp_path / "x.json").read_text())
    assert [task["data"]["image"] for task in tasks] == [f"/data/local-files/?d=secret/{k}.jpg" for k in range(2)]
    assert (tasks[0]["data"]["rank"], tasks[0]["data"]["suspected"]) == (1, "class, missing")
    first, crowd = tasks[0]["annotations"][0]["result"]
    value = first["value"]
    assert [value[key] for key in ("x", "y", "width", "height")] == [10, 10, 20.5, 40]
    assert (value["rectanglelabels"], first["original_width"], first["original_height"]) == (["panda"], 100, 50)
    assert first["meta"]["text"] == ["rank: 1", "suspected: class", "suspicion: 0.9"]
    assert crowd["meta"]["text"] == ["crowd"]
    [prediction] = tasks[0]["predictions"]
    [seen] = prediction["result"]
    assert (prediction["score"], seen["score"], seen["value"]["rectanglelabels"]) == (0.75, 0.75, ["football"])
    assert (seen["value"]["y"], seen["value"]["height"]) == (10, 90)  # cut at the edge of the picture
    assert "predictions" not in tasks[1]
    config = ET.parse(tmp_path / "x.config.xml").getroot()
    assert [item.get("value") for item in config.iter("Label")] == ["panda", "football"]
    assert config.find("RectangleLabels").get("name") == first["from_name"]
    assert config.find("Image").get("name") == first["to_name"]
    assert f"DOCUMENT_ROOT={data.root}" in said[1]


def test_fiftyone_has_shares_and_attributes(data, tmp_path):
    export_dataset(data, tmp_path / "fo", "fiftyone", NOTES)
    content = json.loads((tmp_path / "fo/labels.json").read_text())
    assert content["classes"] == ["panda", "football"]
    assert set(content["labels"]) == {path.stem for path in (tmp_path / "fo/data").iterdir()}
    first, crowd = content["labels"]["0001_000010_0"]
    assert (first["label"], first["bounding_box"]) == (0, [0.1, 0.1, 0.205, 0.4])
    assert (first["attributes"]["suspected"], first["attributes"]["iscrowd"]) == ("class", False)
    assert crowd["attributes"] == {"iscrowd": True}


def test_the_queue_is_a_table_that_no_spreadsheet_runs(data, tmp_path):
    notes = Notes(images={0: {"rank": 1, "suspected": "=cmd()"}, 1: {"rank": 2, "suspected": "missing"}},
                  boxes={2: {"rank": 2, "suspected": "placed"}})  # fmt: skip
    export_dataset(data, tmp_path / "yolo", "yolo", notes)
    with (tmp_path / "yolo/queue.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["picture"], row["box_id"], row["suspected"]) for row in rows] == [
        ("0001_000010_0.jpg", "", "'=cmd()"),
        ("0002_000020_1.jpg", "2", "placed"),
    ]


def test_numbers_are_written_short_and_whole():
    assert [exact(value) for value in (3.0, 0.1, np.float32(0.1), -2.5)] == ["3", "0.1", "0.10000000149011612", "-2.5"]


def test_parts_join_and_images_are_put_in_another_order(data):
    turned, boxes = reordered(data, [1, 0])
    assert turned.image_id.tolist() == [20, 10]
    assert boxes.tolist() == [2, 0, 1]
    assert turned.counts.tolist() == [1, 2]
    assert turned.box_id.tolist() == [2, 0, 1]
    both = joined([turned, data])
    assert both.image_id.tolist() == [20, 10, 10, 20]
    assert both.counts.tolist() == [1, 2, 2, 1]
    assert both.box_row.tolist() == [0, 1, 1, 2, 2, 3]


def test_crowd_regions_come_back_to_the_images_that_were_chosen(data):
    objects, _ = reordered(data, [0])

    bare = replace(
        objects, **{name: getattr(objects, name)[:1] for name in ("box_id", "boxes", "labels", "crowd")},
        offsets=np.array([0, 1]),
    )  # fmt: skip
    again = with_crowds(bare, data)
    assert again.crowd.tolist() == [False, True]
    assert again.boxes.tolist() == data.boxes[:2].tolist()
    assert again.counts.tolist() == [2]


def test_every_writer_is_listed_and_has_a_name_for_people():
    assert writers.NAMES == ("coco", "coco-folder", "cvat", "fiftyone", "label-studio", "voc", "yolo")
    assert picture_name(make(IMAGES), Notes(), 0) == "000010_0.jpg"
