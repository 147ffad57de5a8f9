"""The stage ingest on small data sets with every kind of bad input."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from metricloop.data import door
from metricloop.data.damage import Corrupt
from metricloop.data.formats import read
from metricloop.data.ingest import IngestError, ingest, write
from metricloop.data.loading import load
from metricloop.data.summary import describe
from metricloop.data.tables import TRUTH, column, read_json, read_table

CLEAN = Corrupt(preset="none")


def scene(seed, height=30, width=40):
    """A picture unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (width, height))


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def data_set(folder, splits, boxes=((2, 3, 10, 5),), **fields):
    """A COCO data set with a picture per entry of `splits` (None: unsplit); returns its content for changes."""
    images = []
    for number, split in enumerate(splits):
        save(folder / f"images/{number:02d}.png", scene(number))
        entry = {"id": number, "file_name": f"{number:02d}.png", "width": 40, "height": 30}
        images.append(entry | ({"split": split} if split else {}))
    annotations = [
        {"id": 10 * number + k, "image_id": number, "category_id": 1, "bbox": list(box)}
        for number in range(len(splits))
        for k, box in enumerate(boxes)
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "panda"}]} | fields
    (folder / "annotations.json").write_text(json.dumps(content))
    return content


def run(folder, **options):
    return ingest(read(folder), folder, **{"corrupt": CLEAN} | options)


def listed(tables):
    return [(problem.file, problem.problem) for problem in tables.problems]


SPLIT = ["train"] * 6 + ["val"] * 2 + ["test"] * 2


def test_tables_of_a_clean_data_set(tmp_path):
    data_set(tmp_path, SPLIT)
    tables = run(tmp_path)
    assert tables.images["image_id"].tolist() == list(range(1, 11))
    assert tables.images["file"] == [f"images/{number:02d}.png" for number in range(10)]
    assert tables.images["split"] == ["pool"] * 6 + ["search"] * 2 + ["test"] * 2
    assert tables.images["group"] == tables.images["file"]
    assert tables.images["width"] == [40] * 10
    digest = hashlib.sha256((tmp_path / "images/03.png").read_bytes()).hexdigest()
    assert tables.images["sha256"][3] == digest
    assert tables.boxes["box_id"].tolist() == list(range(1, 11))
    assert tables.boxes["x2"].tolist() == [12.0] * 10
    assert tables.problems == []
    assert tables.truth == {name: [] for name in TRUTH.names}
    assert describe(tables.summary) == (
        "ingest: 10 images, 10 boxes, 1 class; pool 6, search 2, test 2; 0 problems listed in data/problems.csv"
    )


