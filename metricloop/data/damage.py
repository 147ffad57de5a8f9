"""Damage labels on purpose, and keep the truth in a table of its own.

A preset is a list of mistakes, each a row of numbers in params.yaml; a box gets at most one of them. Every box has its
own random stream (seed, image, place in the image). So the damage of an image depends neither on the other images nor
on the order of the rows, and a box damaged at one strength is damaged at every higher strength too. A spoilt box has as
many decimals as the one it comes from: people's boxes often lie on whole pixels, and decimals would show the mistakes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metricloop.data.damage_presets import Corrupt, Mistake, Mistakes

SMALLEST = 2.0  # px; no damaged box is thinner
DECIMALS = 3  # of a pixel; a box with more is taken for one with any number of them
TRIES = 16  # random places for a box that should lie elsewhere; the one that covers the least of any object is used


@dataclass(frozen=True)
class Damaged:
    """Labels after damage, and the truth.

    Boxes are ordered by image and then by coordinates, and box_id counts in that order, so neither place nor number
    shows which box is invented. boxes: (m, 4) float32 xyxy pixels; labels: (m,); crowd: (m,) bool;
    origin: (m,) row of the clean box it came from, -1 if invented. truth: the columns of data.tables.TRUTH, a row
    per clean box in the order given, then one per invented box. report: realised rates (see `_report`).
    """

    box_id: np.ndarray
    image_id: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    origin: np.ndarray
    truth: dict[str, list]
    report: dict[str, Any]


@dataclass(frozen=True)
class _Label:
    """One box while it is damaged; mistake: the kind of damage, or "none"."""

    image: int
    box: np.ndarray
    label: int
    origin: int
    mistake: str = "none"


@dataclass(frozen=True)
class _Scene:
    """The image of a box: its size, its clean boxes, and the look-alikes without a box so far."""

    width: float
    height: float
    boxes: np.ndarray
    lookalikes: list[np.ndarray]


def damage(
    corrupt: Corrupt,
    *,
    image_id: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    width: np.ndarray,
    height: np.ndarray,
    class_names: Sequence[str],
    crowd: np.ndarray | None = None,
    lookalikes: Mapping[int, np.ndarray] | None = None,
    first_id: int = 1,
) -> Damaged:
    """Damage labels on purpose. All arrays are flat, one entry per clean box.

    boxes: (n, 4) xyxy pixels; labels: (n,) index into class_names; groups: the group of each box's image;
    width, height: (n,) size of each box's image; crowd: (n,) bool, regions that stay as they are;
    lookalikes: image_id -> (k, 4) xyxy, things that an annotator may take for an object;
    first_id: the lowest box_id. Errors: ValueError for a mistake that names an unknown class.
    """
    image_id = np.asarray(image_id, np.int64)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.asarray(crowd, bool)
    mistakes, notes = _possible(corrupt.mistakes, class_names)

    outcome: list[tuple[str, list[_Label]]] = [("none", [])] * len(boxes)
    for rows in _images(image_id, boxes, labels):
        image, first = int(image_id[rows[0]]), rows[0]
        careless = _stream(corrupt.seed, "group", groups[first]).random()
        here = [mistake for mistake in mistakes if careless < mistake.groups]
        free = list(np.array((lookalikes or {}).get(image, ()), float).reshape(-1, 4))
        _stream(corrupt.seed, "look-alikes", image).shuffle(free)
        scene = _Scene(float(width[first]), float(height[first]), boxes[rows].astype(float), free)
        for place, row in enumerate(rows):
            label = _Label(image, boxes[row].astype(float), int(labels[row]), int(row))
            rng = _stream(corrupt.seed, "box", image, place)
            mistake = None if crowd[row] else _choose(here, corrupt.strength, label, scene, class_names, rng)
            outcome[row] = ("none", [label]) if mistake is None else _spoil(mistake, label, scene, class_names, rng)

    made = sorted((label for _, left in outcome for label in left), key=lambda it: (it.image, *it.box, it.label))
    origin = np.array([label.origin for label in made], np.int64)
    box_id = np.arange(first_id, first_id + len(made), dtype=np.int64)
    return Damaged(
        box_id=box_id,
        image_id=np.array([label.image for label in made], np.int64),
        boxes=np.array([label.box for label in made], np.float32).reshape(-1, 4),
        labels=np.array([label.label for label in made], np.int64),
        crowd=np.array([row >= 0 and crowd[row] for row in origin], bool),
        origin=origin,
        truth=_truth(image_id, boxes, labels, made, box_id),
        report=_report(corrupt, [kind for kind, _ in outcome], made, image_id, crowd, notes),
    )


def _possible(mistakes: Mistakes, class_names: Sequence[str]) -> tuple[Mistakes, list[str]]:
    """The mistakes that are possible with these classes, and a note on each that is not."""
    unknown = sorted({name for mistake in mistakes for name in mistake.classes} - set(class_names))
    if unknown:
        raise ValueError(f"data.corrupt names the class {', '.join(unknown)}; the classes are {', '.join(class_names)}")
    if len(class_names) > 1 or all(mistake.kind != "class" for mistake in mistakes):
        return mistakes, []
    notes = ["there is one class only, so no box can get a wrong one: the rate of that mistake is 0"]
    return tuple(mistake for mistake in mistakes if mistake.kind != "class"), notes


def _images(image_id: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of each image, ordered by coordinates, whatever the order of the input."""
    order = np.lexsort((labels, *boxes.T[::-1], image_id))
    ends = np.flatnonzero(np.diff(image_id[order])) + 1
    return iter(np.split(order, ends) if len(order) else ())


