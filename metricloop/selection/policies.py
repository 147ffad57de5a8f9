"""Policies: how scores become a subset. Each is a pure function that puts the images of the pool in order.

select() takes from the front of that order until the budget is met. Goodness is higher for better and never nan;
whatever is equally good is ordered by `tie`, a permutation drawn for this study, arm and seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from metricloop.config import Section
from metricloop.data.dataset import Dataset
from metricloop.selection.greedy import Room, farthest_first, fewest_first, nearest_counts
from metricloop.selection.options import (
    Among,
    Balanced,
    Band,
    Capped,
    Diverse,
    Drawn,
    DropWorst,
    PolicyError,
    Scored,
    Strata,
)

__all__ = ["POLICIES", "Chosen", "Draw", "Policy", "PolicyError", "Scored", "check_policy", "needs_looks"]

STRATA = 5  # quintiles of object size
NONE = np.zeros(0, int)


@dataclass(frozen=True)
class Draw:
    """What a policy function is given for one draw. n images, m boxes."""

    data: Dataset
    options: Any  # the policy's own Section
    goodness: np.ndarray  # (n,) of the images; all equal for a policy that reads no scores
    box_goodness: np.ndarray | None  # (m,), for drop_worst
    wanted: np.ndarray  # box counts to match, for match
    rng: np.random.Generator
    tie: np.ndarray  # (n,)
    count: int = 0  # how many images are needed
    fixed: np.ndarray = field(default_factory=lambda: NONE)  # rows that are taken whatever the order
    points: np.ndarray | None = None  # (n, d) of length 1, for diverse
    known: dict[bytes, np.ndarray] = field(default_factory=dict)  # what this arm's earlier draws chose, by images

    @property
    def ranked(self) -> np.ndarray:
        """Image rows, best first."""
        return np.lexsort((self.tie, -self.goodness))

    @property
    def better(self) -> np.ndarray:
        """The rows that are fixed, then the best `share` of all, best first."""
        rows = self.ranked[: math.ceil(self.options.share * len(self.data))]
        return np.concatenate([self.fixed, rows[~np.isin(rows, self.fixed)]])

    def room(self, rows: np.ndarray) -> Room:
        """How many more images the groups of these rows take."""
        return Room(self.data.group[rows], self.options.per_group)


Chosen = tuple[np.ndarray, np.ndarray | None]  # image rows in order; per box keep | mask | drop (None: keep all)


def best(draw: Draw) -> Chosen:
    """The best images. With nothing to tell them apart, images at random."""
    return draw.ranked, None


def drop_worst(draw: Draw) -> Chosen:
    """Images at random without the worst boxes of the pool; images that this empties are left out."""
    assert draw.box_goodness is not None
    data, boxes = draw.data, len(draw.box_goodness)
    worst = np.lexsort((draw.rng.permutation(boxes), draw.box_goodness))[: round(draw.options.share * boxes)]
    dropped = np.zeros(boxes, bool)
    dropped[worst] = True
    dropped[np.isin(data.box_row, draw.fixed)] = False
    hit = np.bincount(data.box_row[dropped], minlength=len(data))
    if draw.options.on_drop == "image":
        return draw.ranked[hit[draw.ranked] == 0], None
    emptied = (hit > 0) & (hit == data.counts)
    use = np.where(dropped, "mask" if draw.options.on_drop == "mask" else "drop", "keep")
    return draw.ranked[~emptied[draw.ranked]], use


def among(draw: Draw) -> Chosen:
    """Images at random among the best `share`."""
    return draw.rng.permutation(draw.ranked[: math.ceil(draw.options.share * len(draw.data))]), None


def band(draw: Draw) -> Chosen:
    """Images at random between two quantiles of goodness."""
    n, rising = len(draw.data), draw.ranked[::-1]
    return draw.rng.permutation(rising[math.floor(draw.options.low * n) : math.ceil(draw.options.high * n)]), None


def strata(draw: Draw) -> Chosen:
    """The best images of each stratum, each giving the same share of itself.

    by size: quintiles of an image's mean object size, sqrt(box area / image area). by class: the rarest class of the
    pool that the image shows. Images without boxes are a stratum of their own. An image's place in the order is its
    rank within its stratum as a fraction, so that any number taken from the front is spread evenly.
    """
    stratum = _size_stratum(draw.data) if draw.options.by == "size" else _class_stratum(draw.data)
    ranked = draw.ranked[np.argsort(stratum[draw.ranked], kind="stable")]  # stratum by stratum, best first
    _, first, sizes = np.unique(stratum[ranked], return_index=True, return_counts=True)
    place = np.empty(len(draw.data))
    place[ranked] = (np.arange(len(ranked)) - np.repeat(first, sizes) + 0.5) / np.repeat(sizes, sizes)
    return np.lexsort((draw.tie, place)), None


def class_balanced(draw: Draw) -> Chosen:
    """Again and again the best image that shows the class with the fewest boxes so far.

    Against adding up what an image's boxes bring to rare classes, this evens the classes out more and prefers no
    crowded images, and goodness decides more than ties.
    """
    rows = draw.better
    labels, offsets = _boxes_of(draw.data, rows)
    classes = len(draw.data.class_names)
    return rows[fewest_first(labels, offsets, classes, draw.count, given=len(draw.fixed), room=draw.room(rows))], None


def diverse(draw: Draw) -> Chosen:
    """Among the best `share`, from the best one on: always the image least like those taken (k-center greedy)."""
    assert draw.points is not None
    rows = draw.better
    key = draw.data.image_id[rows].tobytes()
    if key not in draw.known:
        given, room = max(len(draw.fixed), 1), draw.room(rows)
        draw.known[key] = farthest_first(draw.points[rows], draw.count, given=given, room=room)
    return rows[draw.known[key]], None


def random_by_group(draw: Draw) -> Chosen:
    """Whole groups at random, one after the other; the last is cut where the budget ends."""
    _, group = np.unique(draw.data.group, return_inverse=True)
    return np.lexsort((draw.tie, draw.rng.permutation(group.max(initial=0) + 1)[group])), None


def match(draw: Draw) -> Chosen:
    """For every image of another subset a random one with as many boxes, or else with the nearest number."""
    wanted, n = draw.rng.permutation(draw.wanted), len(draw.data)
    if len(wanted) > n:
        raise PolicyError(f"cannot match {len(wanted)} images out of a pool of {n}")
    rows = np.argsort(draw.tie)
    rows = np.concatenate([draw.fixed, rows[~np.isin(rows, draw.fixed)]])
    return rows[nearest_counts(draw.data.counts[rows], wanted, given=len(draw.fixed), room=draw.room(rows))], None


@dataclass(frozen=True)
class Policy:
    """A row of the table of policies. `reads` says what the arm's inputs a and b are."""

    order: Callable[[Draw], Chosen]
    options: type[Section]
    reads: Literal["scores", "object scores", "scores and embeddings", "images", "truth", "subset"]
    about: str