def test_written_files_do_not_depend_on_the_order_of_the_source(tmp_path):
    content = data_set(tmp_path / "set", SPLIT, boxes=((2, 3, 10, 5), (9, 9, 4, 4)))
    write(run(tmp_path / "set"), tmp_path / "first")
    for key in ("images", "annotations"):
        content[key].reverse()
    (tmp_path / "set/annotations.json").write_text(json.dumps(content))
    write(run(tmp_path / "set", jobs=2), tmp_path / "second")
    first = tmp_path / "first"
    names = sorted(path.relative_to(first).as_posix() for path in first.rglob("*.*"))
    assert names == [
        "boxes/pool.parquet", "boxes/search.parquet", "boxes/test.parquet", "categories.json", "images.parquet",
        "problems.csv", "summary.json", "truth.parquet",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    pool = load(tmp_path / "first", tmp_path / "set", "pool")
    assert pool.counts.tolist() == [2] * 6


def test_bad_pictures_are_left_out_and_odd_ones_read(tmp_path):
    data_set(tmp_path, ["train"] * 10 + ["val", "test"])
    good = (tmp_path / "images/00.png").read_bytes()
    (tmp_path / "images/00.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "images/01.png").write_bytes(b"")
    (tmp_path / "images/02.png").write_text("<html>404</html>")
    Image.fromarray(scene(3)).convert("CMYK").save(tmp_path / "images/03.png", "JPEG")
    cv2.imwrite(str(tmp_path / "images/04.png"), scene(4)[..., 0].astype(np.uint16) * 257)
    Image.fromarray(scene(5)).convert("LA").save(tmp_path / "images/05.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "images/06.png", scene(6), exif=exif)  # declared 40 x 30, shown 30 x 40
    (tmp_path / "images/07.png").unlink()
    jpeg = tmp_path / "images/08.png"
    save(jpeg, scene(8), format="JPEG")
    jpeg.write_bytes(jpeg.read_bytes()[:-300])
    tables = run(tmp_path)
    assert [file[-6:-4] for file in tables.images["file"]] == ["03", "04", "05", "06", "09", "10", "11"]
    turned = tables.images["file"].index("images/06.png")
    assert (tables.images["width"][turned], tables.images["height"][turned]) == (30, 40)
    of_turned = tables.boxes["image_id"] == turned + 1
    corners = [float(tables.boxes[side][of_turned][0]) for side in ("x1", "y1", "x2", "y2")]
    assert corners == [30 - 8, 2, 30 - 3, 12]
    assert listed(tables) == [
        ("07.png", "labels without picture"),  # as the source names it
        ("images/00.png", "picture cannot be read"),
        ("images/01.png", "picture cannot be read"),
        ("images/02.png", "picture cannot be read"),
        ("images/03.png", "CMYK picture"),
        ("images/04.png", "16-bit picture"),
        ("images/05.png", "picture with transparency"),
        ("images/06.png", "EXIF-rotated picture, labelled unrotated"),
        ("images/08.png", "picture cannot be read"),
    ]
    write(tables, tmp_path / "data")
    rows = list(csv.reader((tmp_path / "data/problems.csv").open()))
    assert rows[0] == ["file", "problem", "action"]
    assert rows[2] == [
        "images/00.png", "picture cannot be read", "left out with 1 boxes (cut off: the end of the picture is missing)",
    ]  # fmt: skip


def test_a_picture_without_labels_that_equals_a_labelled_one_is_told_as_its_copy(tmp_path, monkeypatch):
    data_set(tmp_path, [None] * 8)
    (tmp_path / "images/img1.png").write_bytes((tmp_path / "images/03.png").read_bytes())
    save(tmp_path / "images/new.png", scene(99))
    closed = b"x" * (tmp_path / "images/03.png").stat().st_size  # as large as a labelled one, and cannot be read
    (tmp_path / "images/shut.png").write_bytes(closed)
    readable = door.read_bytes

    def shut(path, *given, **options):
        if Path(path).name == "shut.png":
            raise door.DoorError("permission denied")
        return readable(path, *given, **options)

    monkeypatch.setattr(door, "read_bytes", shut)
    tables = run(tmp_path)
    assert [tuple(one) for one in tables.problems] == [
        ("images/img1.png", "copy of a labelled picture", "left out (the same file as 03.png)"),
        ("images/new.png", "picture without labels", "left out"),
        ("images/shut.png", "picture without labels", "left out"),
    ]


def test_leaks_are_listed_and_leave_the_held_out_side(tmp_path):
    content = data_set(tmp_path, SPLIT)
    (tmp_path / "images/06.png").write_bytes((tmp_path / "images/00.png").read_bytes())
    save(tmp_path / "images/08.png", scene(1), format="JPEG", quality=80)  # a recompressed copy of 01
    content["images"][7]["group"] = content["images"][9]["group"] = "video"
    content["images"][4]["group"] = content["images"][5]["group"] = "train video"
    data = content["images"] + [{"id": 10, "file_name": "10.png", "split": "val"}]
    save(tmp_path / "images/10.png", scene(10))
    labelled = [*content["annotations"], content["annotations"][0] | {"id": 100, "image_id": 10}]
    (tmp_path / "annotations.json").write_text(json.dumps(content | {"images": data, "annotations": labelled}))
    tables = run(tmp_path)
    assert tables.problems == [
        ("images/06.png", "identical to a pool picture", "left out of search (leak: images/00.png)"),
        ("images/07.png", "of the same group as a test picture", "left out of search (leak: images/09.png)"),
        ("images/08.png", "near-duplicate of a pool picture", "left out of test (leak: images/01.png)"),
    ]
    splits = dict(zip(tables.images["file"], tables.images["split"], strict=True))
    assert {file for file, split in splits.items() if split != "pool"} == {"images/09.png", "images/10.png"}
    groups = dict(zip(tables.images["file"], tables.images["group"], strict=True))
    assert groups["images/04.png"] == groups["images/05.png"] == "train video"


def test_one_held_out_part_is_halved_and_none_is_drawn_by_group(tmp_path):
    data_set(tmp_path / "halved", ["train"] * 4 + ["test"] * 4)
    splits = run(tmp_path / "halved").images["split"]
    assert splits[:4] == ["pool"] * 4
    assert sorted(splits[4:]) == ["search"] * 2 + ["test"] * 2

    content = data_set(tmp_path / "drawn", [None] * 20)
    for number, entry in enumerate(content["images"]):
        entry["video_id"] = number // 2
    (tmp_path / "drawn/annotations.json").write_text(json.dumps(content))
    tables = run(tmp_path / "drawn", search_share=0.2, test_share=0.3)
    splits = np.array(tables.images["split"])
    assert [(splits == part).sum() for part in ("pool", "search", "test")] == [10, 4, 6]
    assert (splits[0::2] == splits[1::2]).all()


def test_held_out_part_that_only_repeats_the_pool_is_split_anew(tmp_path):
    """The same folder given as train and val, as sample configurations do."""
    for number in range(10):
        save(tmp_path / f"images/{number}.png", scene(number))
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"train": "images", "val": "images", "names": ["panda"]}))
    tables = run(tmp_path, search_share=0.2, test_share=0.2)
    assert sorted(tables.images["split"]) == ["pool"] * 6 + ["search"] * 2 + ["test"] * 2
    assert len(tables.boxes["box_id"]) == 10
    assert {problem for _, problem in listed(tables)} == {"picture in two splits"}


