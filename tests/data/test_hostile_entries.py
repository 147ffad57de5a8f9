"""Entries that are not what they should be: one bad entry never loses the set, and strangers' words stay words."""

import csv
import json

import pytest
from odd_sets import coco, dump, ingested, names, pictures, rows, truth, voc, voc_xml, write, yolo
from soon import soon  # noqa: F401

from metricloop.data.formats import read
from metricloop.data.formats.problem import RefusedError
from metricloop.data.ingest import write as write_tables
from metricloop.data.problem_list import cell

pytestmark = pytest.mark.usefixtures("soon")
ODD = [
    None,
    True,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "0",
    "\ud800",
    "a\0b",
    "x" * 100_000,
    [],
    [[]],
    {},
    {"a": []},
    [None],
    [{}],
    ["1", "2", "3", "4"],
    "../../../../etc/passwd",
    "\x1b[2J",
    ".",
    "..",
    "/",
]


def nested(depth, inner="1"):
    return "[" * depth + inner + "]" * depth


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_any_value_at_any_place_of_a_coco_file(tmp_path, value):
    boxes = pictures(tmp_path, names())
    places = {
        "images": ["id", "file_name", "width", "height", "split", "group", "video_id", "lookalikes"],
        "annotations": ["id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "attributes", "area"],
        "categories": ["id", "name", "supercategory"],
        "videos": ["id", "name"],
    }
    for part, keys in places.items():
        for key in keys:
            content = coco(boxes) | {"videos": [{"id": 1, "name": "v"}]}
            own = dict(content[part][0], id=1 if part == "videos" else 999) | {key: value}
            content[part] = [*content[part], own, {key: value}, value]
            dump(tmp_path / "a.json", content)
            found = rows(ingested(tmp_path))
            kept = {file for file in found if file != "00.jpg"}  # the odd entry is a copy of the first one
            assert kept == set(boxes) - {"00.jpg"}, (part, key)
            assert {file: found[file] for file in kept} == truth({file: boxes[file] for file in kept}), (part, key)
    for key in places:
        dump(tmp_path / "a.json", coco(boxes) | {key: value})
        if key in ("videos", "categories"):
            assert [len(own) for own in rows(ingested(tmp_path)).values()] == [2] * len(boxes)
        else:
            with pytest.raises(RefusedError):
                ingested(tmp_path)


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [0, 0], "counts": []},
        {"size": [-3, 4], "counts": [1, 2]},
        {"size": None, "counts": "abc"},
        {"size": [10, 10], "counts": "\xff\xfe"},
        {"size": [10, 10], "counts": [1e300, 10**50]},
        {"counts": [1]},
        {"size": [10, 10], "counts": "o" * 100},
        {"size": [10**9, 10**9], "counts": [0, 10**18]},
        {"size": [4], "counts": {}},
    ],
)
def test_broken_masks(tmp_path, rle):
    boxes = pictures(tmp_path, names())
    content = coco(boxes)
    content["annotations"].append({"id": 99, "image_id": 2, "category_id": 1, "segmentation": rle})
    dump(tmp_path / "a.json", content)
    found = rows(ingested(tmp_path))
    assert {file: own for file, own in found.items() if file != "01.jpg"} == truth(
        {file: own for file, own in boxes.items() if file != "01.jpg"}
    )


@pytest.mark.parametrize(
    "text",
    [
        nested(100_000),
        '{"images":' + nested(100_000),
        '{"a":' * 100_000,
        "[" * 3_000_000,
        '{"images": [' + "1" * 10_000 + "]}",
        '{"images": [], "annotations": [' + '"' * 200_001,
        "\0" * 1000,
        '{"images": {"a": 1}}',
        '{"images": [[[1]]]}',
        "{",
        '{"images": [{"id": 1, "file_name": "00.jpg"}], "annotations": [{"id": 1, "x": ' + nested(50_000) + "}]}",
    ],
)
@pytest.mark.parametrize("other", [False, True])
def test_text_that_is_no_json(tmp_path, text, other):
    boxes = pictures(tmp_path, names())
    write(tmp_path / "b.json", text)
    if other:
        dump(tmp_path / "a.json", coco(boxes))
        assert rows(ingested(tmp_path)) == truth(boxes)
    else:
        with pytest.raises(RefusedError):
            ingested(tmp_path)


LAUGHS = "".join(f'<!ENTITY e{k + 1} "{f"&e{k};" * 10}">' for k in range(12))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE annotation [<!ENTITY e0 "l">{LAUGHS}]><annotation><object><name>&e12;</name></object></annotation>',
        '<!DOCTYPE annotation [<!ENTITY k SYSTEM "file:///etc/passwd">]><annotation>'
        "<object><name>&k;</name></object></annotation>",
        "<annotation>" + "<object>" * 200_000,
        "<annotation>" + "<a>" * 200_000 + "</a>" * 200_000 + "</annotation>",
        '<?xml version="1.0" encoding="rot13"?><annotation/>',
        '<?xml version="1.0" encoding="no-such"?><annotation/>',
        "<annotation>\0</annotation>",
        "<annotation",
        "<annotation>&x;</annotation>",
        "<annotation " + "a" * 100_000 + ">",
        "<annotation><size><width>1e999</width></size><object><name>a</name><bndbox><xmin>1e999</xmin></bndbox>"
        "</object></annotation>",
    ],
)
def test_xml_of_strangers(tmp_path, text):
    boxes = pictures(tmp_path / "JPEGImages", names())
    voc(tmp_path, boxes)
    write(tmp_path / "Annotations/00.xml", text)
    tables = ingested(tmp_path)
    found = rows(tables)
    del boxes["00.jpg"]
    assert {file: own for file, own in found.items() if "00.jpg" not in file} == truth(boxes, prefix="JPEGImages/")
    assert "root:" not in str(tables)


