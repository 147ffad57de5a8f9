"""The surroundings of the animals in a drawn scene: ground and sky, plants, rocks and light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from metricloop.drawing.parts import Colour
from metricloop.drawing.sprites import Sprite, noise


@dataclass(frozen=True)
class Backdrop:
    """A kind of place. far, near: two colours each, from top to bottom, above and below the horizon; horizon: range, as
    share of the height; rough: strength of the texture; the others: the most objects of each kind."""

    far: tuple[Colour, Colour]
    near: tuple[Colour, Colour]
    horizon: tuple[float, float]
    rough: float
    trunks: int = 0
    bamboo: int = 0
    rocks: int = 0
    grass: int = 0
    bark: Colour = (84, 68, 54)
    boards: bool = False


BACKDROPS: tuple[Backdrop, ...] = (
    # bamboo forest, meadow, snow, rocky slope, indoor enclosure, dry hills
    Backdrop(((38, 62, 36), (84, 112, 60)), ((78, 92, 48), (52, 62, 34)), (0.30, 0.55), 0.34, 4, 7, 2, 60),
    Backdrop(((150, 186, 216), (206, 218, 210)), ((106, 144, 62), (70, 108, 42)), (0.18, 0.45), 0.26, 1, 1, 2, 140),
    Backdrop(((150, 160, 174), (206, 212, 220)), ((232, 236, 242), (198, 206, 220)), (0.25, 0.50), 0.14, 5, 0, 2, 8),
    Backdrop(((104, 102, 98), (136, 130, 120)), ((146, 138, 124), (98, 92, 84)), (0.30, 0.60), 0.42, 1, 2, 5, 25),
    Backdrop(
        ((172, 158, 132), (190, 178, 150)), ((124, 112, 98), (96, 86, 76)), (0.40, 0.62), 0.12, 0, 2, 1, 0, boards=True
    ),
    Backdrop(((178, 190, 200), (214, 196, 160)), ((182, 156, 104), (140, 114, 72)), (0.20, 0.45), 0.30, 2, 0, 3, 90),
)


def paint(backdrop: Backdrop, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, float]:
    """Draw a scene without animals: (height, width, 3) float32 in 0..255, and its horizon in px from the top."""
    horizon = rng.uniform(*backdrop.horizon) * height
    y = np.arange(height, dtype=np.float32)[:, None] - horizon - 0.03 * height * noise(rng, height, width, 3, 2)
    ramp = np.concatenate([np.linspace(top, bottom, 128) for top, bottom in (backdrop.far, backdrop.near)])
    share = np.where(y < 0, y / horizon, y / (height - horizon))  # -1 top, 0 horizon, 1 bottom
    scene = np.take(ramp, np.clip(128 + share * 128, 0, 255).astype(np.uint8), axis=0).astype(np.float32)
    texture = noise(rng, height, width, 6, 5)
    scene *= 1 + backdrop.rough * (texture + 0.2 * rng.standard_normal((height, width), np.float32))[..., None]
    if backdrop.boards:
        step = int(rng.integers(width // 9, width // 5))
        scene[: int(horizon), ::step] *= 0.6
        scene[: int(horizon), 1::step] *= 0.75
    for _ in range(rng.integers(0, backdrop.trunks + 1)):
        foot, radius = horizon + rng.uniform(0.0, 0.12) * height, rng.uniform(0.02, 0.06) * width
        over(scene, trunk(backdrop.bark, rng, rng.uniform(0, width), foot, radius))
    return scene, horizon


def over(scene: np.ndarray, sprite: Sprite) -> None:
    """Draw a sprite over the scene, in place; parts outside the scene are cut off."""
    target, source = window(scene.shape[:2], sprite)
    scene[target] *= 1 - sprite.alpha[source][..., None]
    scene[target] += sprite.colour[source]


def window(canvas: tuple[int, ...], sprite: Sprite) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part of the canvas (height, width) that a sprite covers, and that part of the sprite, as slices."""
    target, source = [], []
    for length, size, start in zip(canvas, sprite.alpha.shape, sprite.corner[::-1], strict=True):
        low, high = max(start, 0), max(min(start + size, length), start, 0)
        target.append(slice(low, high))
        source.append(slice(low - start, high - start))
    return tuple(target), tuple(source)