def test_damage_touches_the_pool_only_and_keeps_the_truth(tmp_path):
    data_set(tmp_path / "set", ["train"] * 20 + ["val"] * 5 + ["test"] * 5, boxes=((2, 3, 10, 5), (20, 10, 12, 12)))
    clean = run(tmp_path / "set")
    tables = run(tmp_path / "set", corrupt=Corrupt(preset="article", strength=1.0))
    write(tables, tmp_path / "data")
    for split, same in (("pool", False), ("search", True), ("test", True)):
        write(clean, tmp_path / "clean")
        before, after = (load(tmp_path / name, tmp_path / "set", split) for name in ("clean", "data"))
        assert np.array_equal(before.boxes, after.boxes) == same
    truth = read_table(tmp_path / "data/truth.parquet", TRUTH)
    pool = load(tmp_path / "data", tmp_path / "set", "pool")
    assert set(column(truth, "image_id").tolist()) == set(pool.image_id.tolist())
    assert (~np.isnan(column(truth, "x1"))).sum() == 40  # every clean box
    assert len(set(tables.boxes["box_id"].tolist())) == len(tables.boxes["box_id"])
    summary = read_json(tmp_path / "data/summary.json")
    assert summary["damage"]["hit"] == 1.0
    assert summary["splits"]["pool"]["boxes"] == len(pool.boxes)
    assert "mistakes put into the pool" in describe(summary)


def test_nothing_usable_is_an_error_that_says_why(tmp_path):
    data_set(tmp_path, SPLIT)
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(IngestError, match=r"none of 10 pictures can be used.*00\.png.*empty file"):
        run(tmp_path)
    data_set(tmp_path, SPLIT, boxes=())
    with pytest.raises(IngestError, match="has no labelled object"):
        run(tmp_path)


def stage(workspace):
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.tasks.ingest"],
        cwd=workspace, env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_stage_runs_in_a_workspace(tmp_path):
    data_set(tmp_path / "source", SPLIT)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    params = {"study": {"name": "tiny"}, "data": {"source": "../source/annotations.json"}}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    done = stage(workspace)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "ingest: 10 images, 10 boxes, 1 class; pool 6, search 2, test 2; 0 problems listed in data/problems.csv\n"
    )
    data = load(workspace / "data", workspace / "../source")
    assert all((data.root / file).is_file() for file in data.file)

    params["data"]["source"] = "nowhere"
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    failed = stage(workspace)
    assert failed.returncode == 1
    assert failed.stderr.startswith("ingest: ")
    assert "nowhere does not exist" in failed.stderr
    assert "Traceback" not in failed.stderr
