"""The data set's files are watched without being read, and a data set that is gone is named with what to do."""

import os

import pytest
import yaml
from PIL import Image, ImageOps
from tiny_study import dvc

from metricloop.drawing.scenes import draw_scenes
from metricloop.params import Data
from metricloop.study.data_files import MissingDataError, check_there, is_inside, look_through, missing, wire_source
from metricloop.study.new_study import NewStudy, create
from metricloop.study.rendering import render_stages, write_if_changed
from metricloop.study.staleness import staleness


def record_files(folder, data) -> None:
    if (text := look_through(folder, data)) is not None:
        write_if_changed(folder / "fingerprint.yaml", text)


def recorded(folder) -> dict:
    return yaml.safe_load((folder / "fingerprint.yaml").read_text())


@pytest.fixture
def ws(tmp_path):
    (tmp_path / "set/annotations").mkdir(parents=True)
    (tmp_path / "set/train2017").mkdir()
    (tmp_path / "set/annotations/train.json").write_text("{}")
    (tmp_path / "set/train2017/a.jpg").write_bytes(b"123")
    folder = tmp_path / "my ws"
    folder.mkdir()
    return folder


def test_pictures_beside_the_folder_of_an_annotation_file_are_watched(ws):
    data = Data(source="../set/annotations/train.json", root="../set/annotations")
    record_files(ws, data)
    before = recorded(ws)
    assert (before["files"], before["bytes"]) == (2, 5)
    (ws / "../set/train2017/b.jpg").write_bytes(b"")
    record_files(ws, data)
    assert recorded(ws)["files"] == 3


def test_folders_that_data_outside_names_are_watched_too(ws):
    (ws.parent / "more").mkdir()
    (ws.parent / "more/c.jpg").write_bytes(b"")
    record_files(ws, Data(source="../set", root="../set", outside=("../more",)))
    assert recorded(ws)["files"] == 3


def test_what_is_unchanged_is_not_written_again(ws):
    data = Data(source="../set", root="../set")
    record_files(ws, data)
    before = (ws / "fingerprint.yaml").stat()
    record_files(ws, data)
    assert (ws / "fingerprint.yaml").stat().st_ino == before.st_ino


def test_a_data_set_that_is_gone_keeps_its_fingerprint_and_is_named(ws):
    data = Data(source="../set", root="../set")
    record_files(ws, data)
    before = recorded(ws)
    assert missing(ws, data) == ""
    (ws.parent / "set").rename(ws.parent / "moved")
    record_files(ws, data)
    assert recorded(ws) == before
    with pytest.raises(MissingDataError, match="gone; put it back, or say where it is now") as caught:
        check_there(ws, data)
    assert f"the data set {ws.parent / 'set'} is gone" in str(caught.value)
    assert f"metricloop relocate PATH -C '{ws}'" in str(caught.value)


def test_an_empty_folder_is_no_data_set_as_where_a_disk_is_not_mounted(ws):
    data = Data(source="../set", root="../set")
    record_files(ws, data)
    before = recorded(ws)
    (ws.parent / "set").rename(ws.parent / "moved")
    (ws.parent / "set").mkdir()
    record_files(ws, data)
    assert recorded(ws) == before
    assert f"the data set {ws.parent / 'set'} is empty; put it back" in missing(ws, data)


def test_what_is_done_after_ingest_needs_the_pictures_only(ws):
    data = Data(source="../set/gone.json", root="../set")
    assert missing(ws, data)
    check_there(ws, data, pictures=True)


def test_an_imported_data_set_is_brought_by_dvc_and_a_drawn_one_is_drawn(ws):
    data = Data(source="source/a.json", root="source")
    assert is_inside(ws, data)
    record_files(ws, data)
    assert not (ws / "fingerprint.yaml").exists()
    assert missing(ws, data) == ""
    (ws / "source.dvc").write_text("outs: []")
    assert "dvc pull source.dvc" in missing(ws, data)


def test_ingest_reads_the_fingerprint_of_what_lies_outside_and_files_that_lie_inside():
    inside = render_stages(drawn=False)
    outside = wire_source(inside, False)
    deps = [yaml.safe_load(text)["stages"]["ingest"]["deps"] for text in (inside, outside)]
    assert deps == [["${data.source}", "${data.root}"], ["fingerprint.yaml"]]
    assert wire_source(outside, False) == outside
    assert wire_source(outside, True) == inside == wire_source(inside, True)


@pytest.mark.slow
def test_a_changed_picture_is_noticed_and_unchanged_tables_make_nothing_stale(ws):
    """A study on a data set outside the workspace: a repainted picture, and one that was only touched."""
    source = ws.parent / "scenes"
    draw_scenes(source, 24, seed=0, size=64)
    create(ws, NewStudy(name="s", source=str(source), root=str(source), format="coco"))
    dvc(ws, "repro", "--single-item", "ingest")
    assert "ingest" in staleness(ws).fresh
    picture = sorted((source / "images").iterdir())[0]
    picture.touch()
    assert "ingest" in staleness(ws).to_do
    tables = (ws / "data/images.parquet").read_bytes()
    dvc(ws, "repro", "--single-item", "ingest")
    assert (ws / "data/images.parquet").read_bytes() == tables
    assert "ingest" in staleness(ws).fresh
    with Image.open(picture) as opened:
        ImageOps.invert(opened.convert("RGB")).save(picture)
    (source / "gone.jpg").symlink_to("/nowhere/gone.jpg")
    open(os.fsencode(source) + b"/\xff.jpg", "w").close()
    found = staleness(ws)
    assert found.to_do[0] == "ingest"
    dvc(ws, "repro", "--single-item", "ingest")
    assert (ws / "data/images.parquet").read_bytes() != tables
    assert "ingest" in staleness(ws).fresh
