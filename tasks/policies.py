"""Policies: how scores become a subset. Each is a pure function that puts the images of the pool in order.

select() takes from the front of that order until the budget is met. Goodness is higher for better and never nan;
whatever is equally good is ordered by `tie`, a permutation drawn for this study, arm and seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from detection.dataset import Dataset
from detection.settings import Section

Direction = Literal["higher", "lower"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
STRATA = 5  # quintiles of object size


class PolicyError(ValueError):
    """A policy, or one of its options, cannot be used on this pool; the message says what to do."""


class Capped(Section):
    """What every policy that draws to a budget can be told."""

    per_group: Annotated[int, Field(ge=1)] | None = Field(None, description="at most so many images of one video")


class Scored(Capped):
    """The options of every policy that reads scores."""

    direction: Direction = Field("higher", description="which scores are better")
    reduce: Literal["mean", "min", "softmin"] = Field(
        "mean", description="objects to image; min: the worst object decides"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(0.1, description="of softmin, in units of the score")
    combine: Literal["product", "intersection"] | None = Field(
        None, description="with the second metric: product of ranks, or the worse of the two ranks"
    )
    direction_b: Direction = Field("higher", description="which scores of the second metric are better")
    unknown: Literal["middle", "last"] = Field(
        "middle", description="where `cannot say` ranks: neither for nor against, or after all"
    )


class DropWorst(Scored):
    share: Fraction = Field(0.1, description="of the pool's boxes")
    on_drop: Literal["image", "mask", "background"] = Field(
        "image", description="what goes with a dropped box: its image, its pixels, or only the label"
    )


class Among(Scored):
    share: Fraction = Field(0.5, description="of the pool's images: the better ones, to draw among")


class Strata(Scored):
    by: Literal["size", "class"] = Field("size", description="of objects")


class Band(Scored):
    low: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="quantile of goodness to begin at: 0 the worst image, 1 the best"
    )
    high: Annotated[float, Field(gt=0, le=1)] = Field(0.75, description="quantile of goodness to end at")

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        return self


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

    @property
    def ranked(self) -> np.ndarray:
        """Image rows, best first."""
        return np.lexsort((self.tie, -self.goodness))


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
    place = np.empty(len(draw.data))
    for value in np.unique(stratum):
        own = draw.ranked[stratum[draw.ranked] == value]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((draw.tie, place)), None


def random_by_group(draw: Draw) -> Chosen:
    """Whole groups at random, one after the other; the last is cut where the budget ends."""
    _, group = np.unique(draw.data.group, return_inverse=True)
    return np.lexsort((draw.tie, draw.rng.permutation(group.max(initial=0) + 1)[group])), None


def match(draw: Draw) -> Chosen:
    """For every image of another subset a random one with as many boxes, or else with the nearest number."""
    counts, free = draw.data.counts.astype(float), np.ones(len(draw.data), bool)
    used: dict[str, int] = {}
    rows: list[int] = []
    wanted = draw.rng.permutation(draw.wanted)
    if len(wanted) > len(free):
        raise PolicyError(f"cannot match {len(wanted)} images out of a pool of {len(free)}")
    for exact in (True, False):  # exact matches first, so that no near one takes another's
        left: list[int] = []
        for count in wanted:
            distance = np.where(free, np.abs(counts - count), np.inf)
            row = int(np.lexsort((draw.tie, distance))[0])
            if np.isinf(distance[row]) or (exact and distance[row] > 0):
                left.append(count)
                continue
            group = str(draw.data.group[row])
            used[group] = used.get(group, 0) + 1
            free[row] = False
            if used[group] == draw.options.per_group:
                free[draw.data.group == group] = False
            rows.append(row)
        wanted = np.array(left)
    return np.array(rows, int), None


@dataclass(frozen=True)
class Policy:
    """A row of the table of policies. `reads` says what the arm's inputs a and b are."""

    order: Callable[[Draw], Chosen]
    options: type[Section]
    reads: Literal["scores", "object scores", "images", "truth", "subset"]
    about: str


POLICIES: Mapping[str, Policy] = {
    "best": Policy(best, Scored, "scores", "keep the best images"),
    "inverse": Policy(best, Scored, "scores", "keep the worst images: what `best` does in the other direction"),
    "drop_worst": Policy(drop_worst, DropWorst, "object scores", "draw at random, without the worst boxes of the pool"),
    "among": Policy(among, Among, "scores", "draw at random among the best share of the images"),
    "strata": Policy(strata, Strata, "scores", "keep the best images within strata of object size or class"),
    "band": Policy(band, Band, "scores", "draw at random between two quantiles of goodness"),
    "random": Policy(best, Capped, "images", "draw at random"),
    "random_by_group": Policy(random_by_group, Capped, "images", "draw whole groups (videos) at random"),
    "match": Policy(match, Capped, "subset", "draw at random with the box counts of another arm's subset, input b"),
    "full": Policy(best, Section, "images", "the whole pool, outside the budget"),
    "oracle": Policy(best, Capped, "truth", "keep the images with the smallest share of damaged objects"),
    "relabelled": Policy(best, Capped, "truth", "the images of the arm `random`, with their true labels"),
}


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
