"""The labels of the pool with those of some images replaced by the truth, or by a second labelling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.tables import column
from metricloop.selection.keep_values import align, fill, reduce, relabel
from metricloop.selection.options import PolicyError


def judged_images(pool: Dataset, truth: pa.Table) -> np.ndarray:
    """Whether the truth says anything of each image, (n,) bool: a second labelling may hold some images only."""
    image, unjudged = column(truth, "image_id"), np.array(truth["mistake"].to_pylist(), object) == UNJUDGED
    return ~np.isin(pool.image_id, np.setdiff1d(image[unjudged], image[~unjudged]))


def candidates(pool: Dataset, truth: pa.Table, worst: int) -> np.ndarray:
    """The rows of the images whose labels can be replaced. Errors: PolicyError when there are fewer than `worst`."""
    if not len(truth):
        raise PolicyError(
            "relabel needs true labels, and none are known: no mistakes were made on purpose (data.corrupt). Name a "
            "second labelling in data.second_labels, and data/second_labels.parquet as the arm's input a"
        )
    rows = np.flatnonzero(judged_images(pool, truth))
    if worst > len(rows):
        raise PolicyError(
            f"relabel: worst is {worst}, but the truth of {len(rows)} images is known, of {len(pool)} in the pool; "
            "lower worst, or have more images labelled"
        )
    return rows


def worst_rows(rows: np.ndarray, keep_values: np.ndarray, worst: int, tie: np.ndarray) -> np.ndarray:
    """The `worst` of some rows, those with the lowest keep-values (n,), sorted; equal ones in the order of `tie`."""
    order = np.lexsort((tie[rows], keep_values[rows]))
    return np.sort(rows[order[:worst]])


def correction_values(pool: Dataset, options: Any, scores: pa.Table) -> np.ndarray:
    """The keep-values of the images by the scores, (n,), no nan: the lowest are corrected first."""
    objects, values = align(pool, scores)
    values = values if options.direction == "higher" else -values
    return fill(reduce(pool, values, options) if objects else values, options.unknown)


def corrected(pool: Dataset, true: Dataset, rows: np.ndarray) -> Dataset:
    """The pool with the labels of `true` for some images. true: the same images, from `relabel`."""
    old = np.flatnonzero(~np.isin(pool.box_row, rows))
    new = np.flatnonzero(np.isin(true.box_row, rows))
    box_row = np.concatenate([pool.box_row[old], true.box_row[new]])
    order = np.argsort(box_row, kind="stable")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(pool, name)[old], getattr(true, name)[new]])[order]
        for name in ("box_id", "boxes", "labels", "crowd")
    }
    return replace(pool, **joined, offsets=np.searchsorted(box_row[order], np.arange(len(pool) + 1)))


def true_labels(pool: Dataset, truth: pa.Table) -> Dataset:
    """The pool with all labels that the truth knows, images in the pool's order. Errors: PolicyError."""
    true = relabel(pool, truth)
    if not np.array_equal(true.image_id, pool.image_id):
        raise PolicyError("the pool's images are not in the order of their ids")
    return true
