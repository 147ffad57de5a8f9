"""Pictures that repeat others, and the order of all findings."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from metricloop.auditing.copies import repeated_pictures, same_labels
from metricloop.auditing.everything import joined
from metricloop.auditing.label_errors import KINDS, PICTURE_KINDS
from metricloop.auditing.suspects import Suspect
from metricloop.auditing.worth import COSTS, gain, in_order, minutes
from metricloop.data.dataset import pool_of
from metricloop.data.formats.problem import Problem
from metricloop.data.frame import Frame
from metricloop.data.problem_list import write_problems

ONE = np.float32([[10, 10, 50, 50]])


def images(*boxes, **arrays):
    made = pool_of([Frame(number, 100, 80, own, np.zeros(len(own), int)) for number, own in enumerate(boxes)])
    return replace(made, **{name: np.array(values, object) for name, values in arrays.items()})


def test_equal_files_are_a_conflict_when_their_labels_differ(tmp_path):
    data = images(ONE, ONE, ONE + 30, ONE, sha256=["a", "a", "a", "b"], file=["0", "1", "2", "3"])
    found, _ = repeated_pictures(data, tmp_path / "problems.csv", 50)
    assert [(one.row, one.other, one.probability) for one in found["repeated"]] == [(1, "0", 1.0)]
    assert [(one.row, one.other, one.probability) for one in found["conflict"]] == [(2, "0", 1.0)]
    assert found["leak"] == []
    assert all(len(listed) <= 0 for listed in repeated_pictures(data, tmp_path / "no", 0)[0].values())


def test_labels_are_the_same_by_class_and_place_whatever_the_size_of_the_picture():
    data = images(ONE, ONE * 2, ONE + 4, np.concatenate([ONE, ONE + 30]))
    data = replace(data, width=np.array([100, 200, 100, 100]), height=np.array([80, 160, 80, 80]))
    assert same_labels(data, 0, 1, 0.75)
    assert not same_labels(data, 0, 2, 0.75)  # 36 * 36 / (2 * 1600 - 36 * 36) = 0.68
    assert same_labels(data, 0, 2, 0.5)
    assert not same_labels(data, 0, 3, 0.5)
    assert not same_labels(replace(data, labels=np.array([0, 1, 0, 0, 0])), 0, 1, 0.75)


def test_near_copies_are_looked_for_within_groups(tmp_path):
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (8, 10, 3), np.uint8), (100, 80), interpolation=cv2.INTER_CUBIC)
    names = [f"{k}.png" for k in range(5)]
    for name, shown in zip(names, (picture, picture + 1, 255 - picture, 255 - picture, picture), strict=True):
        cv2.imwrite(str(tmp_path / name), shown)
    data = replace(
        images(*[ONE] * 5, file=names, group=["g", "g", "h", "h", "alone"], sha256=list("abccd")), root=tmp_path
    )
    found = repeated_pictures(data, tmp_path / "problems.csv", 50)[0]["repeated"]
    assert [(one.row, one.other, one.probability) for one in found] == [(3, "2.png", 1.0), (1, "0.png", None)]


def test_versions_of_a_photo_are_told_of_as_a_whole(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{k}.png" for k in range(5)]
    photos = [cv2.resize(rng.integers(0, 250, (8, 10, 3), np.uint8), (100, 80)) for _ in range(2)]
    for k, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), photos[k // 3] + k % 3)  # three versions of one, two of another
    data = replace(images(*[ONE] * 5, file=names, group=["g", "g", "g", "h", "h"], sha256=list("abcde")), root=tmp_path)
    found, told = repeated_pictures(data, tmp_path / "problems.csv", 50)
    assert not any(found.values())
    assert told.startswith("5 of 5 images nearly repeat another one of their group (2 groups)")


@pytest.mark.parametrize("moves", [False, True])
def test_labels_of_near_copies_conflict_only_where_the_pictures_are_the_same(tmp_path, moves):
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 200, (8, 10, 3), np.uint8), (400, 320), interpolation=cv2.INTER_CUBIC)
    thing = rng.integers(0, 255, (16, 16, 3), np.uint8)
    boxes = []
    for number, x in enumerate((100, 130 if moves else 100)):
        shown = picture.copy()
        shown[100:116, x : x + 16] = thing
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), shown + 3 * number, [cv2.IMWRITE_JPEG_QUALITY, 95 - 10 * number])
        boxes.append(np.float32([[x, 100, x + 16, 116]]))
    boxes = boxes if moves else [boxes[0], boxes[0][:0]]  # what stays in its place lacks its label once
    files, sizes = [f"{number}.jpg" for number in range(5)], {"width": np.full(5, 400), "height": np.full(5, 320)}
    data = images(*boxes, ONE, ONE, ONE, file=files, group=["g", "g", "h", "i", "j"], sha256=list("abcde"))
    sums = [hashlib.sha256((tmp_path / f"{number}.jpg").read_bytes()).hexdigest() for number in range(2)]
    data = replace(data, root=tmp_path, sha256=np.array([*sums, "c", "d", "e"], object), **sizes)
    found, _ = repeated_pictures(data, tmp_path / "problems.csv", 50)
    assert [(one.row, one.other) for one in found["conflict"]] == ([] if moves else [(1, "0.jpg")])
    assert found["repeated"] == []


def test_leaks_are_those_that_ingest_left_out(tmp_path):
    data = images(ONE, ONE, file=["a.jpg", "b.jpg"], split=["pool", "test"])
    write_problems(
        tmp_path / "problems.csv",
        [
            Problem("x.jpg", "near-duplicate of a test picture", "left out of search (leak: b.jpg)"),
            Problem("y.jpg", "identical to a pool picture", "left out of search (leak: a.jpg)"),
            Problem("z.jpg", "of the same group as a pool picture", "left out of search (leak: a.jpg)"),
            Problem("a.jpg", "label without an area", "left out"),
        ],
    )
    found = repeated_pictures(data, tmp_path / "problems.csv", 50)[0]["leak"]
    assert [(one.row, one.other, one.split, one.probability) for one in found] == [
        (0, "y.jpg", "pool", 1.0), (1, "x.jpg", "test", None)
    ]  # fmt: skip


def test_every_kind_has_a_cost():
    assert set(COSTS) == {kind.name for kind in (*KINDS, *PICTURE_KINDS)}


def test_the_order_is_by_gain_per_minute():
    sure = Suspect("doubled", 0, 0, 1.0, 0, None, probability=0.9)
    likely = Suspect("missing", 1, -1, 1.0, 0, None, probability=0.6)
    unknown = Suspect("repeated", 2, -1, 1.0, 0, None)
    made = in_order({"doubled": [sure], "missing": [likely], "repeated": [unknown]})
    assert minutes(sure) == pytest.approx(0.1 + 0.9 * 0.05)
    assert gain(sure) == pytest.approx(0.9 * 0.4 / 0.145)
    assert gain(likely) == pytest.approx(0.6 / (0.15 + 0.6 * 0.3), rel=1e-3)
    assert [made[kind][0].order for kind in made] == [1, 2, 3]
    assert made["missing"][0].minutes == pytest.approx(0.33)


def test_joined_images_keep_the_rows_of_the_first():
    first, second = images(ONE, np.concatenate([ONE, ONE])), images(ONE + 1)
    both = joined(first, second)
    assert both.counts.tolist() == [1, 2, 1]
    assert both.boxes[both.slice(2)].tolist() == (ONE + 1).tolist()
    assert both.boxes[both.slice(1)].tolist() == [*ONE.tolist()] * 2