POLICIES: Mapping[str, Policy] = {
    "best": Policy(best, Scored, "scores", "keep the best images"),
    "inverse": Policy(best, Scored, "scores", "keep the worst images: what `best` does in the other direction"),
    "drop_worst": Policy(drop_worst, DropWorst, "object scores", "draw at random, without the worst boxes of the pool"),
    "among": Policy(among, Among, "scores", "draw at random among the best share of the images"),
    "strata": Policy(strata, Strata, "scores", "keep the best images within strata of object size or class"),
    "band": Policy(band, Band, "scores", "draw at random between two quantiles of goodness"),
    "class_balanced": Policy(
        class_balanced, Balanced, "scores", "take in turn the best image that shows the class with the fewest boxes"
    ),
    "diverse": Policy(
        diverse, Diverse, "scores and embeddings", "take in turn the good image least like those taken (k-center)"
    ),
    "random": Policy(best, Drawn, "images", "draw at random"),
    "random_by_group": Policy(random_by_group, Drawn, "images", "draw whole groups (videos) at random"),
    "match": Policy(match, Capped, "subset", "draw at random with the box counts of another arm's subset, input b"),
    "full": Policy(best, Section, "images", "the whole pool, outside the budget"),
    "oracle": Policy(best, Drawn, "truth", "keep the images with the smallest share of damaged objects"),
    "relabelled": Policy(best, Drawn, "truth", "the images of the arm `random`, with their true labels"),
}


def needs_looks(name: str, options: Any) -> bool:
    """Whether a policy with these options reads the embeddings, as input b."""
    return POLICIES[name].reads == "scores and embeddings" or getattr(options, "distinct", None) == "looks"


def check_policy(given: Mapping[str, Any]) -> tuple[str, Any]:
    """The name and the options (the policy's Section) of `{"name": ..., option: value, ...}`, checked.

    Errors: PolicyError naming the unknown policy or option with its nearest known name, or the unfit value.
    """
    options = dict(given)
    name = str(options.pop("name", ""))
    if name not in POLICIES:
        raise PolicyError(f"unknown policy {name!r}{_nearest(name, POLICIES)}")
    model = POLICIES[name].options
    try:
        return name, model.model_validate(options)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden":
                faults.append(f"unknown option {key!r}{_nearest(key, model.model_fields)}")
            else:
                faults.append(f"{key}={fault['input']!r}: {fault['msg']}" if key else fault["msg"])
        raise PolicyError(f"policy {name}: {'; '.join(faults)}") from None


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, 1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"


def _boxes_of(data: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and offsets of the boxes of some images, in the order of the rows."""
    counts = data.counts[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return data.labels[np.repeat(data.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])], offsets


def _size_stratum(data: Dataset) -> np.ndarray:
    sides = (data.boxes[:, 2:] - data.boxes[:, :2]).clip(min=0).astype(float)
    relative = np.sqrt(sides.prod(axis=1) / (data.width.astype(float) * data.height)[data.box_row])
    size = np.bincount(data.box_row, relative, len(data)) / np.maximum(data.counts, 1)
    if not len(relative):
        return np.full(len(data), -1)
    edges = np.quantile(size[data.counts > 0], np.arange(1, STRATA) / STRATA)
    return np.where(data.counts > 0, np.searchsorted(edges, size, side="right"), -1)


def _class_stratum(data: Dataset) -> np.ndarray:
    commonness = np.bincount(data.labels, minlength=len(data.class_names)).argsort(kind="stable").argsort()
    rarest = np.full(len(data), len(data.class_names))
    np.minimum.at(rarest, data.box_row, commonness[data.labels])
    return rarest
