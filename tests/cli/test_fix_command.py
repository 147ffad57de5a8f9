"""metricloop fix as typed: marks become a version of the labels, or labels for other tools."""

import fcntl
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from marked import drawn, entry, save
from study_fixture import make_study

from metricloop import layout
from metricloop.cli.data_place import place_of
from metricloop.cli.data_questions import OpenQuestionError, look
from metricloop.cli.main import main
from metricloop.data.formats import SourceError, read
from metricloop.data.formats.repaired import read_repaired
from metricloop.data.formats.written import links_of
from metricloop.data.label_versions import read_steps
from metricloop.data.loading import load
from metricloop.data.tables import read_json, write_boxes
from metricloop.data.writers import NAMES
from metricloop.study.follow_labels import Effects
from metricloop.study.new_study import NewStudy, new_params
from metricloop.study.staleness import Staleness
from metricloop.text.numbers import DASH


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A made-up study that is no DVC repository; its tables count as up to date."""
    monkeypatch.setattr("metricloop.study.import_labels.staleness", lambda folder: Staleness(["ingest"], [], []))
    monkeypatch.setattr("metricloop.study.import_labels.read_anew", lambda *given: Effects(later=["predict"]))
    return make_study(tmp_path / "my study")


@pytest.fixture
def data(folder):
    return load(folder / "data", folder / "pictures")


def boxed(data, split="pool"):
    """Rows of three images of a split that have a label, and the row of the first label of each."""
    rows = [row for row in range(len(data)) if data.counts[row] and data.split[row] == split][:3]
    return rows, [int(data.offsets[row]) for row in rows]


def wider(data, box):
    """The box of a label with its right side 2 px further right."""
    return [*data.boxes[box][:2].tolist(), float(data.boxes[box][2]) + 2, float(data.boxes[box][3])]


def four_marks(data):
    """A moved box, a deleted one, a box that is right, and an object without a label, on three images of the pool."""
    rows, first = boxed(data)
    name = data.class_names[data.labels[first[0]]]
    return [
        entry(data, "fix", rows[0], first[0], to=drawn(wider(data, first[0]), name)),
        entry(data, "delete", rows[1], first[1], "spurious"),
        entry(data, "keep", rows[2], first[2]),
        entry(data, "fix", rows[2], kind="missing", to=drawn([50, 50, 60, 62], "football")),
    ]


def test_marks_become_a_version_of_the_labels(folder, data, tmp_path, capsys):
    marks = save(tmp_path / "marks.json", *four_marks(data))
    rows, first = boxed(data)
    typed = ["fix", str(marks), "-C", str(folder)]
    before = (folder / "params.yaml").read_text()
    assert main([*typed, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "dry run: nothing was written" in out
    assert (folder / "params.yaml").read_text() == before
    assert not (folder / "labels").exists()
    assert main(typed) == 0
    out = capsys.readouterr().out
    assert out.replace(DASH, "-").splitlines()[:8] == [
        "applying the marks of marks.json",
        "marks.json: 4 marks for 9 findings of the audit",
        "                keep       fix    delete  not sure",
        "  placed           1         1         -         -",
        "  spurious         -         -         1         -",
        "  missing          -         1         -         -",
        "labels of 3 images change, version 1 of the labels: 1 added, 1 removed, 1 moved, 0 renamed",
        "1 finding judged right: the next audit does not list what is right",
    ]
    assert f"labels 1: {folder / 'labels/1.json'}\n" in out
    assert "out of date now: predict" in out
    assert f"metricloop audit -C '{folder}'" in out
    assert max(len(line) for line in out.splitlines() if str(folder) not in line) <= 110
    [step] = read_steps(folder / "labels/1.json")
    assert sorted(step.images) == sorted(str(data.file[row]) for row in rows)
    assert step.images[data.file[rows[0]]][0][:4] == wider(data, first[0])
    assert len(step.images[data.file[rows[1]]]) == data.counts[rows[1]] - 1
    assert [50, 50, 60, 62, "football", False] in step.images[data.file[rows[2]]]
    assert [step.changes[kind] for kind in ("added", "removed", "moved", "renamed")] == [1, 1, 1, 0]
    assert yaml.safe_load((folder / "params.yaml").read_text())["data"]["labels"] == "labels/1.json"
    assert "before_repair" in (folder / "arms.yaml").read_text()
    assert [one["mark"] for one in read_json(folder / "labels/judged.json")["marks"]] == [
        "fix",
        "delete",
        "keep",
        "fix",
    ]


def test_while_another_command_works_marks_can_be_looked_at_and_a_wrong_name_is_told(folder, data, tmp_path, capsys):
    marks = save(tmp_path / "marks.json", *four_marks(data))
    path = folder / layout.RUN_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["fix", str(marks), "-C", str(folder), "--dry-run"]) == 0
        assert "dry run: nothing was written" in capsys.readouterr().out
        assert main(["fix", str(marks), "-C", str(folder)]) == 1
        assert "another command works in" in capsys.readouterr().err
        for command in ("fix", "import-labels"):
            assert main([command, str(tmp_path / "mraks.json"), "-C", str(folder)]) == 1
            assert "mraks.json does not exist" in capsys.readouterr().err


def test_of_a_folder_the_files_of_marks_in_it_are_named(folder, data, tmp_path, capsys):
    downloads = tmp_path / "down loads"
    downloads.mkdir()
    (downloads / "other.json").write_text('{"format": "something else"}')
    assert main(["fix", str(downloads), "-C", str(folder)]) == 1
    assert "down loads is a folder; give the marks.json that the page of an audit saved; there is none in it" in (
        capsys.readouterr().err
    )
    marks = save(downloads / "marks (1).json", *four_marks(data))
    assert main(["fix", str(downloads), "-C", str(folder)]) == 1
    assert capsys.readouterr().err.endswith(f"is a folder; give the file of marks in it: {marks}\n")


def test_labels_that_are_only_right_make_no_version(folder, data, tmp_path, capsys):
    rows, first = boxed(data)
    marks = save(tmp_path / "m.json", entry(data, "keep", rows[0], first[0]), entry(data, "unsure", rows[1], first[1]))
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    assert "no label changes\n1 finding judged right" in capsys.readouterr().out
    assert [path.name for path in (folder / "labels").iterdir()] == ["judged.json"]
    assert [one["mark"] for one in read_json(folder / "labels/judged.json")["marks"]] == ["keep"]


def test_held_out_labels_change_only_when_asked(folder, data, tmp_path, capsys):
    rows, first = boxed(data, "test")
    marks = save(tmp_path / "m.json", entry(data, "delete", rows[0], first[0]), entry(data, "keep", rows[1], first[1]))
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "1 mark left out: of the search and test split, which judge all arms; --held-out takes them too" in out
    assert not (folder / "labels/1.json").exists()
    assert main(["fix", str(marks), "--held-out", "--no-arm", "-C", str(folder)]) == 0
    assert "0 added, 1 removed" in capsys.readouterr().out
    [step] = read_steps(folder / "labels/1.json")
    assert list(step.images) == [data.file[rows[0]]]
    assert main(["fix", str(marks), "--to", str(tmp_path / "out"), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "1 mark of the search and test split is applied too: other tools get all repairs" in out
    assert "labels of 1 image change: 0 added, 1 removed" in out
    assert "before_repair" not in (folder / "arms.yaml").read_text()


def test_marks_of_other_labels_change_nothing(folder, data, tmp_path, capsys):
    rows, first = boxed(data)
    old = entry(data, "delete", rows[0], first[0])
    marks = save(tmp_path / "m.json", old | {"box": [value + 1 for value in old["box"]]})
    before = (folder / "params.yaml").read_text()
    assert main(["fix", str(marks), "-C", str(folder)]) == 1
    err = capsys.readouterr().err
    assert f"make a new one: metricloop audit -C '{folder}'" in err
    assert err.count("\n") == 1
    assert (folder / "params.yaml").read_text() == before
    assert not (folder / "labels").exists()
    assert main(["fix", str(marks), "--format", "coco", "-C", str(folder)]) == 2
    assert "need --to TARGET" in capsys.readouterr().err


def test_marks_that_were_applied_before_are_in_what_is_written(folder, data, tmp_path, capsys):
    rows, first = boxed(data)
    marks = save(tmp_path / "m.json", entry(data, "delete", rows[0], first[0]))
    marks.write_bytes(b"\xef\xbb\xbf" + marks.read_bytes())  # as some editors save it
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    write_labels(folder, data, np.delete(np.arange(len(data.boxes)), first[0]), data.boxes)
    target = tmp_path / "again"
    assert main(["fix", str(marks), "--to", str(target), "--format", "yolo", "-C", str(folder)]) == 0
    assert f"no more labels change: {target} has those that these marks changed before" in capsys.readouterr().out
    assert len(read_repaired(target, data, "yolo").images[rows[0]]) == data.counts[rows[0]] - 1


def write_labels(folder, data, kept, boxes):
    """Write labels as `ingest` would: those at `kept` of the data, with other boxes."""
    columns = {"box_id": data.box_id[kept], "image_id": data.image_id[data.box_row][kept], "label": data.labels[kept]}
    columns |= {name: boxes[kept, place] for place, name in enumerate(("x1", "y1", "x2", "y2"))}
    columns["crowd"] = data.crowd[kept]
    write_boxes(folder / "data", {"image_id": data.image_id, "split": data.split}, columns)


@pytest.mark.parametrize("form", NAMES)
def test_repaired_labels_come_back_from_every_format(folder, data, tmp_path, form, capsys):
    target = tmp_path / "out"
    marks = save(tmp_path / "m.json", *four_marks(data))
    (folder / "pictures/annotations.json").rename(folder / "pictures/labels.csv")  # the source is of no known format
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["data"] |= {"source": "pictures/labels.csv", "format": "yolo"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    before = (folder / "params.yaml").read_text()
    assert main(["fix", str(marks), "--to", str(target), "--format", form, "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "labels of 3 images change: 1 added, 1 removed, 1 moved, 0 renamed" in out
    assert f"{target}" in out.partition("0 renamed\n")[2]  # where the labels were written
    assert (folder / "params.yaml").read_text() == before
    assert not (folder / "labels").exists()
    single = {"label-studio": "labels.json", "cvat": "labels.xml"}
    read_as = {"coco-folder": "coco"}.get(form, form)  # one is read, two are written
    if form not in single:
        again = read(target, outside=[links_of(target)])  # by itself, as `init` does, without options
        assert again.format == read_as
        assert sum(len(record.boxes) for record in again.records) == len(data.boxes)
    found = read_repaired(target / single[form] if form in single else target, data, read_as).images
    rows, first = boxed(data)
    expected = {row: data.boxes[data.slice(row)].tolist() for row in range(len(data))}
    expected[rows[0]][0] = wider(data, first[0])
    del expected[rows[1]][0]
    expected[rows[2]].append([50, 50, 60, 62])
    assert set(found) >= {row for row, own in expected.items() if own}
    for row, labels in found.items():
        boxes = np.array(sorted(box for box, _, _ in labels)).reshape(-1, 4)
        assert boxes == pytest.approx(np.array(sorted(expected[row])).reshape(-1, 4), abs=0.01)
    assert [name for box, name, _ in found[rows[2]] if box == pytest.approx([50, 50, 60, 62], abs=0.01)] == ["football"]
    if form not in single:  # pictures have their own names
        names = {path.name for path in target.rglob("*.png")}
        assert names == {Path(file).name for file in data.file}


def test_pictures_are_copied_or_that_is_refused(folder, data, tmp_path, capsys):
    marks = save(tmp_path / "m.json", *four_marks(data))
    typed = ["fix", str(marks), "--copy", "-C", str(folder), "--to"]
    for form in ("coco", "coco-folder", "voc", "yolo", "fiftyone"):
        assert main([*typed, str(tmp_path / form), "--format", form]) == 0
        copied = sorted((tmp_path / form).rglob("*.png"))
        assert len(copied) == len(data)
        assert all(path.stat().st_nlink == 1 and not path.is_symlink() for path in copied)
    capsys.readouterr()
    for form, suffix in (("coco", "json"), ("cvat", "xml"), ("label-studio", "json")):
        target = tmp_path / f"{form}.{suffix}"
        assert main([*typed, str(target), "--format", form]) == 1
        assert f"--copy needs a folder for the pictures, and {target} is one file" in capsys.readouterr().err
        assert main(["export", "pool", str(target), "--hard-links", "--format", form, "-C", str(folder)]) == 1
        assert f"--hard-links needs a folder for the pictures, and {target} is one" in capsys.readouterr().err
        assert not target.exists()


def coco_source(folder, data):
    """The source as COCO, with ids, entries and fields of its own."""
    content = {
        "info": {"year": 2020},
        "images": [
            {"id": 1000 + int(n), "file_name": str(file), "width": 64, "height": 64, "license": 3}
            for n, file in zip(data.image_id, data.file, strict=True)
        ],
        "annotations": [
            {"id": 70 + 10 * box, "image_id": 1000 + int(data.image_id[row]), "category_id": 20 + int(label),
             "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)], "segmentation": [[1, 2, 3, 4, 5, 6]],
             "iscrowd": 0, "mood": "calm"}
            for box, (row, label, (x1, y1, x2, y2)) in enumerate(
                zip(data.box_row, data.labels, data.boxes, strict=True))
        ],
        "categories": [{"id": 21, "name": "football"}, {"id": 20, "name": "panda", "supercategory": "animal"}],
    }  # fmt: skip
    content["annotations"].append({"id": 9, "image_id": 1000, "category_id": 77, "bbox": [1, 1, 5, 5]})  # no class
    (folder / "pictures/annotations.json").write_text(json.dumps(content, indent=2))
    return content


def test_a_coco_source_is_written_anew_with_only_the_repaired_entries_changed(folder, data, tmp_path, capsys):
    old = coco_source(folder, data)
    rows, first = boxed(data)
    marks = save(tmp_path / "m.json", *four_marks(data))
    target = tmp_path / "repaired"
    assert main(["fix", str(marks), "--to", str(target), "--format", "coco", "-C", str(folder)]) == 0
    assert "ids, names and all entries that were not repaired are those of the source" in capsys.readouterr().out
    text = (target / "annotations.json").read_text()
    new = json.loads(text)
    assert len(read(target, outside=[links_of(target)]).records) == len(
        data
    )  # with its pictures, as `init` reads it without options
    assert (target / data.file[0]).samefile(folder / "pictures" / data.file[0])
    assert text.startswith('{\n  "info"')  # laid out as the source
    assert {key: new[key] for key in ("info", "images", "categories")} == {
        key: old[key] for key in ("info", "images", "categories")
    }
    by_id = {one["id"]: one for one in new["annotations"]}
    x, y, width, height = old["annotations"][first[0]]["bbox"]
    bbox = [x, y, width + 2, height]
    moved, gone, top = 70 + 10 * first[0], 70 + 10 * first[1], max(one["id"] for one in old["annotations"])
    assert by_id[moved] == {
        "id": moved, "image_id": 1000 + int(data.image_id[rows[0]]), "bbox": bbox, "area": bbox[2] * bbox[3],
        "category_id": 20 + int(data.labels[first[0]]), "mood": "calm", "iscrowd": 0, "segmentation": [],
    }  # fmt: skip
    assert gone not in by_id
    assert by_id[top + 1] == {
        "id": top + 1, "image_id": 1000 + int(data.image_id[rows[2]]), "bbox": [50, 50, 10, 12], "area": 120,
        "iscrowd": 0, "category_id": 21, "segmentation": [],
    }  # fmt: skip
    rest = [one for one in old["annotations"] if one["id"] not in (moved, gone)]
    assert [one for one in new["annotations"] if one["id"] not in (moved, top + 1)] == rest
    assert main(["fix", str(marks), "--to", str(folder / "pictures"), "--format", "coco", "-C", str(folder)]) == 1
    assert "is the source itself; name another place" in capsys.readouterr().err
    assert json.loads((folder / "pictures/annotations.json").read_text()) == old


def test_a_repaired_folder_holds_what_ingest_left_out_and_files_without_a_repair_to_the_byte(folder, data, tmp_path):
    coco_source(folder, data)
    rows, _ = boxed(data)
    name = data.file[rows[1]]  # whose label is deleted; the picture of this name in another folder keeps its own
    (folder / "pictures/val").mkdir()
    (folder / "pictures/val" / name).write_bytes((folder / "pictures" / name).read_bytes())
    image = {"id": 1, "file_name": f"val/{name}", "width": 64, "height": 64}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}
    other = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "panda"}]}
    (folder / "pictures/second.json").write_text(json.dumps(other, separators=(",", " : ")))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["data"]["source"] = "pictures"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    marks = save(tmp_path / "m.json", *four_marks(data))
    target = tmp_path / "repaired"
    assert main(["fix", str(marks), "--to", str(target), "-C", str(folder)]) == 0
    assert (target / "second.json").read_bytes() == (folder / "pictures/second.json").read_bytes()
    assert set(json.loads((target / "annotations.json").read_text())) == {"info", "images", "annotations", "categories"}
    assert (target / "val" / name).samefile(folder / "pictures/val" / name)
    again = read(target, outside=[links_of(target)])
    assert len(again.records) == len(data) + 1
    assert not [one for one in again.problems if one.problem == "labels without picture"]


def test_a_repaired_coco_folder_is_not_written_among_other_files(folder, data, tmp_path, capsys):
    coco_source(folder, data)
    marks = save(tmp_path / "m.json", *four_marks(data))
    mine = tmp_path / "out" / data.file[0]  # a picture of the same name
    mine.parent.mkdir()
    mine.write_text("mine")
    assert main(["fix", str(marks), "--to", str(mine.parent), "--format", "coco", "-C", str(folder)]) == 1
    assert f"{mine.parent} is not empty; name another folder, or empty it" in capsys.readouterr().err
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(("name", "to"), [("m.json", "m.json"), ("out/annotations.json", "out")])
def test_repaired_labels_are_not_written_over_a_file(folder, data, tmp_path, capsys, name, to):
    coco_source(folder, data)
    marks = save(tmp_path / "m.json", *four_marks(data))
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text(marks.read_text())
    before = mine.read_text()
    assert main(["fix", str(marks), "--to", str(tmp_path / to), "--format", "coco", "-C", str(folder)]) == 1
    assert f"{mine} exists already; name another file, or delete it first" in capsys.readouterr().err
    assert mine.read_text() == before


def test_labels_that_were_repaired_before_are_in_the_coco_file_too(folder, data, tmp_path, capsys):
    coco_source(folder, data)
    _, first = boxed(data)
    marks = save(tmp_path / "m.json", *four_marks(data)[:2])
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    # what `ingest` makes of that version: the box is gone, and the others keep their ids
    kept = np.delete(np.arange(len(data.boxes)), first[1])
    boxes = data.boxes.copy()
    boxes[first[0]] = wider(data, first[0])
    write_labels(folder, data, kept, boxes)
    target = tmp_path / "again.json"
    assert main(["fix", str(marks), "--to", str(target), "-C", str(folder)]) == 0
    assert "2 marks left out: applied before" in capsys.readouterr().out
    by_id = {one["id"]: one for one in json.loads(target.read_text())["annotations"]}
    assert by_id[70 + 10 * first[0]]["bbox"][2] == data.boxes[first[0]][2] - data.boxes[first[0]][0] + 2
    assert 70 + 10 * first[1] not in by_id
    assert len(by_id) == len(data.boxes)  # one less, and the one without a class


@pytest.mark.parametrize("form", ["coco", "fiftyone", "voc", "yolo"])
def test_init_reads_a_repaired_folder_without_options(folder, data, tmp_path, form, capsys, monkeypatch):
    marks = save(tmp_path / "m.json", *four_marks(data))
    target = tmp_path / "repaired set"
    assert main(["fix", str(marks), "--to", str(target), "--format", form, "-C", str(folder)]) == 0
    place = place_of(str(target), None, None)
    study = NewStudy(name="again", **place._asdict())
    looked = look(study, yes=False)
    assert sum(len(record.boxes) for record in looked.source.records) == len(data.boxes)  # one added, one removed
    assert new_params(looked.study).data.outside == (str(folder / "pictures"),)
    assert f"its links to pictures in {folder}/pictures are followed (data.outside)" in capsys.readouterr().out
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))  # who has not written this folder
    with pytest.raises((OpenQuestionError, SourceError), match=r"data\.outside"):
        look(study, yes=False)
