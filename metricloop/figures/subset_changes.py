"""How a subset differs from the pool it was drawn from: counts, crowding, sizes of objects, classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import column, xyxy
from metricloop.scoring.scores import Scores
from metricloop.text.numbers import count, fixed, percent

CLASSES = 6  # classes shown one by one, the most frequent of the pool


@dataclass(frozen=True)
class FirstDraw:
    """What the first draw of a subset keeps. images: (n,) bool over the pool's images; boxes: (m,) bool over its boxes;
    draws: number of draws in the subset's file."""

    images: np.ndarray
    boxes: np.ndarray
    draws: int


@dataclass(frozen=True)
class Profile:
    """Counts and sizes of a set of labelled images. images, empty: numbers of images, and of those without a box;
    sizes: (m,) square root of each box's share of its image; labels: (m,)."""

    images: int
    empty: int
    sizes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Change:
    """One line of a table of changes. pool, subset: texts; ratio: subset over pool, None where it has no meaning."""

    name: str
    pool: str
    subset: str
    ratio: float | None = None


def first_draw(subset: pa.Table, pool: Dataset) -> FirstDraw:
    """Which images and boxes of the pool the first draw keeps. subset: SUBSET rows."""
    draw = column(subset, "draw")
    first = draw == draw.min() if len(draw) else np.zeros(0, bool)
    keep = first & np.isin(subset["use"].to_pylist(), ["keep"])
    return FirstDraw(
        images=np.isin(pool.image_id, column(subset, "image_id")[first]),
        boxes=np.isin(pool.box_id, column(subset, "box_id")[keep]),
        draws=len(np.unique(draw)),
    )


def kept(scores: Scores, draw: FirstDraw) -> np.ndarray:
    """For each score, whether its image or box is in the subset, (k,) bool."""
    inside = draw.images[scores.row]
    objects = scores.box >= 0
    inside[objects] = draw.boxes[scores.box[objects]]
    return inside


def pool_profile(pool: Dataset) -> Profile:
    """The profile of the pool's labels as they are, with the mistakes made on purpose."""
    area = (pool.width.astype(float) * pool.height)[pool.box_row]
    return Profile(len(pool), int((pool.counts == 0).sum()), _sizes(pool.boxes, area), pool.labels)


def subset_profile(subset: pa.Table, pool: Dataset) -> Profile:
    """The profile of the labels that the first draw trains on. subset: SUBSET rows."""
    draw = column(subset, "draw")
    table = subset.filter(pa.array(draw == draw.min() if len(draw) else []))
    image_id = column(table, "image_id")
    keep = np.isin(table["use"].to_pylist(), ["keep"])
    images = np.unique(image_id)
    row = np.searchsorted(pool.image_id, image_id[keep])
    area = pool.width[row].astype(float) * pool.height[row]
    empty = len(images) - len(np.unique(image_id[keep]))
    return Profile(len(images), empty, _sizes(xyxy(table)[keep], area), column(table, "label")[keep])


def changes(pool: Profile, subset: Profile, class_names: tuple[str, ...]) -> list[Change]:
    """The table of changes: images, boxes, boxes per image, object sizes and classes."""
    sides = (pool, subset)
    crowding = [len(side.labels) / max(1, side.images) for side in sides]
    lines = [
        Change("Images", count(pool.images), count(subset.images)),
        Change("Boxes", count(len(pool.labels)), count(len(subset.labels))),
        Change("Boxes per image", fixed(crowding[0], 2), fixed(crowding[1], 2), _over(*crowding)),
        share("Images without a box", *(side.empty / max(1, side.images) for side in sides)),
    ]
    if len(pool.sizes) and len(subset.sizes):
        for name, q in (("10th percentile", 0.1), ("median", 0.5), ("90th percentile", 0.9)):
            lines.append(
                share(f"Object size, {name}", float(np.quantile(pool.sizes, q)), float(np.quantile(subset.sizes, q)))
            )
    if len(class_names) > 1:
        shares = [np.bincount(side.labels, minlength=len(class_names)) / max(1, len(side.labels)) for side in sides]
        for label in np.argsort(-shares[0], kind="stable")[:CLASSES]:
            lines.append(share(f"Class {class_names[label]}", float(shares[0][label]), float(shares[1][label])))
    return lines


def share(name: str, pool: float, subset: float) -> Change:
    """A line that compares a share of the pool with the same share of the subset, each in 0..1."""
    return Change(name, percent(pool, 1), percent(subset, 1), _over(pool, subset))


def _over(pool: float, subset: float) -> float | None:
    return subset / pool if pool > 0 else None


def _sizes(boxes: np.ndarray, area: np.ndarray) -> np.ndarray:
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(float).clip(0)
    return np.sqrt(sides.prod(axis=1) / area)
