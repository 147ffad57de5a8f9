"""The options `always` and `distinct`: images of every draw, and one image of several that show the same."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import ImageEmbeddings
from metricloop.data.splits import join_groups
from metricloop.selection.options import PolicyError, names_in


def always_rows(pool: Dataset, line: str | None) -> np.ndarray:
    """The image rows that the option `always` names, sorted. A name is a file name or an image id.

    Errors: PolicyError with the name that the pool does not hold, and the nearest file name.
    """
    files = {str(file): row for row, file in enumerate(pool.file)} if line else {}
    ids = {str(image): row for row, image in enumerate(pool.image_id)} if line else {}
    rows = []
    for name in names_in(line):
        row = files.get(name, ids.get(name))
        if row is None:
            near = get_close_matches(name, files, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"its files look like {next(iter(files), 'none')!r}"
            raise PolicyError(f"always: no image of the pool has the file name or id {name!r}; {hint}")
        rows.append(row)
    return np.unique(np.array(rows, int))


def near_duplicate_groups(pool: Dataset, embeddings: ImageEmbeddings) -> np.ndarray:
    """The group of near-duplicates of every image, (n,) str, by the same rule as in the stage ingest."""
    from metricloop.data.near_links import near_links

    pairs = near_links(embeddings.hashes, embeddings.thumbnails)
    return join_groups([str(file) for file in pool.file], [None] * len(pool), pairs)


def first_of_each(ranked: np.ndarray, same: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The first row of each kind in `ranked`, and all fixed rows, sorted. Fixed rows come before all others.

    ranked: rows, best first; same: (n,) int, equal for images that show the same.
    """
    ranked = np.concatenate([fixed, ranked[~np.isin(ranked, fixed)]])
    _, first = np.unique(same[ranked], return_index=True)
    return np.union1d(ranked[first], fixed)
