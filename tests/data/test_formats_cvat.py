"""CVAT XML: images and tracks, shapes of all kinds, tasks and projects."""

import cv2
import numpy as np
import pytest

from metricloop.data.formats import SourceError, read, recognise


def put(folder, names, size=(120, 160)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))


def xml(folder, body, name="annotations.xml", meta=""):
    folder.mkdir(parents=True, exist_ok=True)
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta>{meta}</meta>'
    (folder / name).write_text(f"{head}{body}</annotations>")


def image(name, *shapes, **attributes):
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<image id="0" name="{name}" width="160" height="120"{said}>{"".join(shapes)}</image>'


BOX = '<box label="cat" xtl="10" ytl="20.5" xbr="30.25" ybr="40" occluded="0" z_order="0"/>'


def told(source):
    return [(problem.problem, problem.action) for problem in source.problems]


def test_boxes_of_images_with_their_split_and_classes(tmp_path):
    put(tmp_path / "images", ["a/1.jpg", "2.jpg"])
    labels = "".join(f"<label><name>{name}</name>{more}</label>" for name, more in
                     (("dog", "<type>any</type>"), ("cat", ""), ("blurred", "<type>tag</type>")))  # fmt: skip
    xml(
        tmp_path,
        image("a/1.jpg", BOX, '<tag label="blurred"/>', subset="Train") + image("2.jpg", subset="Validation"),
        meta=f"<task><labels>{labels}</labels></task>",
    )
    assert recognise(tmp_path) == "cvat"
    source = read(tmp_path)
    assert (source.format, source.class_names, source.problems) == ("cvat", ("dog", "cat"), ())
    first, second = source.records
    assert first.boxes.tolist() == [[10, 20.5, 30.25, 40]]
    assert first.labels.tolist() == [1]
    assert (first.split, second.split) == ("pool", "search")
    assert (first.width, first.height) == (160, 120)
    assert len(second.boxes) == 0
    assert read(tmp_path / "annotations.xml").records[0].file == tmp_path / "images/a/1.jpg"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<polygon label="cat" points="10.5,20;30,25;12,40"/>', [10.5, 20, 30, 40]),
        ('<mask label="cat" rle="1,2,3" left="5" top="6" width="10" height="20"/>', [5, 6, 15, 26]),
        ('<ellipse label="cat" cx="50" cy="40" rx="20" ry="10"/>', [30, 30, 70, 50]),
        (
            '<cuboid label="cat" xtl1="10" ytl1="12" xbl1="11" ybl1="40" xtr1="30" ytr1="13" xbr1="31" ybr1="41" '
            'xtl2="15" ytl2="8" xbl2="16" ybl2="35" xtr2="36" ytr2="9" xbr2="35" ybr2="37"/>',
            [10, 8, 36, 41],
        ),
    ],
)
def test_other_shapes_give_the_box_around_them(tmp_path, shape, expected):
    put(tmp_path, ["1.jpg"])
    xml(tmp_path, image("1.jpg", shape))
    source = read(tmp_path)
    assert source.records[0].boxes.tolist() == [expected]
    assert source.problems == ()


def test_a_turned_box_gives_the_box_around_it_and_is_listed(tmp_path):
    put(tmp_path, ["1.jpg"])
    turned = '<box label="cat" xtl="40" ytl="50" xbr="80" ybr="70" rotation="90"/>'
    xml(tmp_path, image("1.jpg", turned, '<ellipse label="cat" cx="50" cy="40" rx="20" ry="10" rotation="90"/>'))
    source = read(tmp_path)
    assert source.records[0].boxes.round(6).tolist() == [[50, 40, 70, 80], [40, 20, 60, 60]]
    assert told(source) == [("turned box", "the box around it is taken, cat (2)")]


