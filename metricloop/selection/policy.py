"""What a policy is: a function that orders the images of the pool, with its options and its line in the docs.

select() takes images from the front of that order until the budget is met. A higher keep-value is better, and none is
nan. Images with equal keep-values are ordered by `tie`, a permutation drawn for this study, arm and seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from metricloop.config import Section
from metricloop.data.dataset import Dataset
from metricloop.selection.greedy import Room

NONE = np.zeros(0, int)
LAST = 1000  # the place of a policy that gives none


@dataclass(frozen=True)
class Draw:
    """The input of a policy function for one draw. n images, m boxes."""

    data: Dataset
    options: Any  # the policy's own Section
    keep_values: np.ndarray  # (n,) of the images; all equal for a policy that reads no scores
    box_keep_values: np.ndarray | None  # (m,), for a policy that reads object scores
    wanted: np.ndarray  # box counts to match, for a policy that reads a subset
    rng: np.random.Generator
    tie: np.ndarray  # (n,) random order for equal keep-values
    count: int = 0  # how many images are needed
    fixed: np.ndarray = field(default_factory=lambda: NONE)  # rows that are always in the subset
    points: np.ndarray | None = None  # (n, d) of length 1, for a policy that reads embeddings
    # cache between draws: bytes of the image rows -> chosen rows
    known: dict[bytes, np.ndarray] = field(default_factory=dict)
    places: np.ndarray = field(default_factory=lambda: NONE)  # (n,) from `places_of`, the same for all draws

    @property
    def ranked(self) -> np.ndarray:
        """Image rows, best first."""
        if self.places.max(initial=-1) + 1 < len(self.places):
            return np.argsort(self.places * (self.tie.max() + 1) + self.tie)
        order = np.empty(len(self.places), np.int64)  # no two are equal, so each image knows its place
        order[self.places] = np.arange(len(order))
        return order

    @property
    def better(self) -> np.ndarray:
        """The fixed rows, then the best `share` of all rows, best first."""
        rows = self.ranked[: math.ceil(self.options.share * len(self.data))]
        return np.concatenate([self.fixed, rows[~np.isin(rows, self.fixed)]])

    def room(self, rows: np.ndarray) -> Room:
        """How many more images each group of these rows may give."""
        return Room(self.data.group[rows], self.options.per_group)


def places_of(keep_values: np.ndarray) -> np.ndarray:
    """The place of each image by its keep-value, (n,) int: 0 for the highest value. Equal values share a place.

    >>> places_of(np.array([0.5, 0.9, 0.5])).tolist()
    [1, 0, 1]
    """
    return np.unique(-keep_values, return_inverse=True)[1]


Chosen = tuple[np.ndarray, np.ndarray | None]  # image rows in order; per box keep | mask | drop (None: keep all)
Reads = Literal["scores", "object scores", "scores and embeddings", "images", "truth", "subset"]


@dataclass(frozen=True)
class Policy:
    """A row of the table of policies. `reads` names the content of the arm's inputs a and b; `place` orders the table.

    flip: keep the images with the lowest keep-values. whole_pool: ignore the budget.
    """

    order: Callable[[Draw], Chosen]
    options: type[Section]
    reads: Reads
    about: str
    place: int
    flip: bool
    whole_pool: bool


_REGISTERED: dict[str, Policy] = {}


def policy(
    name: str,
    about: str,
    *,
    options: type[Section],
    reads: Reads = "scores",
    place: int = LAST,
    flip: bool = False,
    whole_pool: bool = False,
) -> Callable[[Callable[[Draw], Chosen]], Callable[[Draw], Chosen]]:
    """Register the decorated function as the policy `name`; one function may serve several policies.

    about: one line for prompts, the command line and reports. Errors: ValueError for a name that is taken.
    """

    def register(order: Callable[[Draw], Chosen]) -> Callable[[Draw], Chosen]:
        if name in _REGISTERED:
            raise ValueError(f"two policies have the name {name!r}; rename one of them")
        _REGISTERED[name] = Policy(order, options, reads, about, place, flip, whole_pool)
        return order

    return register


def registered() -> dict[str, Policy]:
    """The policies of all modules that were imported so far, by place and name."""
    return dict(sorted(_REGISTERED.items(), key=lambda item: (item[1].place, item[0])))
