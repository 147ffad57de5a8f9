"""COCO JSON: layouts, oddities of exporters, and files that are broken."""

import json

import cv2
import numpy as np
import pytest

from metricloop.data.formats import SourceError, read, recognise
from metricloop.data.formats.broken_json import salvage


def picture(path, width=40, height=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))


def coco(images, annotations, categories=({"id": 7, "name": "panda"}, {"id": 9, "name": "zebra"})):
    return {"images": images, "annotations": annotations, "categories": list(categories)}


def image(number, name, **more):
    return {"id": number, "file_name": name, "width": 40, "height": 30, **more}


def box(number, owner, xywh, category=7, **more):
    return {"id": number, "image_id": owner, "category_id": category, "bbox": xywh, **more}


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def kinds(source):
    return [problem.problem for problem in source.problems]


def test_boxes_classes_splits_groups_and_lookalikes(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / f"images/{name}.png")
    content = coco(
        [image(1, "a.png", split="train", video_id=5, lookalikes=[[1, 2, 3, 4]]), image(2, "b.png", split="val")],
        [box(1, 1, [2, 3, 10, 5]), box(2, 1, [0, 0, 4, 4], category=9, iscrowd=1)],
    )
    source = read(save(tmp_path / "annotations.json", content))
    first, second = source.records
    assert source.class_names == ("panda", "zebra")
    assert first.file == tmp_path / "images/a.png"
    assert first.boxes.tolist() == [[2, 3, 12, 8], [0, 0, 4, 4]]
    assert first.labels.tolist() == [0, 1]
    assert first.crowd.tolist() == [False, True]
    assert (first.split, first.group, first.width, first.height) == ("pool", "5", 40, 30)
    assert first.lookalikes.tolist() == [[1, 2, 4, 6]]
    assert (second.split, second.group, len(second.boxes)) == ("search", None, 0)
    assert source.problems == ()


def test_folder_of_coco_itself_with_equal_names_in_both_splits(tmp_path):
    for part, width in (("train2017", 40), ("val2017", 20)):
        picture(tmp_path / part / "1.png", width)
        save(tmp_path / f"annotations/instances_{part}.json", coco([image(1, "1.png")], [box(1, 1, [1, 1, 2, 2])]))
        save(tmp_path / f"annotations/captions_{part}.json", {"images": [], "annotations": []})
    assert recognise(tmp_path) == "coco"
    source = read(tmp_path)
    assert {(r.split, r.file.relative_to(tmp_path).as_posix()) for r in source.records} == {
        ("pool", "train2017/1.png"),
        ("search", "val2017/1.png"),
    }


def test_folder_of_roboflow_drops_the_parent_class(tmp_path):
    categories = [
        {"id": 0, "name": "animals", "supercategory": "none"},
        {"id": 1, "name": "lion", "supercategory": "animals"},
    ]
    for part in ("train", "valid", "test"):
        picture(tmp_path / part / f"{part}.png")
        content = coco([image(0, f"{part}.png")], [box(0, 0, [1, 1, 2, 2], category=1)], categories)
        save(tmp_path / part / "_annotations.coco.json", content)
    source = read(tmp_path)
    assert source.class_names == ("lion",)
    assert sorted(record.split for record in source.records) == ["pool", "search", "test"]


