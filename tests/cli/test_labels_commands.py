"""export and import-labels as typed."""

import json
from xml.etree import ElementTree as ET

import pytest
import yaml
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.data.loading import load
from metricloop.data.tables import write_json


@pytest.fixture
def folder(tmp_path):
    return make_study(tmp_path / "my study")


def suspect(pool, kind, place, suspicion, row, box=None, model=None):
    """One entry of audit.json."""
    names = pool.class_names
    return {
        "kind": kind, "place": place, "suspicion": suspicion, "file": str(pool.file[row]),
        "image_id": int(pool.image_id[row]),
        "box_id": None if box is None else int(pool.box_id[box]),
        "label": None if box is None else names[pool.labels[box]],
        "box": None if box is None else [round(float(value), 1) for value in pool.boxes[box]],
        "model_label": model and names[0], "model_score": model, "model_box": model and [1.0, 2.0, 30.0, 40.0],
        "truth": None,
    }  # fmt: skip


@pytest.fixture
def audited(folder):
    """The study after an audit: three images of the pool are suspected, one of them twice."""
    pool = load(folder / "data", folder / "pictures", "pool")
    rows = [row for row in range(len(pool)) if pool.counts[row]][:3]
    first = [int(pool.offsets[row]) for row in rows]
    write_json(
        folder / "audit/audit.json",
        {
            "suspects": {
                "placed": [
                    suspect(pool, "placed", 1, 0.7, rows[1], first[1], 0.5),
                    suspect(pool, "placed", 2, 0.6, rows[2], first[2]),
                ],
                "missing": [
                    suspect(pool, "missing", 1, 0.9, rows[0], None, 0.8),
                    suspect(pool, "missing", 2, 0.65, rows[1], None, 0.4),
                ],
            }
        },
    )
    return folder, pool, rows


def test_export_follows_the_name_of_the_target(folder, tmp_path, capsys):
    assert main(["export", "test", str(tmp_path / "t.xml"), "-C", str(folder)]) == 0
    assert len(ET.parse(tmp_path / "t.xml").getroot().findall("image")) == 8
    assert capsys.readouterr().out.splitlines()[0].endswith("boxes as CVAT")
    assert main(["export", "test", str(tmp_path / "t.json"), "--format", "voc", "-C", str(folder)]) == 1
    assert "Pascal VOC is a folder" in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_a_yolo_folder_of_an_arm_has_the_search_split_as_val_and_is_quoted(folder, tmp_path, capsys):
    target = tmp_path / "a b"
    assert main(["export", "random", str(target), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{target}: 8 images, ")
    assert "val: 8 images of the search split" in out
    assert f"'data={target / 'data.yaml'}'" in out
    assert set(yaml.safe_load((target / "data.yaml").read_text())) == {"path", "train", "val", "names"}
    assert len((target / "val.txt").read_text().splitlines()) == 8


def test_an_arm_is_exported_with_its_scores(folder, tmp_path):
    assert main(["export", "tightness", str(tmp_path / "t.json"), "-C", str(folder)]) == 0
    entries = json.loads((tmp_path / "t.json").read_text())["annotations"]
    assert entries
    for entry in entries:  # the fixture's score of a box is its width
        assert entry["attributes"]["tightness"] == pytest.approx(entry["bbox"][2])
    assert main(["export", "object_count", str(tmp_path / "c.json"), "-C", str(folder)]) == 0
    images = json.loads((tmp_path / "c.json").read_text())["images"]
    assert all("object_count" in image["attributes"] for image in images)


def test_suspicious_labels_are_a_queue_with_the_worst_first(audited, tmp_path, capsys):
    folder, pool, rows = audited
    target = tmp_path / "queue.json"
    typed = ["export", "suspicious", str(target), "--format", "label-studio", "-C", str(folder)]
    assert main(typed) == 0
    tasks = json.loads(target.read_text())
    assert [task["data"]["image"].rpartition("=")[2] for task in tasks] == [str(pool.file[row]) for row in rows]
    assert [task["data"]["rank"] for task in tasks] == [1, 2, 3]
    assert [task["data"]["suspected"] for task in tasks] == ["missing", "placed, missing", "placed"]
    [labels] = tasks[1]["annotations"]
    assert "suspected: placed" in labels["result"][0]["meta"]["text"]
    assert len(labels["result"]) == pool.counts[rows[1]]
    assert ["predictions" in task for task in tasks] == [True, True, False]
    assert "3 images" in capsys.readouterr().out
    assert main([*typed, "--most", "1"]) == 0
    assert len(json.loads(target.read_text())) == 1


def test_suspicious_needs_an_audit_of_the_same_labels(audited, folder, tmp_path, capsys):
    path = folder / "audit/audit.json"
    content = json.loads(path.read_text())
    content["suspects"]["placed"][0]["box"][0] += 1
    path.write_text(json.dumps(content))
    typed = ["export", "suspicious", str(tmp_path / "q.json"), "-C", str(folder)]
    assert main(typed) == 1
    assert f"run it again: metricloop audit -C '{folder}'" in capsys.readouterr().err
    path.unlink()
    assert main(typed) == 1
    assert f"list the suspicious labels first with metricloop audit -C '{folder}'" in capsys.readouterr().err
    assert not (tmp_path / "q.json").exists()
