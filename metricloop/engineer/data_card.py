"""The data card: the pool with its labels as they are, described in Markdown for a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, fixed, listing, percent

CLASSES = 30  # the most frequent classes, shown one by one
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SIZES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)  # bin edges of the histogram of object sizes
DOUBLE = 0.9  # IoU above which two boxes of a class look like one object labelled twice
THIN = 2.0  # px; a narrower box is suspicious
WHOLE = 0.95  # share of the image's area; a larger box is suspicious
COMMON = 4  # image sizes named one by one, if they cover most images


def data_card(pool: Dataset, budget: float) -> str:
    """The pool's images and labels, mistakes included. budget: share of the pool's images that a subset holds."""
    if not len(pool):
        return "The pool holds no images."
    sizes, sound = _object_sizes(pool), _sound(pool)
    empty = int((pool.counts == 0).sum())
    lines = [
        f"- {count(len(pool), 'image')}, {count(len(pool.boxes), 'box', 'boxes')}, "
        f"{count(len(pool.class_names), 'class', 'classes')}; a subset holds "
        f"{count(max(1, round(budget * len(pool))), 'image')} ({percent(budget)})",
        f"- images without a box: {count(empty)} ({percent(empty / len(pool), 1)})",
        f"- image sizes, width x height in px: {_image_sizes(pool)}",
        f"- groups (videos or near-copies): {_groups(pool)}",
    ]
    if sound.any():
        lines.append(
            f"- boxes that touch the border of their image: {percent(float(_at_border(pool)[sound].mean()), 1)}"
        )
    lines += [f"- doubles: {_doubles(pool, sound)}", f"- suspicious by their coordinates: {_suspicious(pool)}"]
    return "\n\n".join(["\n".join(lines), *_tables(pool, sizes, sound)])


def _tables(pool: Dataset, sizes: np.ndarray, sound: np.ndarray) -> list[str]:
    """Three tables: quantiles, the histogram of object sizes, and the classes."""
    sides = _sides(pool)[sound]
    quantiles = [["boxes per image", *(fixed(value, 0) for value in _quantiles(pool.counts))]]
    parts = []
    if sound.any():
        root = np.sqrt(sides.prod(axis=1))
        quantiles += [
            ["object size", *(percent(value, 1) for value in _quantiles(sizes[sound]))],
            ["object size, px", *(fixed(value, 1) for value in _quantiles(root))],
            ["width / height", *(fixed(value, 2) for value in _quantiles(sides[:, 0] / sides[:, 1]))],
        ]
        names = [
            f"below {percent(SIZES[0])}",
            *(f"{fixed(100 * low, 0)} to {percent(high)}" for low, high in pairwise(SIZES)),
            f"{percent(SIZES[-1])} or more",
        ]
        inside = np.bincount(np.digitize(sizes[sound], SIZES), minlength=len(names)) / sound.sum()
        histogram = table(["object size", *names], [["boxes", *(percent(share, 1) for share in inside.tolist())]])
        parts = ["Object size is the root of the box's share of its image's area.", histogram]
    heads = [{0.0: "least", 0.5: "median", 1.0: "most"}.get(q, percent(q)) for q in QUANTILES]
    return [table(["quantiles", *heads], quantiles), *parts, _classes(pool, sizes, sound)]


def _classes(pool: Dataset, sizes: np.ndarray, sound: np.ndarray) -> str:
    boxes = np.bincount(pool.labels, minlength=len(pool.class_names))
    order = np.argsort(-boxes, kind="stable")

    def line(name: str, labels: np.ndarray) -> list[str]:
        mine = np.isin(pool.labels, labels)
        median = float(np.median(sizes[mine & sound])) if (mine & sound).any() else None
        images = len(np.unique(pool.box_row[mine]))
        return [
            name,
            count(int(mine.sum())),
            percent(over(float(mine.sum()), len(mine)), 1),
            count(images),
            percent(median, 1),
        ]

    rows = [line(class_name(pool.class_names[label]), np.array([label])) for label in order[:CLASSES]]
    if rest := len(order[CLASSES:]):
        rows.append(line(count(rest, "more class", "more classes"), order[CLASSES:]))
    return table(["class", "boxes", "of all boxes", "images", "median object size"], rows)


def _image_sizes(pool: Dataset) -> str:
    """The common image sizes if a few cover most images, else the ranges of width and height."""
    sizes, number = np.unique(np.stack([pool.width, pool.height], axis=1), axis=0, return_counts=True)
    order = np.argsort(-number, kind="stable")[:COMMON]
    shares = number[order] / len(pool)
    if shares.sum() >= 0.8:
        named = [f"{w} x {h} ({percent(s)})" for (w, h), s in zip(sizes[order].tolist(), shares.tolist(), strict=True)]
        others = len(sizes) - len(order)
        return ", ".join(named) + (f", and {count(others, 'other')}" if others else "")
    reach = (
        f"{name} {fixed(low, 0)} to {fixed(high, 0)}, median {fixed(median, 0)}"
        for name, values in (("width", pool.width), ("height", pool.height))
        for low, median, high in [np.quantile(values, (0, 0.5, 1)).tolist()]
    )
    return f"{count(len(sizes))} different; " + "; ".join(reach)


def _groups(pool: Dataset) -> str:
    _, number = np.unique(pool.group.astype(str), return_counts=True)
    if len(number) == len(pool):
        return "none, every image stands alone"
    return (
        f"{count(len(number))}; the median one has {count(round(float(np.median(number))), 'image')}, the largest "
        f"{count(int(number.max()))}"
    )


def _doubles(pool: Dataset, sound: np.ndarray) -> str:
    """Pairs of boxes of one class in one image that nearly coincide."""
    equal = near = 0
    involved = np.zeros(len(pool.boxes), bool)
    for row in np.flatnonzero(pool.counts > 1):
        own = np.arange(pool.offsets[row], pool.offsets[row + 1])
        own = own[sound[own]]
        boxes, labels = pool.boxes[own], pool.labels[own]
        first, second = np.nonzero(np.triu((iou(boxes, boxes) > DOUBLE) & (labels[:, None] == labels[None]), k=1))
        equal += int((boxes[first] == boxes[second]).all(axis=1).sum())
        near += len(first)
        involved[own[first]] = involved[own[second]] = True
    if not near:
        return f"none, no two boxes of a class overlap with an IoU above {DOUBLE}"
    return (
        f"{count(near, 'pair')} of the same class with an IoU above {DOUBLE}, {count(equal)} of them exactly equal; "
        f"{percent(float(involved.mean()), 1)} of the boxes are in one"
    )


def _suspicious(pool: Dataset) -> str:
    """Boxes that can hardly be right, judged by their coordinates alone."""
    sides, x1, y1, x2, y2 = _sides(pool), *pool.boxes.T
    width, height = pool.width[pool.box_row], pool.height[pool.box_row]
    finite = np.isfinite(pool.boxes).all(axis=1)
    no_area = finite & (sides <= 0).any(axis=1)
    beyond = finite & ((x1 < -0.5) | (y1 < -0.5) | (x2 > width + 0.5) | (y2 > height + 0.5))
    thin = finite & ~no_area & (sides < THIN).any(axis=1)
    whole = finite & (sides.clip(0).prod(axis=1) > WHOLE * width * height)
    found = {
        "with coordinates that are no numbers": ~finite,
        "without an area": no_area,
        f"less than {fixed(THIN, 0)} px wide or high": thin,
        "reaching out of the image": beyond,
        f"over {percent(WHOLE)} of the image": whole,
    }
    kinds = [f"{count(int(which.sum()), 'box', 'boxes')} {name}" for name, which in found.items() if which.any()]
    return listing(kinds) if kinds else "nothing; every box has an area, lies in its image and leaves some of it free"


def _sides(pool: Dataset) -> np.ndarray:
    return pool.boxes[:, 2:].astype(float) - pool.boxes[:, :2]


def _sound(pool: Dataset) -> np.ndarray:
    """Boxes with finite coordinates and a positive area, (m,) bool."""
    return np.isfinite(pool.boxes).all(axis=1) & (_sides(pool) > 0).all(axis=1)


def _object_sizes(pool: Dataset) -> np.ndarray:
    """Square root of each box's share of its image's area, (m,)."""
    area = (pool.width.astype(float) * pool.height)[pool.box_row]
    return np.sqrt(_sides(pool).clip(0).prod(axis=1) / area)


def _at_border(pool: Dataset) -> np.ndarray:
    """Boxes with an edge at most one pixel from the image's border, (m,) bool."""
    x1, y1, x2, y2 = pool.boxes.T
    width, height = pool.width[pool.box_row], pool.height[pool.box_row]
    return (x1 <= 1) | (y1 <= 1) | (x2 >= width - 1) | (y2 >= height - 1)


def _quantiles(values: np.ndarray) -> list[float]:
    return np.quantile(values, QUANTILES).tolist()


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
