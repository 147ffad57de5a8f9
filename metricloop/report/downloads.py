"""Files that the page carries within itself, as links: the table of arms, and the subset of every arm."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.problem_list import cell
from metricloop.data.tables import column

MOST_ROWS = 6000  # of one file; where all draws together have more, the first draw alone is carried
TABLE = (
    "arm", "role", "metric", "verdict", "images", "boxes", "seeds", "mAP", "mAP_sd", "gain", "gain_rel", "gain_low",
    "gain_high", "p", "p_holm", "mAR", "mAR_gain", "mAP50",
)  # fmt: skip
SUBSET_COLUMNS = ("draw", "image_id", "file", "boxes_kept", "boxes_left_out")


@dataclass(frozen=True)
class Download:
    """A link that saves a file. about: what is in it, for the text of the link."""

    name: str
    href: str
    about: str


def table_file(comparison: dict[str, Any]) -> Download:
    """The comparison as CSV, unrounded; empty cells where an arm has no such number."""
    rows = []
    for arm in comparison["arms"]:
        gain, mar = ((arm["gain"] or {}).get(name) or {} for name in ("mAP", "mAR"))
        low, high = gain.get("ci95") or (None, None)
        rows.append(
            (arm["name"], arm["role"], arm["metric"], arm["verdict"], arm["images"], arm["boxes"], len(arm["seeds"]),
             arm["mAP"]["mean"], arm["mAP"]["sd"], gain.get("abs"), gain.get("rel"), low, high, gain.get("p"),
             gain.get("p_holm"), arm["mAR"]["mean"], mar.get("abs"), arm["mAP50"]["mean"])
        )  # fmt: skip
    return Download(f"{comparison['study']}-arms.csv", _href(TABLE, rows), "this table as CSV, unrounded")


def subset_file(arm: str, subset: pa.Table, pool: Dataset) -> Download:
    """The images of an arm's draws as CSV. boxes_left_out: the box ids that are not trained on, with blanks between.

    subset: SUBSET rows; a box is left out when it is dropped or covered up.
    """
    draw = column(subset, "draw")
    draws = np.unique(draw)
    images = len(np.unique(np.stack([draw, column(subset, "image_id")]), axis=1).T) if len(draw) else 0
    shown = draws if images <= MOST_ROWS else draws[:1]
    about = "its images as CSV"
    if len(draws) > 1:
        about += f" ({'all' if len(shown) == len(draws) else 'the first of'} {len(draws)} draws)"
    return Download(f"{arm}.csv", _href(SUBSET_COLUMNS, _subset_rows(subset, pool, shown)), about)


def _subset_rows(subset: pa.Table, pool: Dataset, draws: Sequence[int] | np.ndarray) -> Iterable[tuple]:
    draw, image_id, box_id = (column(subset, name) for name in ("draw", "image_id", "box_id"))
    use = np.array(subset["use"].to_pylist())
    for number in draws:
        mine = np.flatnonzero(draw == number)
        mine = mine[np.argsort(image_id[mine], kind="stable")]
        images, starts = np.unique(image_id[mine], return_index=True)
        for image, rows in zip(images, np.split(mine, starts[1:]), strict=True):
            kept, boxes = use[rows] == "keep", box_id[rows]
            left = " ".join(str(box) for box in boxes[~kept & (boxes >= 0)])
            file = str(pool.file[np.searchsorted(pool.image_id, image)])
            yield int(number), int(image), file, int(kept.sum()), left


def _href(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A data link to a CSV file; no cell of it is taken for a formula by a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.getvalue().encode()).decode()