def _stream(seed: int, *names: object) -> np.random.Generator:
    """The random stream that belongs to these names."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def _weight(mistake: Mistake, growth: float, label: _Label, scene: _Scene) -> float:
    """The factor on a rate or magnitude for an object of this size, 0 to 1."""
    x1, y1, x2, y2 = label.box
    size = np.sqrt(max((x2 - x1) * (y2 - y1), 1.0) / (scene.width * scene.height))
    return min(1.0, float(mistake.small / size) ** growth)


def _choose(
    mistakes: Sequence[Mistake],
    strength: float,
    label: _Label,
    scene: _Scene,
    class_names: Sequence[str],
    rng: np.random.Generator,
) -> Mistake | None:
    """The mistake of this box, or None; the same kind at every strength at which it has one."""
    chance, which = rng.random(2)
    able = [mistake for mistake in mistakes if not mistake.classes or class_names[label.label] in mistake.classes]
    rates = np.cumsum([mistake.rate * _weight(mistake, mistake.rate_growth, label, scene) for mistake in able])
    if not able or chance >= strength * rates[-1]:
        return None
    return able[int(np.searchsorted(rates, which * rates[-1], side="right"))]


def _spoil(
    mistake: Mistake, label: _Label, scene: _Scene, class_names: Sequence[str], rng: np.random.Generator
) -> tuple[str, list[_Label]]:
    """The kind of mistake, and the labels afterwards: none, the changed label, or the label and one more."""
    kind = mistake.kind
    if kind == "missing":
        return kind, []
    if kind == "class":
        others = [other for other in range(len(class_names)) if other != label.label]
        return kind, [replace(label, label=int(rng.choice(others)), mistake=kind)]
    if kind in ("replaced", "spurious"):
        box = _as_fine(_elsewhere(mistake, label, scene, rng), label.box)
        invented = replace(label, box=box, origin=-1, mistake="spurious")
        return kind, [invented] if kind == "replaced" else [label, invented]
    box = _as_fine(_displaced(mistake, label, scene, rng), label.box)
    if kind == "doubled":
        return kind, [label, replace(label, box=box, origin=-1, mistake=kind)]
    if (
        np.abs(box - label.box).max() < 0.5
    ):  # the box fills the image, or the change is tiny: no mistake that anyone could find
        return "none", [label]
    return kind, [replace(label, box=box, mistake=kind)]


def _factor(mistake: Mistake, rng: np.random.Generator) -> float:
    low, high = mistake.scale[rng.integers(len(mistake.scale))]
    return float(rng.uniform(low, high))


def _displaced(mistake: Mistake, label: _Label, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    """The box shifted and scaled about its centre, cut off at the image's edge."""
    weight = _weight(mistake, mistake.magnitude_growth, label, scene)
    low, high = label.box[:2], label.box[2:]
    centre = (low + high) / 2 + weight * rng.uniform(-mistake.shift, mistake.shift, 2) * (high - low)
    half = (high - low) / 2 * (1 + weight * (_factor(mistake, rng) - 1))
    limit = np.array([scene.width, scene.height])
    low = np.clip(np.minimum(centre - half, limit - SMALLEST), 0, None)
    high = np.minimum(np.maximum(centre + half, low + SMALLEST), limit)
    return np.concatenate([low, high])


