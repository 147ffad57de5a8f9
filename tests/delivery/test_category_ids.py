"""The ids of the classes are those of the data set."""

import json

import pytest

from metricloop.delivery.category_ids import category_ids


def coco(path, *categories):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": [], "categories": [{"id": i, "name": n} for i, n in categories]}))
    return path


@pytest.mark.parametrize("place", ["labels.json", "annotations/instances_train.json"])
def test_the_ids_of_a_coco_file_in_the_order_of_the_classes(tmp_path, place):
    file = coco(tmp_path / place, (3, "cat"), (7, "dog"), (1, "owl"))
    assert category_ids(tmp_path, ["owl", "dog"]) == [1, 7]
    assert category_ids(file, ["dog", "cat"]) == [7, 3]


def test_other_files_are_passed_over(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2")
    (tmp_path / "b.json").write_text('{"categories": 3}')
    (tmp_path / "c.json").write_text('{"categories": [4, {"name": "cat"}, {"name": "dog", "id": "x"}]}')
    coco(tmp_path / "d.json", (9, "cat"))
    assert category_ids(tmp_path, ["cat"]) == [9]


def test_classes_without_ids_of_their_own_are_numbered(tmp_path):
    coco(tmp_path / "a.json", (5, "cat"), (5, "dog"))
    assert category_ids(tmp_path, ["cat", "dog"]) == [1, 2]
    assert category_ids(tmp_path, ["cat", "newt"]) == [1, 2]
    assert category_ids(tmp_path / "nowhere", ["cat"]) == [1]
