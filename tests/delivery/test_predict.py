"""`metricloop predict`: COCO JSON and drawn pictures; a broken picture is named, and the others go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from detector_fixture import add_promoted, make_detector, picture, write_picture

from metricloop.cli.main import main
from metricloop.delivery.draw_detections import COLOURS, draw_detections
from metricloop.delivery.find_pictures import NoPicturesError, find_pictures, short_names
from metricloop.delivery.predict import OccupiedError, predict
from metricloop.delivery.torch_detector import load
from metricloop.serving.detector import Found

KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".webp", ".gif")


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def photos(tmp_path) -> Path:
    """One picture of each kind, two folders deep, and a file that is no picture."""
    for k, kind in enumerate(KINDS):
        write_picture(tmp_path / "photos" / ("deep" if k % 2 else "") / f"a{kind}", picture(40 + k, 60, seed=k))
    (tmp_path / "photos/notes.txt").write_text("nothing")
    return tmp_path / "photos"


def run(*arguments) -> int:
    return main(["predict", *map(str, arguments)])


def test_coco_json_says_what_the_detector_finds(detector, photos, tmp_path):
    assert run(detector, photos, "-o", tmp_path / "found.json", "--score", "0.05", "--batch", "3") == 0
    coco = json.loads((tmp_path / "found.json").read_text())
    assert coco["categories"] == [{"id": 7, "name": "panda"}, {"id": 3, "name": "red panda"}]
    assert [image["file_name"] for image in coco["images"]] == [str(file) for file in find_pictures([photos])]
    assert len(coco["images"]) == len(KINDS)
    assert [entry["id"] for entry in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    own = load(detector, "cpu")
    for image in coco["images"]:
        pixels = own.read(Path(image["file_name"]).read_bytes())
        assert (image["height"], image["width"]) == pixels.shape[:2]
        (found,) = own.detect([pixels])
        expected = found.boxes[found.scores >= 0.05]
        rows = [entry for entry in coco["annotations"] if entry["image_id"] == image["id"]]
        assert len(rows) == len(expected) > 0
        xywh = np.array([row["bbox"] for row in rows])
        assert np.allclose(np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]), expected, atol=2e-3)
        assert np.allclose([row["score"] for row in rows], found.scores[: len(rows)], atol=1e-5)
        assert [row["category_id"] for row in rows] == [(7, 3)[label] for label in found.labels[: len(rows)]]


def test_faster_coco_eval_reads_it(detector, photos, tmp_path):
    from faster_coco_eval import COCO

    assert run(detector, photos, "-o", tmp_path / "found.json") == 0
    read = COCO(str(tmp_path / "found.json"))
    assert len(read.imgs) == len(KINDS)


def test_by_default_the_score_is_the_one_that_fits_labels_best(detector, photos, tmp_path):
    assert run(detector, photos, "-o", tmp_path / "found.json") == 0
    coco = json.loads((tmp_path / "found.json").read_text())
    assert coco["info"] == {"detector": "drawn", "version": "1", "least_score": 0.05}
    assert min(entry["score"] for entry in coco["annotations"]) >= 0.05
    strict = make_detector(tmp_path / "strict", best_score=0.9871)
    assert run(strict, photos, "-o", tmp_path / "few.json") == 0
    coco = json.loads((tmp_path / "few.json").read_text())
    assert (coco["info"]["least_score"], coco["annotations"]) == (0.99, [])


def test_a_folder_holds_the_drawn_pictures_too(detector, photos, tmp_path):
    target = tmp_path / "drawn"
    assert run(detector, photos, "-o", target) == 0
    names = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert names == {"detections.json", "a.png", "deep/a.jpg", "a.jpeg", "deep/a.bmp", "a.tif.png", "deep/a.webp",
                     "a.gif.png"}  # fmt: skip
    assert max(cv2.imread(str(target / "a.png")).shape) >= 480
    assert run(detector, photos, "-o", target) == 0  # again: its own results are replaced


def test_other_files_are_not_replaced(detector, photos, capsys):
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    assert run(detector, photos, "-o", photos) == 1
    assert "holds other files, which drawn pictures could replace" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pictures_named_by_way_of_the_parent_folder_are_drawn_in_the_target(detector, tmp_path, monkeypatch):
    one = write_picture(tmp_path / "a/img/x.png", picture())
    other = write_picture(tmp_path / "b/y.png", picture(seed=1))
    before = {path: path.read_bytes() for path in (one, other)}
    monkeypatch.chdir(tmp_path / "a")
    assert run(detector, "img", "../b", "-o", "../found") == 0
    assert contents(tmp_path) == contents(tmp_path / "found") | before
    drawn = {path.relative_to(tmp_path / "found").as_posix() for path in contents(tmp_path / "found")}
    assert drawn == {"a/img/x.png", "b/y.png", "detections.json"}


def test_nothing_is_written_through_a_link_out_of_the_target(detector, photos, tmp_path, capsys):
    assert run(detector, photos, "-o", tmp_path / "found") == 0
    shutil.rmtree(tmp_path / "found/deep")
    (tmp_path / "found/deep").symlink_to(photos / "deep")
    before = contents(tmp_path)
    assert run(detector, photos, "-o", tmp_path / "found") == 1
    assert f"found/deep/a.bmp leads out of {tmp_path}/found, by a link; give a new folder" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_pictures_are_not_replaced_beside_detections_of_another_kind(detector, photos, capsys):
    """Detections alone, or labels, under the name of those of drawn pictures."""
    target = photos / "detections.json"
    assert run(detector, photos, "-o", target) == 0
    for content in (target.read_text(), "{", "[]", '{"info": null, "images": []}', '{"info": {"drawn": true}}'):
        target.write_text(content)
        before = contents(photos)
        assert run(detector, photos, "-o", photos) == 1
        assert "holds other files, which drawn pictures could replace" in capsys.readouterr().err
        assert contents(photos) == before


def test_a_picture_of_the_target_is_not_replaced_by_its_own_drawing(detector, photos, tmp_path, capsys):
    target = tmp_path / "found"
    assert run(detector, photos, "-o", target) == 0
    before = contents(target)
    for given in (target / "a.png", target / "detections.json"):
        assert run(detector, given, "-o", target) == 1
        assert f"{given} is one of the pictures to look at, and would be replaced" in capsys.readouterr().err
    assert contents(target) == before


@pytest.mark.parametrize("content", ["{", "[]", '{"info": {"year": 2020}, "images": []}', ""])
def test_a_json_file_of_somebody_else_is_not_replaced(detector, photos, content, capsys):
    target = photos / "labels.json"
    target.write_text(content)
    assert run(detector, photos, "-o", target) == 1
    assert f"{target} was not written by metricloop predict; give a new name" in capsys.readouterr().err
    assert target.read_text() == content


def test_detections_in_a_json_file_are_replaced(detector, photos, tmp_path, capsys):
    for replaced in (False, True):
        assert run(detector, photos, "-o", tmp_path / "found.json") == 0
        assert ("earlier prediction there are replaced" in capsys.readouterr().out) == replaced
    assert run(detector, tmp_path / "found.json", "-o", tmp_path / "found.json") == 1
    assert "found.json is one of the pictures to look at, and would be replaced" in capsys.readouterr().err


def test_two_pictures_are_not_drawn_in_one_file(detector, photos, tmp_path, capsys):
    write_picture(photos / "a.gif.png", picture())
    assert run(detector, photos, "-o", tmp_path / "found") == 1
    assert f"{photos}/a.gif and {photos}/a.gif.png would both be drawn as {tmp_path}/found/a.gif.png" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "found").exists()


def test_results_below_the_pictures_are_no_pictures_the_next_time(detector, photos):
    for _ in range(2):
        assert run(detector, photos, "-o", photos / "drawn") == 0
        assert len(json.loads((photos / "drawn/detections.json").read_text())["images"]) == len(KINDS)


def test_a_broken_picture_is_named_and_the_others_go_on(detector, photos, tmp_path, capsys):
    whole = (photos / "deep/a.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "text.png").write_text("hello")
    assert run(detector, photos, "-o", tmp_path / "found.json") == 0
    told = capsys.readouterr()
    coco = json.loads((tmp_path / "found.json").read_text())
    boxed = len({entry["image_id"] for entry in coco["annotations"]})
    assert f"in {boxed} of 9 pictures, 2 not read" in told.out
    assert f"not read: {photos}/cut.jpg: cut off" in told.err
    assert f"not read: {photos}/text.png: not a picture" in told.err
    assert len(json.loads((tmp_path / "found.json").read_text())["images"]) == 7


def test_it_fails_when_no_picture_can_be_read(detector, tmp_path, capsys):
    (tmp_path / "text.png").write_text("hello")
    assert run(detector, tmp_path / "text.png", "-o", tmp_path / "found.json") == 1
    assert "none of 1 picture could be read" in capsys.readouterr().err
    assert not (tmp_path / "found.json").exists()
    assert run(detector, tmp_path / "text.png", "-o", tmp_path / "found") == 1
    assert not (tmp_path / "found").exists()


def test_a_prediction_that_fails_leaves_no_empty_folder(detector, photos, tmp_path, monkeypatch):
    def fail(*given):
        raise OSError("the disk is full")

    monkeypatch.setattr("metricloop.delivery.predict.cv2.imencode", fail)
    with pytest.raises(OSError, match="full"):
        predict(load(detector, "cpu"), find_pictures([photos]), tmp_path / "out/found", score=0.05, batch=4)
    assert not (tmp_path / "out/found").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(OSError, match="full"):
        predict(load(detector, "cpu"), find_pictures([photos]), tmp_path / "mine", score=0.05, batch=4)
    assert (tmp_path / "mine").is_dir()


def test_a_workspace_is_named_with_c_as_everywhere(photos, tmp_path, capsys):
    workspace = tmp_path / "study"
    workspace.mkdir()
    (workspace / "params.yaml").write_text("")
    add_promoted(workspace)
    assert run(photos / "deep/a.jpg", photos / "deep", "-o", tmp_path / "found.json", "-C", workspace) == 0
    content = json.loads((tmp_path / "found.json").read_text())
    assert {image["file_name"] for image in content["images"]} == set(map(str, find_pictures([photos / "deep"])))
    assert run(workspace, "-o", tmp_path / "other.json") == 2
    assert "name the pictures as well" in capsys.readouterr().err


def test_a_workspace_stands_for_its_champion(photos, tmp_path):
    workspace = tmp_path / "study"
    workspace.mkdir()
    (workspace / "params.yaml").write_text("")
    add_promoted(workspace)
    add_promoted(workspace, seed=1)
    assert run(workspace, photos, "-o", tmp_path / "found.json") == 0
    assert json.loads((tmp_path / "found.json").read_text())["info"]["version"] == "2"


@pytest.mark.parametrize(
    ("images", "target", "message"),
    [
        (["nothing.jpg"], "found.json", "nothing.jpg does not exist"),
        (["empty"], "found.json", "no pictures in"),
        (["photos"], "empty.json", "is a folder; give a name for the JSON file"),
        (["photos"], "photos/a.png", "is a file; give a name that ends in .json, or a folder"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_loaded(photos, tmp_path, images, target, message, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.json").mkdir()
    assert run(tmp_path / "no detector", *(tmp_path / name for name in images), "-o", tmp_path / target) == 1
    assert message in capsys.readouterr().err


def test_pictures_are_found_once_in_order(photos):
    found = find_pictures([photos / "deep/a.jpg", photos])
    assert found[0] == photos / "deep/a.jpg"
    assert len(found) == len(set(found)) == len(KINDS)
    with pytest.raises(NoPicturesError, match="does not exist"):
        find_pictures([photos / "b.jpg"])


def test_short_names_never_meet(tmp_path):
    one, two = tmp_path / "x/a.jpg", tmp_path / "y/a.jpg"
    assert short_names([one, two]) == [Path("x/a.jpg"), Path("y/a.jpg")]
    assert short_names([one]) == [Path("a.jpg")]
    assert short_names([tmp_path / "x/../x/a.jpg", tmp_path / "x/../y/a.jpg"]) == [Path("x/a.jpg"), Path("y/a.jpg")]


def test_boxes_are_drawn_in_the_colour_of_their_class():
    found = Found(np.array([[20, 30, 60, 90], [70, 40, 110, 80]], np.float32), np.array([0.9, 0.4], np.float32),
                  np.array([0, 1]))  # fmt: skip
    image = np.full((120, 160, 3), 128, np.uint8)
    drawn = draw_detections(image, found, ["panda", "Bär"])
    factor = drawn.shape[1] // 160
    assert (drawn.shape[0], factor) == (120 * factor, 3)
    for box, label in zip(found.boxes, found.labels, strict=True):
        middle = (int(box[1]) + int(box[3])) // 2 * factor
        assert tuple(drawn[middle, int(box[0]) * factor]) == COLOURS[label]
        assert tuple(drawn[middle, int(box[2]) * factor]) == COLOURS[label]
    assert (image == 128).all()


def test_a_large_picture_keeps_its_size_and_boxes_beyond_the_border_are_drawn_on_it():
    found = Found(np.array([[-50, -50, 5000, 5000]], np.float32), np.array([0.5], np.float32), np.array([0]))
    drawn = draw_detections(np.zeros((600, 800, 3), np.uint8), found, ["x" * 300])
    assert drawn.shape == (600, 800, 3)
    assert (drawn[300, 799] == COLOURS[0]).all()


def test_an_occupied_folder_is_refused_by_the_library_too(detector, photos):
    with pytest.raises(OccupiedError):
        predict(load(detector, "cpu"), find_pictures([photos]), photos, score=0.1, batch=4)
