"""export and import-labels as typed."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from study_fixture import make_study

from metricloop import read_dataset
from metricloop.cli.labels import _effects
from metricloop.cli.main import main
from metricloop.data.label_versions import read_steps
from metricloop.data.loading import load
from metricloop.data.tables import write_json
from metricloop.study.follow_labels import Effects
from metricloop.study.staleness import Staleness


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


@pytest.mark.parametrize("name", ["mine.json", "mine.xml"])
def test_export_does_not_write_over_a_file(folder, tmp_path, capsys, name):
    (tmp_path / name).write_text("my own labels")
    assert main(["export", "pool", str(tmp_path / name), "-C", str(folder)]) == 1
    assert f"{name} exists already; name another file, or delete it first" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "my own labels"


def test_an_exported_coco_folder_is_read_again(folder, tmp_path):
    target = tmp_path / "coco"
    assert main(["export", "pool", str(target), "--format", "coco", "--copy", "-C", str(folder)]) == 0
    assert (target / "about.json").is_file()
    pool = load(folder / "data", folder / "source", "pool")
    back = read_dataset(target)
    assert (len(back), len(back.arrays.boxes)) == (len(pool), len(pool.boxes))


def test_a_yolo_folder_of_an_arm_has_the_search_split_as_val_and_is_quoted(folder, tmp_path, capsys):
    target = tmp_path / "a b"
    assert main(["export", "random", str(target), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{target}: 8 images, ")
    assert "val: 8 images of the search split" in out
    assert f"'data={target / 'data.yaml'}'" in out
    assert set(yaml.safe_load((target / "data.yaml").read_text())) == {"path", "train", "val", "names"}
    assert len((target / "val.txt").read_text().splitlines()) == 8


@pytest.mark.parametrize(("form", "train"), [("yolo", "images/train"), ("coco", "train")])
def test_a_folder_to_train_on_has_the_numbers_behind_it_and_no_closed_test_split(folder, tmp_path, capsys, form, train):
    """object_count gains .07 over .231, with an interval of .03 on both sides."""
    typed = ["export", "object_count", "--format", form, "-C", str(folder)]
    assert main([*typed, str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert "The test split is left out: it was never opened (--with-test adds it)." in out
    found = json.loads((tmp_path / "a/about.json").read_text())
    assert set(found["splits"]) == {"train", "val"}
    assert found["splits"]["train"]["images"] == len(list((tmp_path / "a" / train).iterdir())) == 8
    assert (found["arm"]["metric"], found["arm"]["policy"]["name"], found["arm"]["seed"]) == ("object_count", "best", 0)
    assert (found["search_split"]["verdict"], found["search_split"]["gain"]["abs"]) == ("better", 0.07)
    assert found["labels"]["damaged_on_purpose"] is None
    text = (tmp_path / "a/README.md").read_text()
    assert "mAP 0.301 over 3 seeds, +0.070 mAP (+30\u00a0%) against random images, 95\u00a0% interval +0.040 to" in text
    assert "| train | 8 |" in text
    assert main([*typed, str(tmp_path / "b"), "--with-test", "--seed", "1"]) == 0
    assert "asked for; the study has not opened it" in capsys.readouterr().out
    assert set(json.loads((tmp_path / "b/about.json").read_text())["splits"]) == {"train", "val", "test"}


def test_an_opened_test_split_comes_along_without_a_number_of_it(folder, tmp_path, capsys):
    write_json(folder / "confirmation.json", {"arms": {"winner": {"arm": "object_count"}}, "gain": {"mAP": 0.4321}})
    (folder / "opened.jsonl").write_text('{"opened": "2026-11-20T04:29:13+00:00", "arms": ["random"]}\n')
    assert main(["export", "pool", str(tmp_path / "a"), "--copy", "-C", str(folder)]) == 0
    assert "The test split is there: it was opened on 2026-11-20." in capsys.readouterr().out
    found = (tmp_path / "a/about.json").read_text()
    assert json.loads(found)["splits"]["test"]["images"] == 8
    assert "arm" not in json.loads(found)
    assert "0.4321" not in found + (tmp_path / "a/README.md").read_text()


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
    out = capsys.readouterr().out
    assert "3 images" in out
    assert "all 4 findings of the audit" in out
    content = json.loads((folder / "audit/audit.json").read_text())
    content["suspects"]["placed"].append({**content["suspects"]["placed"][0], "split": "test"})
    (folder / "audit/audit.json").write_text(json.dumps(content))
    target.unlink()
    assert main([*typed, "--most", "1"]) == 0
    assert "1 of 5 findings of the audit; 1 of the search and test split is left out, --most leaves out 3\n" in (
        capsys.readouterr().out
    )
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


@pytest.fixture
def no_dvc(monkeypatch):
    """The made-up study is no DVC repository; its tables count as up to date."""
    monkeypatch.setattr(
        "metricloop.study.import_labels.staleness", lambda folder: Staleness(["draw", "ingest"], [], [])
    )
    effects = Effects(["labels/a"], ["labels/b"], ["random"], ["best"], {"random": (2, 12)}, ["predict", "compare"])
    monkeypatch.setattr("metricloop.study.import_labels.follow_labels", lambda *given: effects)


def exported(folder, tmp_path):
    """The pool as COCO, to be repaired."""
    target = tmp_path / "pool.json"
    assert main(["export", "pool", str(target), "-C", str(folder)]) == 0
    return target, json.loads(target.read_text())


def test_long_lists_of_what_depends_on_the_labels_are_cut():
    stages = [f"train@{number}" for number in range(20)]
    lines = _effects(Effects(scores=list("abcdefgh"), later=stages, waiting=8), Path("/lions"))
    assert lines == [
        "scores that differ now: a, b, c, d, e, f and 2 more",
        "out of date now: 20 stages, 8 of which wait for the others; metricloop status -C /lions lists them",
    ]
    assert _effects(Effects(later=stages[:2]), Path("/lions")) == ["out of date now: train@0, train@1"]


def test_repaired_labels_come_back_as_a_version(folder, no_dvc, tmp_path, capsys):
    target, content = exported(folder, tmp_path)
    moved, renamed, removed = content["annotations"][:3]
    moved["bbox"][0] += moved["bbox"][2] / 2
    renamed["category_id"] = 3 - renamed["category_id"]
    named = {entry["image_id"] for entry in (moved, renamed, removed)}
    content["annotations"].remove(removed)
    content["images"] = [image for image in content["images"] if image["id"] in named]
    target.write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["import-labels", str(target), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"labels 1: {len(named)} of {len(named)} images differ; {folder / 'labels/1.json'}" in out
    assert "  0 added, 1 removed, 1 moved, 1 renamed\n" in out
    assert "IoU of old and new boxes: 0.3-0.5: 1, 0.9-1: 1" in out
    assert out.splitlines()[-7:-1] == [
        "scores that differ now: labels/a",
        "scores as before: labels/b",
        "subsets that differ now: random",
        "subsets as before: best",
        "trials with changed labels: random (2 of 12)",
        "out of date now: predict, compare",
    ]
    assert f"go on: metricloop run -C '{folder}'" in out
    [step] = json.loads((folder / "labels/1.json").read_text())["steps"]
    assert (step["version"], step["source"], step["changes"]["removed"]) == (1, "pool.json", 1)
    assert yaml.safe_load((folder / "params.yaml").read_text())["data"]["labels"] == "labels/1.json"
    plan = yaml.safe_load((folder / "arms.yaml").read_text())
    assert plan["arms"]["before_repair"] == {
        "role": "control", "a": "data/before.parquet", "b": "data/before.parquet", "policy": {"name": "relabelled"}
    }  # fmt: skip
    assert plan["blocks"]["before_repair.0"] == {"arm": "before_repair", "seeds": "0-2"}
    content["images"] = content["images"][:1]
    target.write_text(json.dumps(content))
    assert main(["import-labels", str(target), "-C", str(folder)]) == 0  # the tables are still those of before
    assert "unchanged" not in json.loads((folder / "labels/2.json").read_text())["steps"][0]
    assert [step["version"] for step in json.loads((folder / "labels/2.json").read_text())["steps"]] == [1, 2]
    assert (folder / "labels/1.json").is_file()


def test_a_version_holds_the_images_that_were_looked_at_and_found_right(folder, no_dvc, tmp_path, capsys):
    target, content = exported(folder, tmp_path)
    removed = content["annotations"].pop(0)
    target.write_text(json.dumps(content))
    assert main(["import-labels", str(target), "-C", str(folder)]) == 0
    assert "labels 1: 1 of 32 images differ" in capsys.readouterr().out
    [step] = json.loads((folder / "labels/1.json").read_text())["steps"]
    assert read_steps(folder / "labels/1.json")[0].unchanged.keys() == step["unchanged"].keys()
    [changed] = step["images"]
    files = {Path(entry["file_name"]).name: entry["id"] for entry in content["images"]}
    assert files[Path(changed).name] == removed["image_id"]
    assert len(step["unchanged"]) == 31
    assert changed not in step["unchanged"]
    boxes = sum(len(rows) for part in (step["images"], step["unchanged"]) for rows in part.values())
    assert boxes == len(content["annotations"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: None, "the labels of all 32 images are those of the study already; nothing to import"),
        (lambda content: content["categories"][0].update(name="pandda"),
         "'pandda', which the study does not have; did you mean 'panda'?"),
        (lambda content: content.update(images=[]), "no picture"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_leaves_everything_as_it_was(folder, no_dvc, tmp_path, capsys, change, told):
    target, content = exported(folder, tmp_path)
    change(content)
    target.write_text(json.dumps(content))
    before = [(folder / name).read_text() for name in ("params.yaml", "arms.yaml")]
    assert main(["import-labels", str(target), "-C", str(folder)]) == 1
    assert told in capsys.readouterr().err
    assert [(folder / name).read_text() for name in ("params.yaml", "arms.yaml")] == before
    assert not (folder / "labels").exists()


def test_held_out_images_are_taken_only_when_asked(folder, no_dvc, tmp_path, capsys):
    target = tmp_path / "test.json"
    assert main(["export", "test", str(target), "-C", str(folder)]) == 0
    content = json.loads(target.read_text())
    content["annotations"] = content["annotations"][1:]
    target.write_text(json.dumps(content))
    assert main(["import-labels", str(target), "-C", str(folder)]) == 1
    assert "belong to the search or test split; --held-out takes" in capsys.readouterr().err
    assert main(["import-labels", str(target), "--held-out", "--no-arm", "-C", str(folder)]) == 0
    assert "0 added, 1 removed" in capsys.readouterr().out
    assert "before_repair" not in (folder / "arms.yaml").read_text()


def test_a_data_set_that_is_gone_is_told(folder, no_dvc, tmp_path, capsys):
    target, _ = exported(folder, tmp_path)
    (folder / "pictures").rename(tmp_path / "elsewhere")
    assert main(["import-labels", str(target), "-C", str(folder)]) == 1
    assert f"the data set {folder / 'pictures/annotations.json'} is gone; put it back" in capsys.readouterr().err
    assert not (folder / "labels").exists()


def test_tables_that_are_not_up_to_date_are_made_first(folder, monkeypatch, tmp_path, capsys):
    target, _ = exported(folder, tmp_path)
    old = Staleness(["ingest"], ["ingest"], [])
    monkeypatch.setattr("metricloop.study.import_labels.staleness", lambda folder: old)
    assert main(["import-labels", str(target), "-C", str(folder)]) == 1
    assert f"metricloop audit --no-training -C '{folder}'" in capsys.readouterr().err
    assert main(["import-labels", str(tmp_path / "gone.json"), "-C", str(folder)]) == 1
    assert "gone.json does not exist; give the file or folder" in capsys.readouterr().err
