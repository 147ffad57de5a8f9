"""Held-out parts that a study cannot use, because no picture in them has a labelled object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metricloop.data.formats.problem import Problem
from metricloop.data.formats.source import Record

CALLED = {"search": "val", "test": "test"}  # in the words of the sources


def unusable_parts(split: np.ndarray, objects: np.ndarray) -> list[str]:
    """The given held-out parts without a single object. objects: (n,) their number per image."""
    return [part for part in CALLED if (split == part).any() and not objects[split == part].any()]


def left_out(records: Sequence[Record], split: np.ndarray, part: str) -> Problem:
    """The problem that says that a part is left out."""
    own = [record for record, given in zip(records, split, strict=True) if given == part]
    action = f"{len(own)} pictures of the {CALLED[part]} split left out; the other held-out part is halved"
    return Problem(own[0].origin or str(own[0].file), "split without a labelled object", action)


def nothing_held_out(records: Sequence[Record], split: np.ndarray, parts: Sequence[str]) -> str:
    """Why nothing can be evaluated where all held-out pictures lack labels, and what to do."""
    told = []
    for part in parts:
        origins = sorted({r.origin for r, given in zip(records, split, strict=True) if given == part and r.origin})
        count = int((split == part).sum())
        told.append(
            f"{count} pictures of the {CALLED[part]} split" + (f" ({', '.join(origins[:3])})" if origins else "")
        )
    return (
        f"no held-out picture has a labelled object: {' and '.join(told)}. Nothing can be evaluated on them. Label "
        "them, or take them out of the source: then pictures are held out by data.search_share and data.test_share"
    )
