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


def crowds_told(records: Sequence[Record], split: np.ndarray, part: str) -> str:
    """What to say of a part without objects whose labels are all crowd regions; "" if it has none of these either."""
    count = sum(len(record.boxes) for record, given in zip(records, split, strict=True) if given == part)
    return (
        f"its {count} labels are crowd regions (iscrowd in COCO, difficult in VOC), which do not count" if count else ""
    )


def left_out(records: Sequence[Record], split: np.ndarray, part: str) -> Problem:
    """The problem that says that a part is left out."""
    own = [record for record, given in zip(records, split, strict=True) if given == part]
    action = f"{len(own)} pictures of the {CALLED[part]} split left out; the other held-out part is halved"
    crowds = crowds_told(records, split, part)
    return Problem(
        own[0].origin or str(own[0].file),
        "split without a labelled object",
        f"{action} ({crowds})" if crowds else action,
    )


def nothing_held_out(records: Sequence[Record], split: np.ndarray, parts: Sequence[str]) -> str:
    """Why nothing can be evaluated where all held-out pictures lack labels, and what to do."""
    told = []
    for part in parts:
        origins = sorted({r.origin for r, given in zip(records, split, strict=True) if given == part and r.origin})
        where = f" ({', '.join(origins[:3])})" if origins else ""
        crowds = crowds_told(records, split, part)
        count = int((split == part).sum())
        told.append(f"{count} pictures of the {CALLED[part]} split{where}{f', {crowds}' if crowds else ''}")
    return (
        f"no held-out picture has a labelled object: {' and '.join(told)}. Nothing can be evaluated on them. Label "
        "them, or take them out of the source: then pictures are held out by data.search_share and data.test_share"
    )