def _as_fine(box: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The box with as many decimals as the other, so that decimals do not tell which boxes are spoilt."""
    for decimals in range(DECIMALS + 1):
        if np.array_equal(np.float32(like.round(decimals)), np.float32(like)):
            return box.round(decimals)
    return box


def _elsewhere(mistake: Mistake, label: _Label, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    """The box of a free look-alike, or a box of the label's shape where it covers the least of any object."""
    if scene.lookalikes and rng.random() < mistake.lookalike:
        return scene.lookalikes.pop()
    limit = np.array([scene.width, scene.height])
    size = np.clip((label.box[2:] - label.box[:2]) * _factor(mistake, rng), SMALLEST, limit)
    low = rng.uniform(0, limit - size, (TRIES, 2))
    overlap = np.minimum(low[:, None] + size, scene.boxes[:, 2:]) - np.maximum(low[:, None], scene.boxes[:, :2])
    best = low[np.argmin(overlap.clip(0).prod(axis=2).max(axis=1))]
    return np.concatenate([best, best + size])


def _truth(
    image_id: np.ndarray, boxes: np.ndarray, labels: np.ndarray, made: Sequence[_Label], box_id: np.ndarray
) -> dict[str, list]:
    """The columns of TRUTH: every clean box once, then every invented one (coordinates null)."""
    left = {label.origin: (int(number), label.mistake) for number, label in zip(box_id, made, strict=True)}
    clean = [left.get(row, (None, "missing")) for row in range(len(boxes))]
    invented = [(int(number), label) for number, label in zip(box_id, made, strict=True) if label.origin < 0]
    nulls = [None] * len(invented)
    return {
        "image_id": image_id.tolist() + [label.image for _, label in invented],
        "box_id": [number for number, _ in clean + invented],
        **{name: boxes[:, axis].tolist() + nulls for axis, name in enumerate(("x1", "y1", "x2", "y2"))},
        "label": np.asarray(labels).tolist() + [label.label for _, label in invented],
        "mistake": [mistake for _, mistake in clean] + [label.mistake for _, label in invented],
    }


def _report(
    corrupt: Corrupt,
    kinds: Sequence[str],
    made: Sequence[_Label],
    image_id: np.ndarray,
    crowd: np.ndarray,
    notes: list[str],
) -> dict[str, Any]:
    """The realised damage: rates as shares of the clean boxes (without crowds), and the share of images hit."""
    count = Counter(kinds)
    total = int((~crowd).sum())
    spoilt = {int(image) for image, kind in zip(image_id, kinds, strict=True) if kind != "none"}
    return {
        "preset": corrupt.preset,
        "strength": corrupt.strength,
        "seed": corrupt.seed,
        "boxes": total,
        "labels": len(made),
        "rates": {
            kind: count[kind] / total for kind in sorted({mistake.kind for mistake in corrupt.mistakes}) if total
        },
        "hit": (len(kinds) - count["none"]) / total if total else 0.0,
        "images_hit": len(spoilt) / len(np.unique(image_id)) if len(image_id) else 0.0,
        "notes": notes,
    }
