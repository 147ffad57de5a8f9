"""Drawn scenes: the same every time, labelled exactly, look-alikes never labelled, and recognisably pandas."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from metricloop.drawing import scenes
from metricloop.drawing.animals import LOOKALIKES, OTHERS
from metricloop.drawing.backdrops import over, window
from metricloop.drawing.bears import PANDA
from metricloop.drawing.scenes import bounding_box, draw_scene, draw_scenes
from metricloop.drawing.sprites import Sprite, draw_animal

N, SIZE = 36, 96


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pandas")
    assert draw_scenes(folder, N, seed=5, size=SIZE) == folder / "annotations.json"
    return folder


def labels(folder: Path) -> dict:
    return json.loads((folder / "annotations.json").read_text())


def digests(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.*")}


def test_the_same_seed_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    draw_scenes(tmp_path, N, seed=5, size=SIZE)
    assert digests(tmp_path) == digests(drawn)


def test_a_scene_depends_on_no_other_and_on_no_thread(drawn: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(scenes.os, "cpu_count", lambda: 1)
    draw_scenes(tmp_path, 4, seed=5, size=SIZE)
    few, many = digests(tmp_path / "images"), digests(drawn / "images")
    assert few == {name: many[name] for name in few}
    assert labels(tmp_path)["images"] == labels(drawn)["images"][:4]


def test_another_seed_gives_other_pictures(drawn: Path, tmp_path: Path) -> None:
    draw_scenes(tmp_path, 4, seed=6, size=SIZE)
    assert not set(digests(tmp_path / "images").values()) & set(digests(drawn / "images").values())


def test_the_annotations_are_coco_and_fit_the_pictures(drawn: Path) -> None:
    coco = labels(drawn)
    assert coco["categories"] == [{"id": 1, "name": "panda"}]
    assert [image["id"] for image in coco["images"]] == list(range(1, N + 1))
    assert [annotation["id"] for annotation in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    splits = [image["split"] for image in coco["images"]]
    assert {split: splits.count(split) for split in set(splits)} == {"train": 18, "val": 11, "test": 7}
    for image in coco["images"]:
        picture = cv2.imread(str(drawn / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3)
        assert max(picture.shape) == SIZE
        boxes = [a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert len(boxes) <= 4
        for x, y, w, h in boxes + image["lookalikes"]:
            assert x >= 0 < w
            assert y >= 0 < h
            assert x + w <= image["width"]
            assert y + h <= image["height"]


def test_only_pandas_are_labelled_and_all_that_are_seen(drawn: Path) -> None:
    coco = labels(drawn)
    strangers = 0
    for index, image in enumerate(coco["images"]):
        scene = draw_scene(np.random.default_rng([5, index]), SIZE)
        pandas = [bounding_box(mask) for name, mask in scene.silhouettes if name == "panda"]
        others = [bounding_box(mask) for name, mask in scene.silhouettes if name != "panda"]
        assert [a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"]] == pandas
        assert image["lookalikes"] == others
        strangers += len(others)
    assert strangers > N / 4
    names = {name for i in range(N) for name, _ in draw_scene(np.random.default_rng([5, i]), SIZE).silhouettes}
    assert names <= {"panda", *(animal.name for animal in LOOKALIKES)}


def test_a_box_touches_the_silhouette_on_all_four_sides() -> None:
    for index in range(12):
        for _, mask in draw_scene(np.random.default_rng([0, index]), SIZE).silhouettes:
            x, y, w, h = bounding_box(mask)
            inside = mask[y : y + h, x : x + w]
            assert inside.sum() == mask.sum()
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_a_silhouette_is_where_the_pixels_changed(monkeypatch) -> None:
    """Draw a scene with and without its animals, no light and no noise: what differs are the animals and shadows."""
    monkeypatch.setattr(scenes.backdrops, "light", lambda canvas, rng: canvas)
    monkeypatch.setattr(scenes.backdrops, "shadow", lambda *_: Sprite(np.zeros((1, 1, 3)), np.zeros((1, 1))))
    for index in range(8):
        full = draw_scene(np.random.default_rng([1, index]), SIZE)
        with monkeypatch.context() as patch:
            patch.setattr(scenes, "_seen", lambda things, shape: [thing for thing in things if thing.body is None])
            empty = draw_scene(np.random.default_rng([1, index]), SIZE)
        changed = np.abs(full.image.astype(int) - empty.image).max(axis=2) > 10
        animals = np.any([np.zeros_like(changed), *(mask for _, mask in full.silhouettes)], axis=0)
        blurred = cv2.dilate(animals.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        assert (changed & ~blurred).sum() <= 0.02 * changed.size  # bamboo in a paw is no part of the panda
        assert (changed & animals).sum() >= 0.85 * animals.sum()


@pytest.mark.parametrize(
    ("panda_at", "wall_at", "seen"),
    [
        (0, 40, True),  # nothing in front of it
        (0, 3, True),  # a wall hides 7 of its 10 columns
        (0, 2, False),  # ... 8 of them
        (-7, 40, True),  # 7 lie beyond the edge
        (-8, 40, False),
        (-4, 3, True),  # 4 beyond the edge, 3 behind the wall
        (-4, 2, False),
    ],
)
def test_an_animal_is_taken_out_when_less_than_a_quarter_is_seen(panda_at: int, wall_at: int, seen: bool) -> None:
    def block(x: int, width: int, name: str | None) -> Sprite:
        alpha = np.ones((10, width), np.float32)
        return Sprite(np.zeros((10, width, 3), np.float32), alpha, (x, 0), alpha > 0 if name else None, name)

    left = scenes._seen([block(panda_at, 10, "panda"), block(wall_at, 20, None)], (10, 40))
    assert [thing.name for thing in left] == (["panda", None] if seen else [None])


def test_a_sprite_beyond_the_edge_is_cut_off() -> None:
    sprite = Sprite(np.full((4, 4, 3), 9, np.float32), np.ones((4, 4), np.float32), (-3, 8))
    canvas = np.zeros((10, 10, 3), np.float32)
    over(canvas, sprite)
    assert canvas[..., 0].sum() == 9 * 2
    assert (canvas[8:, 0] == 9).all()
    outside = Sprite(sprite.colour, sprite.alpha, (10, -4))
    target, source = window((10, 10), outside)
    assert canvas[target].size == sprite.alpha[source].size == 0


@pytest.mark.parametrize("pose", PANDA.poses)
def test_a_panda_is_black_and_white_and_its_bamboo_is_not_part_of_it(pose) -> None:
    panda = draw_animal(PANDA, pose, np.random.default_rng(0), 150, 1)
    grey = panda.colour[panda.body].mean(axis=1)
    assert (grey < 70).mean() > 0.2
    assert (grey > 150).mean() > 0.3
    green = (panda.colour[..., 1] > 1.15 * panda.colour[..., 0]) & (panda.alpha > 0.9) & (panda.colour[..., 1] > 60)
    green = cv2.erode(green.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert not (green & panda.body).any()
    assert green.any() == any(part.role == "prop" for part in pose.parts)


def test_other_animals_are_labelled_by_name_and_none_is_a_panda(tmp_path: Path) -> None:
    draw_scenes(tmp_path, 24, seed=0, size=SIZE, animals="others")
    coco = labels(tmp_path)
    names = [category["name"] for category in coco["categories"]]
    assert names == [animal.name for animal in OTHERS]
    assert "panda" not in names
    assert not set(names) & {animal.name for animal in LOOKALIKES}
    assert {a["category_id"] for a in coco["annotations"]} == set(range(1, len(names) + 1))
    assert not any(image["lookalikes"] for image in coco["images"])
