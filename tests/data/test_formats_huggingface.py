"""Hugging Face's layouts: Parquet files with pictures, metadata.jsonl, and tars with a .json for each picture."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from coco_set import make_set, noise, write
from packed_set import BOX, one_box, pack, parquet, samples

from metricloop.data import door
from metricloop.data.formats import SourceError, huggingface_rows, matching, read, recognise
from metricloop.data.pictures import PictureError, read_picture


def test_parquet_files_with_pictures(tmp_path):
    for part, rows in (("train", slice(0, 8)), ("test", slice(8, 10))):
        own = samples(10)[rows]
        objects = [{"bbox": [BOX, [1, 2, 3, 4]], "category": [1, 0]}] * len(own)
        parquet(tmp_path / f"data/{part}-00000-of-00001.parquet", own, objects, ["cat", "lion"])
    assert recognise(tmp_path) == "huggingface"
    source = read(tmp_path)
    assert (source.class_names, source.problems) == (("cat", "lion"), ())
    assert sorted(str(record.split) for record in source.records) == ["pool"] * 8 + ["test"] * 2
    first = source.records[2]
    assert first.file.parts[-3:] == ("data", "test-00000-of-00001.parquet", "00000000.jpg") or first.split == "pool"
    assert first.boxes.tolist() == [[5, 6, 15, 18], [1, 2, 4, 6]]
    assert first.labels.tolist() == [1, 0]
    stored = dict(enumerate(data for _, data in samples(10)))
    for record in source.records:
        row = int(record.file.stem) + (8 if record.split == "test" else 0)
        assert door.read_bytes(record.file) == stored[row]


@pytest.mark.parametrize(
    "objects",
    [
        [{"bbox": BOX, "category": "lion"}],
        {"bbox": [BOX], "categories": ["lion"]},
        {"boxes": [BOX], "label": ["lion"], "iscrowd": [0]},
        [{"bbox": BOX, "class_name": "lion"}],
    ],
)
@pytest.mark.parametrize("key", ["objects", "annotations", "anything"])
def test_objects_as_a_list_or_as_lists(objects, key, tmp_path):
    lines = []
    for number in range(4):
        noise(tmp_path / f"{number}.jpg", number)
        lines.append(json.dumps({"file_name": f"{number}.jpg", key: objects}))
    (tmp_path / "metadata.jsonl").write_text("\n".join([*lines, "", "{broken", '{"file_name": "gone.jpg"}']))
    assert recognise(tmp_path) == "huggingface"
    source = read(tmp_path)
    assert source.class_names == ("lion",)
    assert [record.boxes.tolist() for record in source.records] == [[[5, 6, 15, 18]]] * 4
    assert [(os.path.basename(one.file), one.problem) for one in source.problems] == [
        ("metadata.jsonl", "line cannot be read"),
        ("gone.jpg", "labels without picture"),
    ]


def test_a_json_for_each_picture_of_a_tar(tmp_path):
    folder = tmp_path / "set"
    for number in range(6):
        noise(folder / f"{number:03}.v1.jpg", number)
        write(folder / f"{number:03}.json", {"objects": [{"bbox": BOX, "category_id": 7}] * (number % 2)})
    noise(folder / "alone.jpg", 99)
    pack(folder, tmp_path / "shards/train-0.tar")
    pack(folder, tmp_path / "shards/val-0.tar", {"001.v1.jpg", "001.json"})
    assert recognise(tmp_path / "shards") == "huggingface"
    source = read(tmp_path / "shards")
    assert source.class_names == ("category_7",)
    own = {(record.file.parent.name, record.file.name): (len(record.boxes), record.split) for record in source.records}
    assert own == {("train-0.tar", f"{k:03}.v1.jpg"): (k % 2, "pool") for k in range(6)} | {
        ("val-0.tar", "001.v1.jpg"): (1, "search")
    }
    assert [(os.path.basename(one.file), one.problem) for one in source.problems] == [
        ("alone.jpg", "picture without labels")
    ]


@pytest.mark.parametrize(
    ("stated", "meant", "said"),
    [
        ([22, 6, 30, 18], [22, 6, 30, 18], "boxes read as corners (x1, y1, x2, y2)"),
        ([10, 6, 30, 18], [10, 6, 40, 24], ""),
        ([0.25, 0.5, 0.5, 0.25], [0.25, 0.5, 0.75, 0.75], ""),
        ([0.5, 0.5, 0.75, 0.75], [0.5, 0.5, 0.75, 0.75], "boxes read as corners (x1, y1, x2, y2)"),
    ],
)
def test_what_four_numbers_mean_is_told_by_the_pictures(stated, meant, said, tmp_path):
    parquet(tmp_path / "a.parquet", samples(4), one_box(4, [float(x) for x in stated]), ["lion"])
    source = read(tmp_path)
    assert source.records[0].boxes.tolist() == [meant]
    assert source.records[0].relative == (max(stated) <= 1)
    assert [problem.problem for problem in source.problems] == [said] * bool(said)


def test_a_few_wrong_boxes_do_not_change_what_the_numbers_mean(tmp_path):
    objects = [*one_box(19), *one_box(1, [30, 20, 30, 20])]  # the last one leaves its picture of 40 x 30
    parquet(tmp_path / "a.parquet", samples(20), objects, ["lion"])
    assert read(tmp_path).records[0].boxes.tolist() == [[5, 6, 15, 18]]


def test_rows_without_a_usable_label_or_picture(tmp_path):
    objects = [
        {"bbox": [BOX], "category": [9]},
        {"bbox": [[1, 2, 3]], "category": [0]},
        {"bbox": [], "category": []},
        {"bbox": None, "category": None},
        {"bbox": [BOX, BOX], "category": [0]},
    ]
    pictures = samples(5)
    pictures[0] = ("0.jpg", None)
    parquet(tmp_path / "a.parquet", pictures, objects, ["lion"])
    source = read(tmp_path)
    assert source.class_names == ("lion", "category_9")
    assert [len(record.boxes) for record in source.records] == [1, 0, 0, 0, 1]
    assert sorted(problem.problem for problem in source.problems) == ["box is not four numbers", "unknown class"]
    with pytest.raises(PictureError, match="its row holds no picture"):
        read_picture(source.records[0].file)


def test_parquet_files_without_pictures_or_boxes_are_no_data_set(tmp_path):
    pq.write_table(pa.table({"image_id": [1], "bbox": [[1.0, 2.0, 3.0, 4.0]]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"image": [b"x"], "text": ["a lion"]}), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(SourceError, match="holds no known format") as told:
        read(tmp_path)
    assert "c.parquet: file is not opened, left out (no Parquet file, or a damaged one" in str(told.value)


LIONS = {"names": ["cat", "lion"], "_type": "ClassLabel"}
POSES = {"names": ["left", "right"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    ("columns", "features"),
    [
        (
            {"objects": {"pose": [0], "bbox": [BOX], "category": [1]}},
            {"objects": {"pose": {"feature": POSES, "_type": "List"}, "category": {"feature": LIONS, "_type": "List"}}},
        ),
        (
            {"objects": [{"pose": 0, "bbox": BOX, "category": 1}]},
            {"objects": [{"pose": POSES, "category": LIONS}]},
        ),
        (
            {"objects": {"pose": [0], "bbox": [BOX], "label": [1]}},
            {"objects": {"feature": {"pose": POSES, "label": LIONS}, "length": -1, "_type": "Sequence"}},
        ),
        ({"label": [0], "bbox": [BOX], "category": [1]}, {"label": {"feature": POSES}, "category": {"feature": LIONS}}),
        ({"bbox": BOX, "label": 1}, {"label": LIONS}),
    ],
)
def test_names_are_those_of_the_class_and_of_nothing_else(columns, features, tmp_path):
    own = {name: pa.array([value] * 4) for name, value in columns.items()}
    pictures = pa.array([{"bytes": data, "path": name} for name, data in samples(4)])
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.table({"image": pictures, **own}).replace_schema_metadata(told), tmp_path / "a.parquet")
    source = read(tmp_path)
    assert (source.class_names, source.problems) == (("cat", "lion"), ())
    assert [(own.boxes.tolist(), own.labels.tolist()) for own in source.records] == [([[5, 6, 15, 18]], [1])] * 4


def test_a_class_of_minus_1_is_none_and_a_box_of_named_corners_is_listed(tmp_path):
    parquet(tmp_path / "a/a.parquet", samples(4), [*one_box(3), *one_box(1, category=-1)], ["lion"])
    source = read(tmp_path / "a")
    assert source.class_names == ("lion",)
    assert [(one.problem, one.action) for one in source.problems] == [("unknown class", "dropped (00000003.jpg)")]
    pictures = pa.array([{"bytes": data, "path": name} for name, data in samples(4)])
    corners = pa.array([{"x_min": 5, "y_min": 6, "x_max": 15, "y_max": 18}] * 4)
    (tmp_path / "b").mkdir()
    pq.write_table(pa.table({"image": pictures, "bbox": corners, "label": [0] * 4}), tmp_path / "b/b.parquet")
    assert [one.problem for one in read(tmp_path / "b").problems] == ["box is not four numbers"] * 4


@pytest.mark.parametrize("odd", [[0.0, 0.5, 1.002, 0.5], [float("nan")] * 4])
def test_shares_of_which_one_is_odd_are_shares(odd, tmp_path):
    objects = [*one_box(19, [0.25, 0.5, 0.5, 0.25]), *one_box(1, odd)]
    parquet(tmp_path / "a.parquet", samples(20), objects, ["lion"])
    assert {record.relative for record in read(tmp_path).records} == {True}


def test_several_pictures_and_json_files_of_one_name_in_a_tar(tmp_path):
    for number in range(4):
        for end in ("jpg", "mask.png", "png"):
            noise(tmp_path / f"set/{number:03}.{end}", number)
        write(tmp_path / f"set/{number:03}.meta.json", {"license": 1})
        write(tmp_path / f"set/{number:03}.json", {"objects": [{"bbox": BOX, "label": "lion"}] if number else None})
    source = read(pack(tmp_path / "set", tmp_path / "a.tar"))
    assert [record.file.name for record in source.records] == ["001.jpg", "002.jpg", "003.jpg"]
    told = {(os.path.basename(one.file), one.problem) for one in source.problems}
    assert told == {(f"{k:03}.{end}", "picture without labels") for k in range(4) for end in ("mask.png", "png")} | {
        ("000.json", "label file cannot be read"),
        ("000.jpg", "picture without labels"),
    }


def test_lines_of_metadata_end_where_lines_of_json_do(tmp_path):
    for number in range(3):
        noise(tmp_path / f"{number}.jpg", number)
    lines = [
        {"file_name": f"{k}.jpg", "text": "\u2028\x85", "objects": [{"bbox": BOX, "label": "lion"}] if k else None}
        for k in range(3)
    ]
    (tmp_path / "metadata.jsonl").write_text("\r\n".join(json.dumps(one, ensure_ascii=False) for one in lines))
    source = read(tmp_path)
    assert ([len(record.boxes) for record in source.records], source.problems) == ([0, 1, 1], ())


def test_labels_that_are_too_many_are_refused(tmp_path, monkeypatch):
    parquet(tmp_path / "a.parquet", samples(8), one_box(8), ["lion"])
    monkeypatch.setattr(huggingface_rows, "LABELS", 39)
    with pytest.raises(SourceError, match="40 values in its labels; at most 39 are read"):
        read(tmp_path)


def test_a_data_set_of_another_format_stays_so_with_a_copy_beside_it(tmp_path):
    make_set(tmp_path, 4)
    parquet(tmp_path / "data/train.parquet", samples(4), one_box(4), ["lion"])
    lines = [json.dumps({"file_name": f"images/{k}.jpg", "objects": {"bbox": [BOX]}}) for k in range(4)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert recognise(tmp_path) == "coco"
    assert matching(tmp_path) == ["coco", "huggingface"]


def test_an_object_with_two_columns_of_one_name_is_refused_in_words(tmp_path):
    boxes, classes = pa.array([[BOX]] * 2), pa.array([[0]] * 2)
    objects = pa.StructArray.from_arrays([boxes, classes, classes], ["bbox", "category", "category"])
    pictures = pa.array([{"bytes": data, "path": name} for name, data in samples(2)])
    pq.write_table(pa.table({"image": pictures, "objects": objects}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="duplicate field names"):
        read(tmp_path)
