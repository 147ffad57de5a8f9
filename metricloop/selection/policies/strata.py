"""strata: the best images of each stratum of object size, class or crowding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from metricloop.data.dataset import Dataset
from metricloop.selection.options import Scored
from metricloop.selection.policy import Chosen, Draw, policy

STRATA = 5  # quintiles of object size, or of the number of boxes


class Strata(Scored):
    by: Literal["size", "class", "crowding"] = Field(
        "size", description="size or class of the objects, or crowding, how many there are"
    )


@policy("strata", "keep the best images within strata of object size, class or crowding", options=Strata, place=50)
def strata(draw: Draw) -> Chosen:
    """The best images of each stratum; every stratum gives the same share of its images.

    by size: quintiles of an image's mean object size, sqrt(box area / image area). by class: the rarest class of the
    pool that the image shows. by crowding: quintiles of the number of boxes, fewer where many images have the same
    number. Images without boxes are a stratum of their own. An image's place in the order is its rank within its
    stratum as a fraction, so that any number taken from the front is spread evenly.
    """
    stratum = STRATUM[draw.options.by](draw.data)
    ranked = draw.ranked[np.argsort(stratum[draw.ranked], kind="stable")]  # stratum by stratum, best first
    _, first, sizes = np.unique(stratum[ranked], return_index=True, return_counts=True)
    place = np.empty(len(draw.data))
    place[ranked] = (np.arange(len(ranked)) - np.repeat(first, sizes) + 0.5) / np.repeat(sizes, sizes)
    return np.lexsort((draw.tie, place)), None


def _size_stratum(data: Dataset) -> np.ndarray:
    """The quintile of mean object size of every image, (n,) int; -1 without boxes."""
    sides = (data.boxes[:, 2:] - data.boxes[:, :2]).clip(min=0).astype(float)
    relative = np.sqrt(sides.prod(axis=1) / (data.width.astype(float) * data.height)[data.box_row])
    return _quintile(data, np.bincount(data.box_row, relative, len(data)) / np.maximum(data.counts, 1))


def _crowding_stratum(data: Dataset) -> np.ndarray:
    """The quintile of the number of boxes of every image, (n,) int; -1 without boxes."""
    return _quintile(data, data.counts)


def _quintile(data: Dataset, values: np.ndarray) -> np.ndarray:
    """The quintile of every image's value among the images with boxes, (n,) int; -1 without boxes."""
    has = data.counts > 0
    if not has.any():
        return np.full(len(data), -1)
    edges = np.quantile(values[has], np.arange(1, STRATA) / STRATA)
    return np.where(has, np.searchsorted(edges, values, side="right"), -1)


def _class_stratum(data: Dataset) -> np.ndarray:
    """The rarest class each image shows, as its place from rare to common, (n,) int."""
    commonness = np.bincount(data.labels, minlength=len(data.class_names)).argsort(kind="stable").argsort()
    rarest = np.full(len(data), len(data.class_names))
    np.minimum.at(rarest, data.box_row, commonness[data.labels])
    return rarest


STRATUM = {"size": _size_stratum, "class": _class_stratum, "crowding": _crowding_stratum}
