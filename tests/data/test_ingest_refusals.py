"""A refusal says why: problems.csv is written, the message names the commonest problems and what to do."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from odd_sets import coco, dump, names, pictures, voc, write, yolo

from metricloop.data.formats import SourceError, read
from metricloop.data.formats.folder_check import strays
from metricloop.data.formats.problem import Problem, reasons
from metricloop.params import ParamsError, check_params


def stage(workspace, **data):
    root = Path(__file__).parents[2]
    workspace.mkdir(exist_ok=True)
    params = {"study": {"name": "tiny"}, "data": {"source": "../set"} | data}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    return subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.tasks.ingest"],
        cwd=workspace, env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def listed(workspace):
    with (workspace / "data/problems.csv").open() as stream:
        return list(csv.reader(stream))


def test_the_stage_writes_the_problems_of_labels_it_cannot_use(tmp_path):
    yolo(tmp_path / "set", pictures(tmp_path / "set", names("images/")), lambda own: "0,0.5,0.5,0.1,0.1\n# no\n")
    done = stage(tmp_path / "ws")
    assert done.returncode == 1
    assert "the pool has no labelled object" in done.stderr
    assert "labels/00.txt: line is not a label" in done.stderr
    assert "parted by commas" in done.stderr
    assert "All 20 problems are listed in data/problems.csv" in done.stderr
    assert len(listed(tmp_path / "ws")) == 21
    assert "Traceback" not in done.stderr


def test_the_stage_writes_the_problems_of_a_source_that_cannot_be_read(tmp_path):
    voc(tmp_path / "set", pictures(tmp_path / "elsewhere", names()))
    done = stage(tmp_path / "ws")
    assert done.returncode == 1
    assert "labels without picture" in done.stderr
    assert [row[1] for row in listed(tmp_path / "ws")[1:]] == ["labels without picture"] * 10


def test_the_stage_follows_links_only_where_data_outside_says_so(tmp_path):
    boxes = pictures(tmp_path / "store", names())
    dump(tmp_path / "set/a.json", coco(boxes))
    (tmp_path / "set/images").symlink_to(tmp_path / "store")
    refused = stage(tmp_path / "ws")
    assert refused.returncode == 1
    assert "data.outside" in refused.stderr
    assert any("link is not followed" in row[2] for row in listed(tmp_path / "ws"))
    for outside in (True, [str(tmp_path / "store")]):
        done = stage(tmp_path / "ws", outside=outside)
        assert done.stdout.startswith("ingest: 10 images, 20 boxes"), done.stderr


def test_pictures_are_looked_for_below_data_root(tmp_path):
    """The label file lies deep in the data set, and names its pictures by the paths of a server."""
    boxes = pictures(tmp_path / "set/pics", names())
    dump(tmp_path / "set/exports/today/result.json", coco(boxes, lambda name: f"/media/{name}"))
    refused = stage(tmp_path / "ws", source="../set/exports/today/result.json")
    assert refused.returncode == 1
    done = stage(tmp_path / "ws", source="../set/exports/today/result.json", root="../set")
    assert done.stdout.startswith("ingest: 10 images, 20 boxes"), done.stderr


def test_the_stage_groups_as_params_say(tmp_path):
    boxes = pictures(tmp_path / "set", [f"{k:02d} of tower {k % 5}.jpg" for k in range(15)])
    dump(tmp_path / "set/a.json", coco(boxes))
    done = stage(tmp_path / "ws", group=r"of (tower \d)")
    assert "15 of 15 names fit, 5 groups" in done.stdout


def test_reasons_are_the_commonest_kinds_with_an_example_each():
    found = [Problem("a", "rare", "x"), *[Problem(str(k), "common", f"y{k}") for k in range(9)]]
    found += [Problem("b", "second", "z")] * 2 + [Problem("c", "third", "\x1b[2J")] * 2
    told = reasons(found)
    assert (
        told
        == "0: common, y0 (9 like this); b: second, z (2 like this); c: third, ?[2J (2 like this); and 1 more kinds"
    )


@pytest.mark.parametrize("value", [False, "off"])
def test_off_is_off_however_yaml_reads_it(value):
    data = check_params(
        {"study": {"name": "a"}, "data": {"source": "x", "group": value, "near_duplicates": value}}
    ).data
    assert (data.group, data.near) == ("off", "off")


def test_settings_of_groups_are_checked():
    near = check_params({"study": {"name": "a"}, "data": {"source": "x", "near_duplicates": 2}}).data.near
    assert near == 2
    for bad in ({"group": "("}, {"near_duplicates": "close"}, {"near_duplicates": -1}, {"outside": 3}):
        with pytest.raises(ParamsError):
            check_params({"study": {"name": "a"}, "data": {"source": "x"} | bad})


def test_a_source_that_is_gone_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone does not exist; set data\.source"):
        read(tmp_path / "gone")


def test_strays_are_found_without_following_them(tmp_path):
    root = tmp_path / "set"
    write(root / "a/b.txt", "x")
    os.mkfifo(root / ".pipe")
    for name, target in {"me": ".", "up": "..", "zero": "/dev/zero", "gone": "nowhere", "loop": "loop"}.items():
        (root / "a" / name).symlink_to(target)
    (root / "fine.txt").symlink_to("a/b.txt")
    write(tmp_path / "out.txt", "x")
    (root / "out").symlink_to(tmp_path / "out.txt")
    found = {Path(problem.file).name: problem.action for problem in strays(root)}
    assert set(found) == {".pipe", "me", "up", "zero", "gone", "loop", "out"}
    assert found["zero"] == "a link to a device"
    assert found["me"] == "a link to a folder above itself"
    assert "out" not in {Path(problem.file).name for problem in strays(root, links_out=True)}
