"""Pools, scores, truth and embeddings made of literal rows, and draws from them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from metricloop.data.embeddings import embeddings_of
from metricloop.data.loading import assemble
from metricloop.data.manifest import draw_of
from metricloop.data.tables import BOXES, IMAGES, SCORES, TRUTH
from metricloop.selection.select import select


def make_pool(counts, groups=None, sizes=None, labels=None, order=None):
    """A pool of 100 x 100 images 1..n with so many boxes each; box ids count up; sizes: sides of the boxes."""
    n, m = len(counts), sum(counts)
    side = sizes if sizes is not None else [10] * m
    images = {
        "image_id": list(range(1, n + 1)),
        "file": [f"{k}.png" for k in range(n)],
        "sha256": [""] * n,
        "width": [100] * n,
        "height": [100] * n,
        "group": groups or [str(k) for k in range(n)],
        "split": ["pool"] * n,
    }
    boxes = {
        "box_id": list(range(1, m + 1)),
        "image_id": np.repeat(images["image_id"], counts).tolist(),
        "x1": [0] * m,
        "y1": [0] * m,
        "x2": side,
        "y2": side,
        "label": labels or [0] * m,
        "crowd": [False] * m,
    }
    images, boxes = pa.table(images, IMAGES), pa.table(boxes, BOXES)
    if order is not None:
        images, boxes = images.take(order.permutation(n)), boxes.take(order.permutation(m))
    return assemble(images, boxes, ("cat", "dog", "emu"), Path())


def image_scores(values, ids=None):
    n = len(values)
    rows = {"image_id": ids or list(range(1, n + 1)), "box_id": [None] * n, "score": values, "error": [None] * n}
    return pa.table(rows, SCORES)


def box_scores(pool, values):
    rows = {"image_id": pool.image_id[pool.box_row], "box_id": pool.box_id, "score": values}
    return pa.table({name: pa.array(v) for name, v in rows.items()} | {"error": [None] * len(values)}).cast(SCORES)


def draws(pool, policy, a=None, b=None, embeddings=None, *, budget=0.5, seeds=range(4), arm="arm", study=("s", 0)):
    return pa.concat_tables(
        select(pool, policy, a, b, embeddings, study=study, arm=arm, budget=budget, seeds=list(seeds))
    )


def images(subset, seed=0):
    return sorted(set(draw_of(subset, seed, "test")["image_id"].to_pylist()))


def truth_of(pool, mistakes, missing=(), invented=()):
    """TRUTH: the pool's own boxes with their mistakes by box id, missed boxes (image, x1, y1, x2, y2), invented ids."""
    rows = []
    for box_id, row, box in zip(pool.box_id, pool.box_row, pool.boxes, strict=True):
        if box_id not in invented:
            rows.append((int(pool.image_id[row]), int(box_id), *box.tolist(), 0, mistakes.get(int(box_id), "none")))
    rows += [(image, None, *map(float, box), 0, "missing") for image, *box in missing]
    image_of = dict(zip(pool.box_id.tolist(), pool.image_id[pool.box_row].tolist(), strict=True))
    rows += [(image_of[box_id], box_id, None, None, None, None, 0, "spurious") for box_id in invented]
    return pa.Table.from_pylist([dict(zip(TRUTH.names, row, strict=True)) for row in rows], TRUTH)


def embeddings_from(vectors, kinds):
    """Embeddings of images with these vectors; images of one kind are near-duplicates."""
    marks = [np.random.default_rng(int(kind)) for kind in kinds]
    hashes = [mark.integers(0, 2**63) for mark in marks]
    thumbnails = [mark.integers(0, 256, 256) for mark in marks]
    return embeddings_of(vectors, hashes=hashes, thumbnails=thumbnails).pool