def test_categories_filter_keeps_true_background_only(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    content = coco(
        [image(1, "a.png"), image(2, "b.png"), image(3, "c.png")],
        [box(1, 1, [1, 1, 5, 5], category=9), box(2, 1, [2, 2, 5, 5]), box(3, 2, [1, 1, 5, 5])],
    )
    path = save(tmp_path / "x.json", content)
    source = read(path, categories=["zebra"])
    assert source.class_names == ("zebra",)
    assert [(r.file.name, r.labels.tolist()) for r in source.records] == [("a.png", [0]), ("c.png", [])]
    with pytest.raises(SourceError, match=r"lion.*panda, zebra"):
        read(path, categories=["lion"])


def test_every_bad_entry_is_listed_and_the_rest_is_kept(tmp_path):
    for name in ("a", "b", "c", "unnamed"):
        picture(tmp_path / f"{name}.png")
    content = coco(
        [
            image(1, "a.png"),
            image(1, "a.png"),  # the same entry again
            image(2, "gone.png"),
            image(3, "b.png"),
            image(3, "c.png"),  # one id, two pictures
            {"id": 4},
            image(5, "../../../../../../nowhere/x.png"),
        ],
        [
            box(1, 1, [1, 1, 5, 5]),
            box(1, 1, [1, 1, 5, 5]),  # the same annotation again
            box(1, 1, [2, 2, 5, 5]),  # its id for another box
            box(2, 1, [2, 2, 5, 5], category=99),
            box(3, 77, [2, 2, 5, 5]),
            box(4, 1, [2, 2, "x", 5]),
            box(5, 1, [2, 2, 5]),
            box(6, 2, [2, 2, 5, 5]),
            box(7, 3, [2, 2, 5, 5]),
            {"id": 8, "image_id": 1, "category_id": 7, "segmentation": [[3, 4, 9, 4, 9, 8]]},
            {"id": 9, "image_id": 1, "category_id": 7},
        ],
    )
    source = read(save(tmp_path / "x.json", content))
    assert [record.file.name for record in source.records] == ["a.png"]
    assert source.records[0].boxes.tolist() == [[1, 1, 6, 6], [2, 2, 7, 7], [3, 4, 9, 8]]
    assert sorted(kinds(source)) == sorted(
        [
            "doubled image entry",
            "image id used twice",
            "image entry without id or file name",
            "doubled annotation entry",
            "doubled annotation id",
            "unknown class",
            "annotation of an unknown or left-out image",
            "annotation of an unknown or left-out image",
            "box is not four numbers",
            "box is not four numbers",
            "box is not four numbers",
            "labels without picture",
            "labels without picture",
            "picture without labels",
            "picture without labels",
            "picture without labels",
        ]
    )
    assert all(problem.file and problem.action for problem in source.problems)


def test_file_cut_in_half_keeps_pictures_whose_labels_are_whole(tmp_path):
    for number in range(6):
        picture(tmp_path / f"{number}.png")
    content = coco(
        [image(number, f"{number}.png") for number in range(6)],
        [box(2 * n + k, n, [1 + k, 1, 5, 5]) for n in range(5) for k in range(2)],
    )
    order = {key: content[key] for key in ("categories", "images", "annotations")}
    text = json.dumps(order)
    at = text.index('"image_id": 3')  # in the middle of the first annotation of picture 3
    (tmp_path / "x.json").write_text(text[:at])
    source = read(tmp_path / "x.json")
    # 2 was the last one labelled, so it may lack boxes; 3 and 4 lost theirs; 5 is indistinguishable from them
    assert [record.file.name for record in source.records] == ["0.png", "1.png"]
    assert [len(record.boxes) for record in source.records] == [2, 2]
    assert "annotation file cut off or damaged" in kinds(source)


def test_file_cut_before_its_categories_takes_them_from_its_sibling(tmp_path):
    for part in ("train", "val"):
        for number in range(3):
            picture(tmp_path / part / f"{part}{number}.png")
        content = coco(
            [image(n, f"{part}{n}.png") for n in range(3)], [box(n, n, [1, 1, 5, 5], category=9) for n in range(3)]
        )
        text = json.dumps(content)
        path = tmp_path / f"annotations/instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text[: text.index('"categories"')] if part == "train" else text)
    source = read(tmp_path)
    assert {source.class_names[label] for record in source.records for label in record.labels} == {"zebra"}


def test_nothing_usable_is_an_error_with_the_reasons(tmp_path):
    path = save(tmp_path / "x.json", coco([image(1, "gone.png")], [box(1, 1, [1, 1, 2, 2])]))
    with pytest.raises(SourceError, match=r"gone\.png: labels without picture"):
        read(path)
    path.write_text('{"images": [{"id": 1, "file_na')
    with pytest.raises(SourceError, match="no picture with labels"):
        read(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [{"x": 1}, {"x": 2}, {"x"', {"a": [{"x": 1}, {"x": 2}]}),
        ('{"a": [{"x": [1, 2', None),  # nothing whole yet
        ('{"a": [{"x": "]}{"}], "b": [{"y": "\\"}', {"a": [{"x": "]}{"}]}),  # brackets and quotes in strings
        ('{"v": {"one": {"k": [1]}, "two": {"k": [', {"v": {"one": {"k": [1]}}}),
        ("", None),
    ],
)
def test_salvage_keeps_whole_entries(text, expected):
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    assert salvage(text, error.value.pos) == expected


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_salvage_never_invents(cut):
    content = coco([image(n, f"{n}.png") for n in range(3)], [box(n, n, [1, 1, 5, 5]) for n in range(3)])
    text = json.dumps(content)[:cut]
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    for key, entries in (salvage(text, error.value.pos) or {}).items():
        assert entries == content[key][: len(entries)]
