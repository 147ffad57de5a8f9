"""Draw scenes with pandas for the demo: seeded, with exact labels.

Every scene has its own seed, so it does not depend on the number of scenes or on the thread that draws it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from metricloop.data.tables import write_json
from metricloop.drawing import backdrops
from metricloop.drawing.animals import LOOKALIKES, OTHERS
from metricloop.drawing.bears import PANDA
from metricloop.drawing.parts import Animal, Colour
from metricloop.drawing.sprites import Sprite, draw_animal

FINE = 2  # a scene is drawn this many times larger, then averaged down
LEAST_VISIBLE = 0.25  # an animal with a smaller visible share of its silhouette is removed from the scene
SMALLEST = 16  # visible px; an animal with fewer is not labelled
# Of every ten scenes. Drawn pictures cost nothing, so many are held out: their choice then is a small part of errors.
SPLITS = ("train", "val", "train", "test", "train", "val", "train", "test", "train", "val")
CATEGORIES = {"pandas": (PANDA,), "others": OTHERS}
HEIGHTS = (0.22, 0.70)  # of a panda that sits, as a share of the shorter side


@dataclass(frozen=True)
class Scene:
    """A drawn scene. image: (h, w, 3) uint8 RGB; silhouettes: name and visible pixels, (h, w) bool, of every animal."""

    image: np.ndarray
    silhouettes: list[tuple[str, np.ndarray]]


def draw_scenes(
    folder: Path, n: int, seed: int, size: int = 160, animals: Literal["pandas", "others"] = "pandas"
) -> Path:
    """Draw n scenes, the longer side `size` px, into folder/images, and label them in folder/annotations.json.

    Labels in COCO format, one category per kind of animal. An image has two more keys: "split" (train,
    val or test, 5:3:2) and "lookalikes", xywh boxes of footballs, penguins, zebras and polar bears, which are not
    labelled. The same seed gives the same bytes. Returns the path of the annotations.
    """
    names = [animal.name for animal in CATEGORIES[animals]]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / "images").mkdir(parents=True, exist_ok=True)

    def draw(index: int) -> Scene:
        scene = draw_scene(np.random.default_rng([seed, index]), size, animals)
        _, encoded = cv2.imencode(".jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        (folder / _file(index)).write_bytes(encoded.tobytes())
        return scene

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for index, scene in enumerate(pool.map(draw, range(n))):
            image = {"id": index + 1, "file_name": _file(index), "split": SPLITS[index % len(SPLITS)]}
            image["height"], image["width"] = scene.image.shape[:2]
            image["lookalikes"] = [bounding_box(mask) for name, mask in scene.silhouettes if name not in names]
            images.append(image)
            for name, mask in scene.silhouettes:
                if name in names:
                    place = {"id": len(annotations) + 1, "image_id": index + 1, "category_id": names.index(name) + 1}
                    annotations.append(place | {"bbox": bounding_box(mask), "area": int(mask.sum()), "iscrowd": 0})
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    path = folder / "annotations.json"
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})
    return path


def _file(index: int) -> str:
    return f"images/{index + 1:05d}.jpg"


def bounding_box(mask: np.ndarray) -> list[int]:
    """The tight box around the true pixels: x, y, width, height in px."""
    return list(cv2.boundingRect(mask.astype(np.uint8)))


def draw_scene(rng: np.random.Generator, size: int, animals: Literal["pandas", "others"] = "pandas") -> Scene:
    """Draw one scene: a place, animals from far to near, things in front of them, and light."""
    shape = [(1.0, 1.0), (0.75, 1.0), (1.0, 0.75), (0.67, 1.0)][rng.choice(4, p=[0.3, 0.35, 0.15, 0.2])]
    height, width = (round(size * side) * FINE for side in shape)
    backdrop = backdrops.BACKDROPS[rng.integers(len(backdrops.BACKDROPS))]
    canvas, horizon = backdrops.paint(backdrop, rng, height, width)
    things = _seen(_things(backdrop, rng, (height, width), horizon, animals), (height, width))
    for thing in things:
        backdrops.over(canvas, thing)
    canvas = backdrops.light(canvas, rng)
    if rng.random() < 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.6))
    fine = (width // FINE, height // FINE)
    image: np.ndarray = cv2.resize(canvas, fine, interpolation=cv2.INTER_AREA)
    image += rng.normal(0, rng.uniform(1, 6), image.shape).astype(np.float32)
    owner = _owners(things, (height, width))
    silhouettes = []
    for number, thing in enumerate(things):
        if thing.name is not None:
            visible = cv2.resize((owner == number).astype(np.float32), fine, interpolation=cv2.INTER_AREA) >= 0.5
            if visible.sum() >= SMALLEST:
                silhouettes.append((thing.name, visible))
    return Scene(image.clip(0, 255).astype(np.uint8), silhouettes)


def _things(
    backdrop: backdrops.Backdrop,
    rng: np.random.Generator,
    shape: tuple[int, int],
    horizon: float,
    animals: Literal["pandas", "others"],
) -> list[Sprite]:
    """Everything that stands in the scene, from far to near."""
    height, width = shape
    rows: list[tuple[float, list[Sprite]]] = []  # its foot in px from the top, and its sprites
    taken = [-width]
    for animal in _cast(animals, rng):
        share = np.exp(rng.uniform(*np.log(HEIGHTS)))
        near = np.clip((share - HEIGHTS[0]) / (HEIGHTS[1] - HEIGHTS[0]) + rng.normal(0, 0.15), 0, 1)
        foot = horizon + (0.06 + 0.94 * near) * (1.03 * height - horizon)
        places = rng.uniform(0.05, 0.95, 4) * width
        x = max(places, key=lambda place: min(abs(place - other) for other in taken))
        taken.append(x)
        rows.append((foot, _standing(animal, rng, backdrop.bark, x, foot, share * min(shape) * animal.height)))
    for _ in range(rng.integers(0, backdrop.rocks + 1)):
        foot = rng.uniform(horizon, 1.05 * height)
        rows.append(
            (foot, [backdrops.rock(rng, rng.uniform(-0.1, 0.95) * width, foot, rng.uniform(0.06, 0.28) * width)])
        )
    for _ in range(rng.integers(0, backdrop.bamboo + 1)):
        foot = rng.uniform(horizon, 1.1 * height)
        rows.append((foot, [backdrops.bamboo(rng, height, width, foot)]))
    if backdrop.grass and rng.random() < 0.8:
        blades = int(rng.integers(backdrop.grass // 3, backdrop.grass + 1))
        rows.append((np.inf, [backdrops.grass(rng, height, width, blades, backdrop.near[1])]))
    return [thing for _, group in sorted(rows, key=lambda row: row[0]) for thing in group]


def _cast(animals: Literal["pandas", "others"], rng: np.random.Generator) -> list[Animal]:
    """The animals of a scene: up to four labelled ones, and up to two look-alikes."""
    chosen = rng.choice(len(CATEGORIES[animals]), rng.choice(5, p=[0.06, 0.38, 0.30, 0.17, 0.09]))
    others = rng.choice(len(LOOKALIKES), rng.choice(3, p=[0.4, 0.42, 0.18]))
    return [CATEGORIES[animals][place] for place in chosen] + [
        LOOKALIKES[place] for place in others if animals == "pandas"
    ]


def _standing(
    animal: Animal, rng: np.random.Generator, bark: Colour, x: float, foot: float, tall: float
) -> list[Sprite]:
    """Draw an animal about `tall` px high and its shadow or tree: its middle at x, its feet at foot."""
    pose = animal.poses[rng.integers(len(animal.poses))]
    facing = int(rng.choice([-1, 1]))
    sprite = draw_animal(animal, pose, rng, tall, facing)
    h, w = sprite.alpha.shape
    if pose.climbs:
        under = backdrops.trunk(bark, rng, x - facing * 0.42 * w, foot + 0.1 * tall, 0.13 * tall)
        foot -= rng.uniform(0.0, 0.5) * tall
    else:
        under = backdrops.shadow(x, foot, w, rng.uniform(0.15, 0.45))
    return [under, replace(sprite, corner=(round(x - w / 2), round(foot - h)))]


def _owners(things: list[Sprite], shape: tuple[int, int]) -> np.ndarray:
    """Which animal each pixel shows, (h, w) int: its place in `things`, -1 for anything else."""
    owner = np.full(shape, -1, np.int16)
    for number, thing in enumerate(things):
        target, source = backdrops.window(shape, thing)
        owner[target][thing.alpha[source] >= 0.5] = -1
        if thing.body is not None:
            owner[target][thing.body[source]] = number
    return owner


def _seen(things: list[Sprite], shape: tuple[int, int]) -> list[Sprite]:
    """The things without the animals that are mostly hidden behind others or outside the picture."""
    owner = _owners(things, shape)
    visible = np.bincount(owner[owner >= 0], minlength=len(things))
    return [
        thing
        for thing, pixels in zip(things, visible, strict=True)
        if thing.body is None or pixels >= LEAST_VISIBLE * thing.body.sum()
    ]
