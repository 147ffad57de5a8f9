"""What an arm chose: its scores, the examples at either end, and how its subset differs from the pool."""

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
class Chosen:
    """The first draw of a subset. images: (n,) bool over the pool's images; boxes: (m,) bool over its boxes."""

    images: np.ndarray
    boxes: np.ndarray
    draws: int


@dataclass(frozen=True)
class Profile:
    """What a set of labelled images looks like. sizes: (m,) root of each box's share of its image; labels: (m,)."""

    images: int
    empty: int
    sizes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Change:
    """One line of `what the subset changed`: texts, and subset over pool (None where a ratio would say nothing)."""

    name: str
    pool: str
    subset: str
    ratio: float | None = None


def chosen(subset: pa.Table, pool: Dataset) -> Chosen:
    """Which images and boxes of the pool the first draw keeps."""
    draw = column(subset, "draw")
    first = draw == draw.min() if len(draw) else np.zeros(0, bool)
    keep = first & np.isin(subset["use"].to_pylist(), ["keep"])
    return Chosen(
        images=np.isin(pool.image_id, column(subset, "image_id")[first]),
        boxes=np.isin(pool.box_id, column(subset, "box_id")[keep]),
        draws=len(np.unique(draw)),
    )


def kept(scores: Scores, choice: Chosen) -> np.ndarray:
    """Per score, whether what it judges is in the subset, (k,) bool."""
    inside = choice.images[scores.row]
    objects = scores.box >= 0
    inside[objects] = choice.boxes[scores.box[objects]]
    return inside


def extremes(scores: Scores, higher: bool, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the best scores, best first, and of the worst, worst first; each image at most once in all.

    Equal scores come in a fixed random order, so that the examples of a coarse score are not neighbours of one file.
    """
    usable = np.flatnonzero(np.isfinite(scores.value))
    usable = usable[np.random.default_rng(0).permutation(len(usable))]
    order = usable[np.argsort(-scores.value[usable] if higher else scores.value[usable], kind="stable")]
    images = len(np.unique(scores.row[order]))
    best = _distinct(order, scores.row, min(wanted, (images + 1) // 2), taken=set())
    worst = _distinct(order[::-1], scores.row, min(wanted, images // 2), taken=set(scores.row[best].tolist()))
    return best, worst


def _distinct(order: np.ndarray, row: np.ndarray, wanted: int, taken: set[int]) -> np.ndarray:
    found: list[int] = []
    for index in order:
        if len(found) == wanted:
            break
        if int(row[index]) not in taken:
            taken.add(int(row[index]))
            found.append(int(index))
    return np.array(found, dtype=int)


def pool_profile(pool: Dataset) -> Profile:
    """The pool's labels as they stand, deliberate mistakes included."""
    area = (pool.width.astype(float) * pool.height)[pool.box_row]
    return Profile(len(pool), int((pool.counts == 0).sum()), _sizes(pool.boxes, area), pool.labels)


def subset_profile(subset: pa.Table, pool: Dataset) -> Profile:
    """The labels that the first draw trains on."""
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
    """How a subset differs from the pool in everything but quality: counts, crowding, object size, classes."""
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
    """A line about a share of the pool and of the subset, each in 0..1."""
    return Change(name, percent(pool, 1), percent(subset, 1), _over(pool, subset))


def _over(pool: float, subset: float) -> float | None:
    return subset / pool if pool > 0 else None


def _sizes(boxes: np.ndarray, area: np.ndarray) -> np.ndarray:
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(float).clip(0)
    return np.sqrt(sides.prod(axis=1) / area)