def test_what_is_no_box_is_dropped_and_listed(tmp_path):
    put(tmp_path, ["1.jpg", "2.jpg"])
    xml(
        tmp_path,
        image("1.jpg", '<points label="cat" points="1,2"/>', '<box label="cat" xtl="x" ytl="2" xbr="3" ybr="4"/>', BOX)
        + image("gone.jpg", BOX) + image("", BOX),
    )  # fmt: skip
    source = read(tmp_path)
    assert [len(record.boxes) for record in source.records] == [1]
    assert sorted(told(source)) == [
        ("box is not four numbers", "dropped, 1.jpg (1)"),
        ("image entry without file name", "left out (id 0)"),
        ("labels without picture", "left out (1 box)"),
        ("picture without labels", "left out"),
        ("points instead of a box", "dropped, cat (1)"),
    ]


@pytest.mark.parametrize("name", ["is_crowd", "iscrowd", "difficult"])
def test_crowd_regions_have_an_attribute(tmp_path, name):
    put(tmp_path, ["1.jpg"])
    yes, no = (BOX.replace("/>", f'><attribute name="{name}">{said}</attribute></box>') for said in ("true", "false"))
    xml(tmp_path, image("1.jpg", yes, no))
    assert read(tmp_path).records[0].crowd.tolist() == [True, False]


def track(*boxes, label="cat", task=""):
    """boxes: (frame, x, outside, keyframe)."""
    shapes = "".join(
        f'<box frame="{frame}" outside="{out}" keyframe="{key}" xtl="{x}" ytl="5" xbr="{x + 10}" ybr="15"/>'
        for frame, x, out, key in boxes
    )
    return f'<track id="0" label="{label}" task_id="{task}">{shapes}</track>'


def boxes_by_picture(source):
    return {record.file.name: record.boxes[:, 0].tolist() for record in source.records}


def test_tracks_say_frame_by_frame_where_an_object_is_in_sight(tmp_path):
    put(tmp_path / "images", [f"frame_{k:06d}.PNG" for k in range(5)])
    xml(
        tmp_path,
        track((0, 1, 0, 1), (1, 2, 0, 0), (2, 3, 1, 1)) + track((2, 50, 0, 1), (3, 51, 1, 1), label="dog"),
        meta="<task><original_size><width>160</width><height>120</height></original_size></task>",
    )
    source = read(tmp_path)
    assert boxes_by_picture(source) == {
        "frame_000000.PNG": [1], "frame_000001.PNG": [2], "frame_000002.PNG": [50], "frame_000003.PNG": []
    }  # fmt: skip
    assert source.class_names == ("cat", "dog")
    assert {record.group for record in source.records} == {"annotations.xml"}
    assert {(record.width, record.height) for record in source.records} == {(160, 120)}
    assert ("picture without labels", "left out") in told(source)  # frame 4 is in no track


def test_between_key_frames_a_box_moves_evenly_where_the_file_names_the_frame(tmp_path):
    put(tmp_path, [f"frame_{k:06d}.png" for k in range(5)])
    xml(tmp_path, track((0, 0, 0, 1), (4, 40, 0, 1)) + track((1, 100, 0, 1), (2, 100, 1, 1), (3, 90, 0, 1)))
    source = read(tmp_path)
    assert boxes_by_picture(source) == {
        "frame_000000.png": [0], "frame_000001.png": [10, 100], "frame_000002.png": [20],
        "frame_000003.png": [30, 90], "frame_000004.png": [40],
    }  # fmt: skip
    assert ("box between key frames", "interpolated, cat (3)") in told(source)


def test_several_tasks_and_several_files_are_one_data_set(tmp_path):
    put(tmp_path / "one/images", ["1.jpg"])
    put(tmp_path / "two/images", ["2.jpg"])
    xml(tmp_path / "one", image("1.jpg", BOX, task_id="1"))
    xml(tmp_path / "two", image("2.jpg", BOX.replace("cat", "dog"), task_id="2"))
    source = read(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert [record.labels.tolist() for record in source.records] == [[0], [1]]


def test_a_file_without_a_picture_that_exists_is_refused_with_the_reason(tmp_path):
    xml(tmp_path, image("1.jpg", BOX))
    with pytest.raises(SourceError, match=r"from 1 CVAT file\(s\)\..*labels without picture"):
        read(tmp_path)
    (tmp_path / "annotations.xml").write_text("<annotations><version>1.1</version><image")
    with pytest.raises(SourceError, match="annotation file cannot be read"):
        read(tmp_path)
