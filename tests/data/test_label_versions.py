"""Versions of labels on top of a source: ids, the labels before, known mistakes."""

from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.damage import Corrupt
from metricloop.data.formats.source import Source, make_record
from metricloop.data.ingest import ingest
from metricloop.data.label_versions import LabelsError, Step, read_steps, with_labels, write_steps
from metricloop.data.tables import BOXES, TRUTH

A, B, C = ([10, 10, 30, 30], [40, 40, 70, 80], [5, 50, 25, 90])


@pytest.fixture
def tables(tmp_path):
    """Ten pictures of the pool and one of each other split, each with an animal at A and one at B."""
    rng = np.random.default_rng(1)
    records = []
    for number in range(12):
        path = tmp_path / f"{number:02d}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (100, 100, 3), np.uint8))
        split = {10: "search", 11: "test"}.get(number, "pool")
        records.append(make_record(path, [(A, 0, False), (B, 1, False)], split=split))
    return ingest(Source("coco", ("cat", "dog"), tuple(records), ()), tmp_path, corrupt=Corrupt())


def step(images, version=2):
    return Step(version, "x.json", images, {})


def rows(tables, image_id=None):
    columns = [
        np.asarray(tables.boxes[name]).tolist() for name in ("box_id", "image_id", "x1", "y1", "x2", "y2", "label")
    ]
    found = list(zip(*columns, strict=True))
    return found if image_id is None else [(row[0], *row[2:]) for row in found if row[1] == image_id]


def test_unchanged_boxes_keep_their_ids_everywhere(tables):
    new = {"01.png": [(*A, "cat", False), (*C, "dog", False)], "03.png": []}
    made, _ = with_labels(tables, [step(new)])
    assert rows(made, 2) == [(3, *map(float, A), 0), (25, *map(float, C), 1)]
    assert rows(made, 4) == []
    others = [row for row in rows(tables) if row[1] not in (2, 4)]
    assert [row for row in rows(made) if row[1] not in (2, 4)] == others
    assert made.summary["splits"]["pool"]["boxes"] == 18
    assert made.summary["splits"]["pool"]["images_without_boxes"] == 1
    assert made.summary["labels"] == 2
    pa.table({name: pa.array(made.boxes[name], BOXES.field(name).type) for name in BOXES.names})


def test_a_moved_and_a_renamed_box_keep_their_ids(tables):
    moved = [12, 12, 32, 32]
    made, _ = with_labels(tables, [step({"00.png": [(*B, "cat", False), (*moved, "cat", False)]})])
    assert rows(made, 1) == [(1, *map(float, moved), 0), (2, *map(float, B), 0)]


def test_later_versions_leave_the_ids_of_earlier_ones_alone(tables, tmp_path):
    full = [(*A, "cat", False), (*B, "dog", False), (*C, "dog", False)]
    second = step({"05.png": full})
    third = step({"00.png": full, "05.png": full[:1]}, 3)
    one, _ = with_labels(tables, [second])
    both, _ = with_labels(tables, [second, third])
    assert [row[0] for row in rows(one, 6)] == [11, 12, 25]
    assert [row[0] for row in rows(both, 1)] == [1, 2, 26]
    assert [row[0] for row in rows(both, 6)] == [11]
    write_steps(tmp_path / "3.json", [second, third])
    again, _ = with_labels(tables, read_steps(tmp_path / "3.json"))
    assert rows(again) == rows(both)


def test_the_labels_before_are_those_of_the_source_for_the_pool(tables):
    made, before = with_labels(tables, [step({"00.png": [(12, 12, 32, 32, "cat", False)], "10.png": []})])
    table = pa.table({name: pa.array(before[name], TRUTH.field(name).type) for name in TRUTH.names})
    assert table.num_rows == 20
    own = [row for row in table.to_pylist() if row["image_id"] == 1]
    assert [(row["box_id"], row["x1"], row["y1"]) for row in own] == [(1, 10, 10), (None, 40, 40)]  # B is gone now
    assert rows(made, 11) == []  # the search split's picture, which was named too


def test_known_mistakes_of_repaired_images_are_judged_anew(tables):
    truth = {name: [] for name in TRUTH.names}

    def add(image, box_id, corners, label, mistake):
        for name, value in zip(TRUTH.names, (image, box_id, *(corners or [None] * 4), label, mistake), strict=True):
            truth[name].append(value)

    add(1, 1, [11, 10, 31, 30], 0, "moved")  # repaired
    add(1, None, C, 1, "missing")  # added, but too small
    add(1, 2, None, 1, "spurious")  # still there
    add(2, None, C, 1, "missing")  # of an image that was not repaired
    damaged = replace(tables, truth=truth)
    new = [(11, 10, 31, 30, "cat", False), (5, 50, 20, 70, "dog", False), (*B, "dog", False)]
    made, _ = with_labels(damaged, [step({"00.png": new})])
    told = sorted(
        (row[0], row[1] or 0, row[6], row[7]) for row in zip(*(made.truth[n] for n in TRUTH.names), strict=True)
    )
    assert told == [
        (1, 0, 1, "missing"), (1, 1, 0, "none"), (1, 2, 1, "spurious"), (1, 25, 1, "spurious"), (2, 0, 1, "missing")
    ]  # fmt: skip
    nothing, _ = with_labels(tables, [step({"00.png": new})])
    assert not nothing.truth["image_id"]


def test_pictures_that_are_gone_and_classes_that_are_unknown(tables, tmp_path):
    made, _ = with_labels(tables, [step({"gone.png": [], "00.png": []})])
    assert [(p.file, p.problem) for p in made.problems] == [("gone.png", "labels of version 2 without picture")]
    with pytest.raises(LabelsError, match="version 2 of the labels has classes that the data set lacks: cow"):
        with_labels(tables, [step({"00.png": [(*A, "cow", False)]})])
    with pytest.raises(LabelsError, match="does not exist; give a file of labels/"):
        read_steps(tmp_path / "no.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(LabelsError, match="is not a version of labels; restore it with git"):
        read_steps(tmp_path / "bad.json")
