"""Which images of the pool may be drawn: those that always are, and one of several that show the same."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Looks
from metricloop.data.splits import join_groups
from metricloop.selection.options import PolicyError, names_in


def always_rows(pool: Dataset, line: str | None) -> np.ndarray:
    """The image rows that the option `always` names, in the order of the pool. A name is a file's, or else an image id.

    Errors: PolicyError naming what the pool does not hold, with the nearest file.
    """
    files = {str(file): row for row, file in enumerate(pool.file)} if line else {}
    ids = {str(image): row for row, image in enumerate(pool.image_id)} if line else {}
    rows = []
    for name in names_in(line):
        row = files.get(name, ids.get(name))
        if row is None:
            near = get_close_matches(name, files, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"its files look like {next(iter(files), 'none')!r}"
            raise PolicyError(f"always: the pool holds no image of the file or id {name!r}; {hint}")
        rows.append(row)
    return np.unique(np.array(rows, int))


def look_groups(pool: Dataset, looks: Looks) -> np.ndarray:
    """Which images show the same, (n,) str: linked by near-duplicate marks, as when the data came in."""
    from metricloop.data.pictures import near_duplicates

    pairs = near_duplicates(looks.hashes, looks.thumbnails)
    return join_groups([str(file) for file in pool.file], [None] * len(pool), pairs)


def first_of_each(ranked: np.ndarray, same: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The sorted rows of `ranked` that come first of their kind, and all fixed ones, which come before all others.

    ranked: rows, best first; same: (n,) int, equal for images that show the same.
    """
    ranked = np.concatenate([fixed, ranked[~np.isin(ranked, fixed)]])
    _, first = np.unique(same[ranked], return_index=True)
    return np.union1d(ranked[first], fixed)


def part_of(data: Dataset, rows: np.ndarray) -> tuple[Dataset, np.ndarray]:
    """Some images of a data set (sorted rows) with their boxes, and the places of these boxes among all."""
    kept = np.flatnonzero(np.isin(data.box_row, rows))
    part = replace(
        data,
        **{n: getattr(data, n)[rows] for n in ("image_id", "file", "sha256", "width", "height", "group", "split")},
        **{n: getattr(data, n)[kept] for n in ("box_id", "boxes", "labels", "crowd")},
        offsets=np.concatenate([[0], np.cumsum(data.counts[rows])]),
    )
    return part, kept