@pytest.mark.parametrize(
    "yaml",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nnames: *b\ntrain: images\n",
        "names: " + nested(5000, "a") + "\ntrain: images\n",
        "names: [a\ntrain: images\n",
        "names: !!python/object/apply:os.system {a: b}\ntrain: images\n",
        "names: {? [a] : b}\ntrain: i",
        "names: \0\ntrain: images\n",
        "names: [cat]\ntrain: [[[[]]]]\n",
        "names: {a: b}\ntrain: images\n",
        "names:\ntrain: images\n",
        "names: {0: {1: 2}}\ntrain: ../../../../../../etc\n",
        "names: [cat]\ntrain: /dev/zero\n",
        "names: [cat]\ntrain: 'a\0b'\n",
        "names: /dev/zero\ntrain: images\n",
        "names: [cat]\npath: /proc\ntrain: self/fd\n",
        "names: [cat]\ntrain: " + "a/" * 50_000,
    ],
)
def test_yaml_of_strangers(tmp_path, yaml):
    yolo(tmp_path, pictures(tmp_path, names("images/")), yaml=None)
    write(tmp_path / "data.yaml", yaml)
    with pytest.raises(RefusedError):
        ingested(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "1e400 0.5 0.5 0.1 0.1",
        "0 nan nan nan nan",
        "0 inf 0.5 0.1 0.1",
        "0 1e308 1e308 1e308 1e308",
        "-0 1_0 0.5 0.1 0.1",
        "0 " * 100_000,
        "0" * 10_000 + " 0.5 0.5 0.1 0.1",
        "\x1b[2J",
        "\u0663 \u0660 \u0660 \u0660 \u0660",
        "0 0.5 0.5 -0.1 -0.1",
        "0 0x1 0 0 0",
        "\0 \0",
    ],
)
def test_lines_of_strangers(tmp_path, line):
    boxes = pictures(tmp_path, names("images/"))
    yolo(tmp_path, boxes)
    write(tmp_path / "labels/00.txt", line + "\n")
    found = rows(ingested(tmp_path))
    del boxes["images/00.jpg"]
    assert {file: own for file, own in found.items() if file != "images/00.jpg"} == truth(boxes)


def test_words_of_strangers_are_cleaned_where_they_are_written(tmp_path):
    evil = [
        "=cmd|x!A1.jpg",
        "\x1b[2J\x1b]0;gone\x07.jpg",
        "+1.jpg",
        "@sum.jpg",
        "-2.jpg",
        "a\nb.jpg",
        "\u202egpj.exe.jpg",
    ]
    boxes = pictures(tmp_path / "set", names())
    for name in evil:
        write(tmp_path / "set" / name, b"no picture")
    dump(tmp_path / "set/a.json", coco(boxes | dict.fromkeys(evil, ())))
    tables = ingested(tmp_path / "set")
    write_tables(tables, tmp_path / "data")
    text = (tmp_path / "data/problems.csv").read_text()
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    listed = list(csv.reader(text.splitlines()))
    assert len(listed) == 1 + len(evil)
    assert not [value for row in listed for value in row if value.startswith(("=", "+", "-", "@"))]
    dump(tmp_path / "set/a.json", coco(dict.fromkeys(evil, ())))
    with pytest.raises(RefusedError) as refused:
        ingested(tmp_path / "set")
    assert str(refused.value).isprintable()
    assert not cell("\r=1").startswith(("=", "\r"))


def test_names_of_classes_with_anything_in_them(tmp_path):
    classes = ["=1+1", "\x1b[31mred", "a\nb", "日本", "\u202e", "x" * 5000, "a|b", "<script>"]
    boxes = pictures(tmp_path, names())
    dump(
        tmp_path / "a.json",
        coco(boxes, classes=classes[:2])
        | {"categories": [{"id": k, "name": name} for k, name in enumerate(classes, start=1)]},
    )
    tables = ingested(tmp_path)
    assert len(tables.class_names) == len(classes)
    json.dumps(tables.summary).encode()


def test_a_surrogate_in_a_name_costs_its_entry_only(tmp_path):
    boxes = pictures(tmp_path, names())
    content = coco(boxes)
    content["categories"].append({"id": 9, "name": "\ud83d"})
    content["images"].append({"id": 90, "file_name": "\udc80.jpg"})
    dump(tmp_path / "a.json", content)
    tables = ingested(tmp_path)
    assert rows(tables) == truth(boxes)
    write_tables(tables, tmp_path / "data")


def test_a_voc_set_with_a_thousand_broken_files(tmp_path):
    boxes = pictures(tmp_path / "JPEGImages", names())
    voc(tmp_path, boxes)
    for k in range(1000):
        write(tmp_path / f"Annotations/x{k}.xml", voc_xml("gone.jpg", [])[: k % 120])
    assert rows(ingested(tmp_path)) == truth(boxes, prefix="JPEGImages/")
    assert len(read(tmp_path).problems) == 1000