def _cut(colour: np.ndarray, mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> Sprite:
    """The part of a picture that a mask (0 to 255) covers, as a sprite whose canvas began at `corner`."""
    x, y, w, h = cv2.boundingRect(mask)
    inside = np.s_[y : y + h, x : x + w]
    alpha = mask[inside].astype(np.float32) / 255
    return Sprite(colour[inside] * alpha[..., None], alpha, (corner[0] + x, corner[1] + y))


def _pixels(points: ArrayLike) -> np.ndarray:
    return np.asarray(points, float).round().astype(np.int32)


def trunk(bark: Colour, rng: np.random.Generator, x: float, foot: float, radius: float) -> Sprite:
    """A tree trunk around x, from the top of the picture down to `foot`, `radius` px to either side."""
    width, height, lean = round(4 * radius) + 1, max(2, round(foot)), rng.normal(0, 0.4 * radius)
    sides = np.array([-radius, radius])
    outline = [(s + lean + width / 2, -1) for s in sides] + [(1.15 * s + width / 2, height) for s in -sides]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [_pixels(outline)], 255, cv2.LINE_AA)
    grain = cv2.resize(rng.normal(1, 0.12, (height // 10 + 1, width)).astype(np.float32), (width, height))
    grain *= np.linspace(1.5, 0.5, width, dtype=np.float32)
    return _cut(np.array(bark, np.float32) * grain[..., None], mask, (round(x - width / 2), 0))


def bamboo(rng: np.random.Generator, height: int, width: int, foot: float) -> Sprite:
    """A stalk with nodes and leaves, from the top of a picture of this size to `foot`."""
    mask, colour = np.zeros((height, width), np.uint8), np.zeros((height, width, 3), np.uint8)
    green = np.array((118, 150, 62)) * rng.uniform(0.65, 1.1) + rng.normal(0, 8, 3)
    bottom, radius = np.array((rng.uniform(0, width), foot)), rng.uniform(0.008, 0.022) * width
    up = np.array((rng.normal(0, 0.06), -1.0))

    def fill(points: ArrayLike, brightness: float) -> None:
        cv2.fillPoly(mask, [_pixels(points)], 255, cv2.LINE_AA)
        cv2.fillPoly(colour, [_pixels(points)], (green * brightness).tolist())

    top, right = bottom + foot * up, np.array((radius, 0.0))
    for low, high, brightness in ((-1, 1, 0.75), (-1, 0.5, 1.0), (-0.6, -0.1, 1.2)):
        fill([bottom + low * right, top + low * right, top + high * right, bottom + high * right], brightness)
    for along in np.arange(0, foot, rng.uniform(0.14, 0.22) * height):
        node, thick = bottom + along * up, 0.25 * radius * up
        fill([node - 1.2 * right, node + 1.2 * right, node + 1.2 * right + thick, node - 1.2 * right + thick], 0.6)
        for _ in range(rng.integers(0, 4)):
            angle, long = rng.uniform(-0.4, 1.2), rng.uniform(0.04, 0.13) * height
            leaf = np.array((np.cos(angle) * rng.choice([-1, 1]), np.sin(angle))) * long
            side = np.array((-leaf[1], leaf[0])) * 0.13
            fill([node, node + 0.4 * leaf + side, node + leaf, node + 0.4 * leaf - side], rng.uniform(0.7, 1.15))
    return _cut(colour, mask)


def grass(rng: np.random.Generator, height: int, width: int, blades: int, tint: Colour) -> Sprite:
    """Blades in tufts that grow from the lower edge of a picture of this size."""
    mask, colour = np.zeros((height, width), np.uint8), np.zeros((height, width, 3), np.uint8)
    colour[:] = tint
    foot = rng.choice(rng.uniform(0, width, 5), blades) + rng.normal(0, 0.07 * width, blades)
    tall = rng.uniform(0.05, 0.20, blades) * height
    tip = foot + rng.normal(0, 0.25, blades) * tall
    for x, up, end, brightness in zip(foot, tall, tip, rng.uniform(0.55, 1.25, blades), strict=True):
        blade = [_pixels([(x - 0.008 * width, height), (x + 0.008 * width, height), (end, height - up)])]
        cv2.fillPoly(mask, blade, 255, cv2.LINE_AA)
        cv2.fillPoly(colour, blade, (np.array(tint) * brightness).tolist())
    return _cut(colour, mask)


def rock(rng: np.random.Generator, x: float, foot: float, size: float) -> Sprite:
    """A boulder `size` px wide, lit from above; some as dark as a panda's limbs, some as light as its head."""
    width, height = max(8, round(size)), max(6, round(size * rng.uniform(0.45, 0.8)))
    angle, reach = np.sort(rng.uniform(0, 2 * np.pi, 14)), rng.uniform(0.75, 1.0, (14, 1))
    mask = np.zeros((height, width), np.uint8)
    outline = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach + 1) * (width / 2, height / 2)
    cv2.fillPoly(mask, [_pixels(outline)], 255, cv2.LINE_AA)
    light = np.linspace(1.25, 0.6, height, dtype=np.float32)[:, None] * (1 + 0.25 * noise(rng, height, width, 5, 3))
    grey = (rng.choice([55, 105, 140, 200]) + rng.normal(0, 3, 3)).astype(np.float32)
    return _cut(light[..., None] * grey, mask, (round(x), round(foot) - height))


def shadow(x: float, foot: float, width: float, strength: float) -> Sprite:
    """The dark patch on the ground under an animal `width` px wide."""
    w, h = max(8, round(width * 1.3)), max(4, round(width * 0.28))
    down, across = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
    alpha = strength * np.clip(1.15 - across**2 - down**2, 0, 1)
    return Sprite(np.zeros((h, w, 3), np.float32), alpha, (round(x - w / 2), round(foot - 0.6 * h)))


def light(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply time of day and weather: brightness, colour cast, contrast, shadows, haze; (h, w, 3) float32 in and out."""
    height, width = scene.shape[:2]
    casts = {"day": (1.0, 1.0, 1.0), "sun": (1.10, 1.0, 0.84), "shade": (0.88, 0.98, 1.12), "dusk": (0.68, 0.67, 0.84)}
    name = rng.choice(list(casts), p=[0.4, 0.25, 0.2, 0.15])
    scene = scene * (np.array(casts[name], np.float32) * rng.uniform(0.72, 1.15) * rng.normal(1, 0.02, 3)).astype(
        np.float32
    )
    kind = rng.random()
    if kind < 0.3:
        scene *= (1 - 0.38 * np.clip(noise(rng, height, width, 8, 2) * 2, 0, 1))[..., None]
    elif kind < 0.5:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        scene *= (0.8 + 0.28 * (x * rng.choice([-1, 1]) + 0.4 * y))[..., None]
    haze = rng.uniform(0, 0.25) * (rng.random() < 0.3)
    contrast = rng.uniform(0.8, 1.1)
    scene = (scene - 110) * contrast + 110
    return scene * (1 - haze) + 205 * haze
