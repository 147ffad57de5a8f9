"""Draw one animal from its table of parts: pixels, coverage and silhouette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from metricloop.drawing.parts import Animal, Marking, Part, Pose

UNIT = 144  # px per unit of the tables, before scaling to the size in the scene
HALF_WIDTH, TOP, BOTTOM = 1.25, -0.75, 1.4  # extent of the canvas in units
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 33)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 33)[:-1])], axis=1)


@dataclass(frozen=True)
class Sprite:
    """One thing in a scene. colour: (h, w, 3) float32, 0 to 255, already multiplied by alpha; alpha: (h, w) float32 in
    [0, 1]; corner: x and y of its upper left pixel in the scene; body, name: of an animal its silhouette, (h, w) bool,
    and its name; None for anything else."""

    colour: np.ndarray
    alpha: np.ndarray
    corner: tuple[int, int] = (0, 0)
    body: np.ndarray | None = None
    name: str | None = None


def noise(rng: np.random.Generator, height: int, width: int, cells: float, octaves: int = 3) -> np.ndarray:
    """Smooth noise, (height, width) float32 of mean 0 and about unit range; `cells` across in the first octave."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = max(2, round(cells * 2**octave))
        down = max(2, round(across * height / width))
        grid = rng.uniform(-1, 1, (down, across)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return total


def draw_animal(animal: Animal, pose: Pose, rng: np.random.Generator, height: float, facing: int) -> Sprite:
    """Draw one animal in one pose. height: px per unit of its table; facing: 1 left, as in the table, -1 right."""
    colours = dict(animal.colours) | dict(animal.shades[rng.integers(len(animal.shades))])
    roles = [*colours, *({part.role for part in (*pose.parts, *animal.head)} - set(colours))]
    roles.sort()
    sheet = np.zeros((round((BOTTOM - TOP) * UNIT), round(2 * HALF_WIDTH * UNIT)), np.uint8)
    lean = _rotation(rng.uniform(-animal.tilt, animal.tilt))
    stretch = np.array([facing, 1.0]) * rng.uniform(0.92, 1.08, 2)
    for role, points in _outlines(animal, pose, rng):
        points = ((points - (0, 0.5)) @ lean.T * stretch + (0, 0.5) - (-HALF_WIDTH, TOP)) * UNIT
        centre = points.mean(axis=0)
        index = 2 * roles.index(role) + 1
        inner = (points - centre) * 0.90 + centre - (0, 0.006 * UNIT)  # a rim separates parts of one colour
        cv2.fillPoly(sheet, [points.round().astype(np.int32)], index)
        cv2.fillPoly(sheet, [inner.round().astype(np.int32)], index + 1)

    x, y, w, h = cv2.boundingRect(sheet)
    sheet = sheet[y : y + h, x : x + w]
    palette = np.zeros((2 * len(roles) + 1, 3), np.float32)
    tint = rng.normal(0, 4) + rng.normal(0, 1.5, 3)
    for place, role in enumerate(roles):
        colour = np.array(colours.get(role, colours["body"]), np.float32) + tint
        palette[2 * place + 1] = colour * 0.80 + 8
        palette[2 * place + 2] = colour
    colour = np.take(palette, sheet, axis=0)
    colour *= _shade(sheet, rng)[..., None]
    if animal.marking:
        colour = _marked(colour, sheet, animal.marking, roles, rng)
    alpha = (sheet > 0).astype(np.float32)
    prop = 2 * roles.index("prop") + 1 if "prop" in roles else -1
    body = alpha * ((sheet != prop) & (sheet != prop + 1))
    size = (max(3, round(w * height / UNIT)), max(3, round(h * height / UNIT)))
    small = [
        cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (colour * alpha[..., None], alpha, body)
    ]
    return Sprite(small[0], small[1], body=small[2] >= 0.5, name=animal.name)


def _rotation(degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def _outlines(animal: Animal, pose: Pose, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Role and outline, (k, 2) in units of the table, of every part from back to front, with small random changes."""
    for part in pose.parts:
        yield part.role, _outline(part, rng)
    if pose.head is None:
        return
    x, y, radius = pose.head
    turn = rng.uniform(-0.45, -0.1) if pose.seen == "side" else rng.uniform(-0.35, 0.35)
    nod, tilt = rng.uniform(-0.12, 0.2), _rotation(rng.normal(0, 10))
    radius *= rng.uniform(0.93, 1.08)
    for part in animal.head:
        if pose.seen == "back" and part.depth:
            continue
        points = _outline(part, rng) + np.array([turn, nod]) * part.depth
        yield part.role, points @ tilt.T * radius + (x, y)


def _outline(part: Part, rng: np.random.Generator) -> np.ndarray:
    numbers = np.array(part.numbers) * rng.normal(1, 0.025, len(part.numbers))
    if part.shape == "oval":
        x, y, rx, ry, degrees = numbers
        return _CIRCLE * (rx, ry) @ _rotation(degrees).T + (x, y)
    if part.shape == "limb":
        x1, y1, x2, y2, r1, r2 = numbers
        end = np.array([x2 - x1, y2 - y1]) @ _rotation(rng.normal(0, 7)).T + (x1, y1)
        circles = np.concatenate([_CIRCLE * r1 + (x1, y1), _CIRCLE * r2 + end]).astype(np.float32)
        return cv2.convexHull(circles)[:, 0].astype(float)
    return numbers.reshape(-1, 2)


def _shade(sheet: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from above on a rounded body, and fur: (h, w) factors around 1."""
    h, w = sheet.shape
    small = cv2.resize((sheet > 0).astype(np.float32), (w // 4 + 1, h // 4 + 1), interpolation=cv2.INTER_AREA)
    reach = max(2, h // 40)
    padded = cv2.GaussianBlur(cv2.copyMakeBorder(small, reach, reach, 0, 0, cv2.BORDER_CONSTANT), (0, 0), reach)
    light = cv2.resize(padded[2 * reach :] - padded[: -2 * reach], (w, h))
    return 0.92 + rng.uniform(0.2, 0.45) * light + 0.07 * noise(rng, h, w, 9, 3)


def _marked(
    colour: np.ndarray, sheet: np.ndarray, marking: Marking, roles: list[str], rng: np.random.Generator
) -> np.ndarray:
    """Draw stripes or patches on the parts of some roles, with the shading of the parts."""
    h, w = sheet.shape
    if marking.kind == "stripes":
        across = np.arange(w, dtype=np.float32) / UNIT
        pattern = np.sin(across * rng.uniform(62, 80) + 2.2 * noise(rng, h, w, 3, 2)) > 0.1
    else:
        pattern = noise(rng, h, w, 9, 2) > 0.22
    pattern &= np.isin((sheet - 1) // 2, [place for place, role in enumerate(roles) if role in marking.roles])
    shade = colour.mean(axis=2, keepdims=True) / 200 + 0.1
    return np.where(pattern[..., None], np.array(marking.colour, np.float32) * shade, colour)
