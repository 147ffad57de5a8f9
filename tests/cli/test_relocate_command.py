"""relocate: the data set has moved; it is compared by content, and what was computed stays up to date."""

import json
import shutil

import pytest
from packed_set import one_box, parquet, samples

from metricloop.cli.main import main
from metricloop.data.tables import read_yaml
from metricloop.drawing.scenes import draw_scenes
from metricloop.params import Data
from metricloop.study.data_files import MissingDataError
from metricloop.study.relocated import new_places
from metricloop.study.staleness import staleness


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace whose tables are made, and beside it the data set that it reads."""
    top = tmp_path_factory.mktemp("relocate")
    draw_scenes(top / "lions/set", 12, size=64, seed=0)
    assert main(["init", str(top / "ws"), "--data", str(top / "lions/set"), "--yes"]) == 0
    return top


@pytest.fixture
def moved(made, tmp_path):
    """The same with the data set moved to disk/lions/set, and the workspace as it was, in a place of its own."""
    shutil.copytree(made / "ws", tmp_path / "ws", symlinks=True)
    shutil.copytree(made / "lions", tmp_path / "disk/lions")
    for path in ("params.yaml",):
        text = (tmp_path / "ws" / path).read_text()
        (tmp_path / "ws" / path).write_text(text.replace(str(made / "lions"), str(tmp_path / "old/lions")))
    return tmp_path


@pytest.mark.parametrize("place", ["disk/lions/set", "disk/lions", "disk"])
def test_the_same_data_at_another_place_makes_no_stage_out_of_date(moved, capsys, place):
    ws = moved / "ws"
    assert main(["status", "-C", str(ws)]) == 0
    assert f"is gone; put it back, or say where it is now: metricloop relocate PATH -C {ws}" in capsys.readouterr().out
    assert main(["relocate", str(moved / place), "-C", str(ws)]) == 0
    assert "the same pictures and labels" in capsys.readouterr().out
    data = read_yaml(ws / "params.yaml")["data"]
    assert (data["source"], data["root"]) == (str(moved / "disk/lions/set"),) * 2
    assert "ingest" not in staleness(ws).old


def test_a_picture_that_is_not_there_is_named_and_nothing_is_changed(moved, capsys):
    ws, before = moved / "ws", (moved / "ws/params.yaml").read_bytes()
    (moved / "disk/lions/set/images/00003.jpg").unlink()
    assert main(["relocate", str(moved / "disk/lions"), "-C", str(ws)]) == 1
    assert "1 picture of the study not there: images/00003.jpg" in capsys.readouterr().out
    assert (ws / "params.yaml").read_bytes() == before


def test_other_labels_are_noticed_and_nothing_is_changed(moved, capsys):
    ws, before = moved / "ws", (moved / "ws/params.yaml").read_bytes()
    file = next((moved / "disk/lions/set").rglob("*.json"))
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"][2] /= 2
    file.write_text(json.dumps(content))
    assert main(["relocate", str(moved / "disk"), "-C", str(ws)]) == 1
    out = capsys.readouterr().out
    assert "is not the data set of this study, and params.yaml stays as it is: it makes other tables" in out
    assert "data/boxes/" in out
    assert f"metricloop run -C {ws} --set data.source=" in out
    assert (ws / "params.yaml").read_bytes() == before


def test_a_place_without_the_data_set_is_refused(moved, capsys):
    (moved / "empty").mkdir()
    for place, said in (
        ("empty", "does not hold the data set of this study: looked there for set"),
        ("none", "does not exist"),
    ):
        assert main(["relocate", str(moved / place), "-C", str(moved / "ws")]) == 1
        assert said in capsys.readouterr().err


def test_an_annotation_file_and_its_pictures_move_together(tmp_path):
    (tmp_path / "new/annotations").mkdir(parents=True)
    (tmp_path / "new/annotations/all.json").write_text("{}")
    (tmp_path / "new/images").mkdir()
    (tmp_path / "more").mkdir()
    data = Data(source="/gone/set/annotations/all.json", root="/gone/set/images", outside=(str(tmp_path / "more"),))
    found = new_places(tmp_path, data, tmp_path / "new")
    assert (found.data.source, found.data.root) == (f"{tmp_path}/new/annotations/all.json", f"{tmp_path}/new/images")
    assert (found.data.outside, found.changed) == (data.outside, ["source", "root"])
    with pytest.raises(MissingDataError, match=r"for all.json and images, which were at /gone/set"):
        new_places(tmp_path, data, tmp_path / "more")


def test_data_inside_the_workspace_does_not_move(tmp_path, capsys):
    assert main(["init", str(tmp_path / "demo"), "--demo"]) == 0
    assert main(["relocate", str(tmp_path), "-C", str(tmp_path / "demo")]) == 1
    assert "lies inside it" in capsys.readouterr().err


def test_a_parquet_file_at_another_place(tmp_path):
    parquet(tmp_path / "lions/a.parquet", samples(12), one_box(12), ["lion"])
    assert main(["init", str(tmp_path / "ws"), "--data", str(tmp_path / "lions/a.parquet"), "--yes"]) == 0
    (tmp_path / "lions").rename(tmp_path / "moved")
    assert main(["relocate", str(tmp_path / "moved"), "-C", str(tmp_path / "ws")]) == 0
    data = read_yaml(tmp_path / "ws/params.yaml")["data"]
    assert (data["source"], data["root"]) == (str(tmp_path / "moved/a.parquet"), str(tmp_path / "moved"))
