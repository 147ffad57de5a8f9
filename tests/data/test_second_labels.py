"""A second labelling of some images says of each label whether it is right. All boxes are literal."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import make

from metricloop.data.formats.problem import RefusedError
from metricloop.data.label_versions import Step, write_steps
from metricloop.data.second_labels import check_second, second_labels
from metricloop.data.second_opinion import SecondLabels, second_opinion

PANDA, BALL = 0, 1
HERE, NEAR = (0, 0, 10, 10), (0, 0, 10, 16)  # IoU 0.625
APART = (40, 40, 60, 60)


def said(first, second, crowds=(), own_crowd=(), agree=0.75):
    """(row of the label or None, mistake, true label or None) for one image; rows are (x1, y1, x2, y2, label)."""
    pool = make([(100, 100, "a", [*first, *((*box, PANDA) for box in own_crowd)])])
    pool = replace(pool, crowd=np.arange(len(pool.boxes)) >= len(first))
    given = SecondLabels(
        np.array([row[:4] for row in second], float).reshape(-1, 4),
        np.array([row[4] for row in second], int),
        np.array(crowds, float).reshape(-1, 4),
    )
    rows = second_opinion(pool, 0, given, agree)
    return [(row["box_id"], row["mistake"], row["label"] if row["x1"] is not None else None) for row in rows]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(*HERE, PANDA)], [(*HERE, PANDA)], [(0, "none", PANDA)]),
        ([(*HERE, PANDA)], [(0, 0, 10, 12, PANDA)], [(0, "none", PANDA)]),  # IoU 0.83
        ([(*HERE, PANDA)], [(*NEAR, PANDA)], [(0, "moved", PANDA)]),
        ([(*HERE, PANDA)], [(*HERE, BALL)], [(0, "class", BALL)]),
        ([(*HERE, PANDA)], [(*HERE, -1)], [(0, "class", None)]),  # a class that the study lacks
        ([], [(*HERE, -1)], []),  # and an object of that class is none of ours
        ([(*HERE, PANDA)], [], [(0, "spurious", None)]),
        ([], [(*HERE, PANDA)], [(None, "missing", PANDA)]),
        ([(*HERE, PANDA)], [(*APART, PANDA)], [(0, "spurious", None), (None, "missing", PANDA)]),
        # another class and an IoU of 0.43: two objects, not one
        ([(*HERE, PANDA)], [(0, 4, 10, 14, BALL)], [(0, "spurious", None), (None, "missing", BALL)]),
        # the second of two labels of one object
        ([(*HERE, PANDA), (0, 0, 10, 11, PANDA)], [(*HERE, PANDA)], [(0, "none", PANDA), (1, "doubled", None)]),
        # A agrees with X (0.82), although A with Y (0.33) and B with X (0.54) would overlap more in all
        (
            [(0, 0, 10, 10, PANDA), (0, 4, 10, 14, PANDA)],
            [(0, 1, 10, 11, PANDA), (0, -5, 10, 5, PANDA)],
            [(0, "none", PANDA), (1, "doubled", None), (None, "missing", PANDA)],
        ),
        ([], [], []),
    ],
)
def test_what_is_said_of_each_label(first, second, expected):
    assert said(first, second) == expected


def test_how_near_agrees_is_a_setting():
    assert said([(*HERE, PANDA)], [(*NEAR, PANDA)], agree=0.6) == [(0, "none", PANDA)]


def test_crowd_regions_judge_nothing():
    assert said([(*HERE, PANDA)], [], crowds=[(0, 0, 10, 5)]) == [(0, "unjudged", PANDA)]  # half inside
    assert said([(*HERE, PANDA)], [], crowds=[(0, 0, 10, 4)]) == [(0, "spurious", None)]
    assert said([], [(*HERE, PANDA)], own_crowd=[(0, 0, 50, 50)]) == []


@pytest.fixture
def study(tmp_path):
    """Three images of the pool and one that is held out, with pictures on disk."""
    boxes = [[(*HERE, PANDA), (*APART, BALL)], [(*HERE, PANDA)], [], [(*HERE, PANDA)]]
    made = make([(100, 80, str(k), rows) for k, rows in enumerate(boxes)])
    root = tmp_path / "pictures"
    root.mkdir()
    files = [f"{k}.png" for k in range(4)]
    for k, file in enumerate(files):
        cv2.imwrite(str(root / file), np.full((80, 100, 3), k, np.uint8))
    split = np.array(["pool", "pool", "pool", "search"], object)
    images = replace(made, root=root, file=np.array(files, object), split=split)
    return images, replace(made, root=root, file=images.file)


def coco(path, images, boxes, names=("panda", "football")):
    """images: names; boxes: (image, xywh, class)."""
    path.write_text(
        json.dumps(
            {
                "images": [
                    {"id": k, "file_name": name, "width": 100, "height": 80} for k, name in enumerate(images, start=1)
                ],
                "categories": [{"id": k, "name": name} for k, name in enumerate(names, start=1)],
                "annotations": [
                    {"id": n, "image_id": images.index(image) + 1, "category_id": names.index(name) + 1, "bbox": bbox}
                    for n, (image, bbox, name) in enumerate(boxes, start=1)
                ],
            }
        )
    )
    return path


def pool_of(data):
    from metricloop.data.dataset import part_of

    return part_of(data, np.arange(3))[0]


def test_images_that_it_lacks_are_not_judged(study, tmp_path):
    images, data = study
    path = coco(
        tmp_path / "second.json",
        ["0.png", "3.png", "else.png"],
        [("0.png", [0, 0, 10, 10], " Panda "), ("0.png", [40, 40, 20, 20], "lion")],
        (" Panda ", "lion"),
    )
    found = second_labels(path, images, pool_of(data), (), 0.75)
    rows = list(zip(*(found.columns[name] for name in ("image_id", "box_id", "mistake", "x1")), strict=True))
    assert rows == [
        (10, 0, "none", 0.0),
        (10, 1, "class", None),  # a lion, which the study does not know
        (20, 2, "unjudged", 0.0),
        (30, None, "unjudged", None),
    ]
    assert found.judged == 1
    told = {one.problem: one.action for one in found.problems}
    assert told["class is not in the study"].startswith("1 boxes of 'lion'")
    assert "taken for 'panda'" in told["class found by another spelling"]
    assert told["pictures of the search and test split"].startswith("1 left out")
    assert any("else.png" in one.file for one in found.problems)


def test_classes_that_the_study_leaves_out_are_left_out(study, tmp_path):
    images, data = study
    path = coco(tmp_path / "s.json", ["0.png"], [("0.png", [40, 40, 20, 20], "lion"),
                                                 ("0.png", [0, 0, 10, 10], "panda")], ("panda", "lion"))  # fmt: skip
    found = second_labels(path, images, pool_of(data), ("panda", "football"), 0.75)
    assert found.columns["mistake"][:2] == ["none", "spurious"]


def test_a_version_of_the_labels_is_a_second_labelling(study, tmp_path):
    images, data = study
    steps = [
        Step(2, "a", {"1.png": [(*APART, "panda", False)]}, {}),
        Step(3, "b", {"1.png": [(*HERE, "football", False)], "gone.png": []}, {}),
    ]
    write_steps(tmp_path / "3.json", steps)
    found = second_labels(tmp_path / "3.json", images, pool_of(data), (), 0.75)
    assert found.columns["mistake"] == ["unjudged", "unjudged", "class", "unjudged"]
    assert [one.file for one in found.problems] == ["gone.png"]


def test_images_that_were_handed_back_as_they_were_are_judged(study, tmp_path):
    images, data = study
    as_it_was = {"0.png": [(*HERE, "panda", False), (*APART, "football", False)], "2.png": []}
    write_steps(tmp_path / "2.json", [Step(2, "a", {"1.png": [(*HERE, "football", False)]}, {}, as_it_was)])
    found = second_labels(tmp_path / "2.json", images, pool_of(data), (), 0.75)
    assert found.columns["mistake"] == ["none", "none", "class"]
    assert found.judged == 3


@pytest.mark.parametrize(
    ("make_it", "says"),
    [
        (lambda path, study: None, "does not exist; give the file or folder"),
        (lambda path, study: coco(path, ["3.png"], []), "names no image of the pool"),
        (lambda path, study: coco(path, ["1.png"], [("1.png", [0, 0, 9, 9], "car")], ("car",)), "none of the study's"),
        (lambda path, study: path.write_text('{"steps": [7]}'), "is not a version of labels"),
        (lambda path, study: path.write_text("nonsense"), "no known format"),
    ],
)
def test_refusals_say_why(study, tmp_path, make_it, says):
    path = tmp_path / "second.json"
    make_it(path, study)
    with pytest.raises(RefusedError, match=says):
        second_labels(path, study[0], pool_of(study[1]), (), 0.75)


def test_pipes_are_refused_before_anything_opens_them(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="neither a file nor a folder"):
        check_second(tmp_path / "pipe")
    with pytest.raises(RefusedError, match=r"a named pipe"):
        check_second(tmp_path)
