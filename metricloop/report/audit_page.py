"""The page of an audit: what looks wrong, kind by kind, with the label's box and the model's drawn into the picture.

It stands by itself as report.html does, and looks like it.
"""

from __future__ import annotations

from typing import Any

import jinja2
import numpy as np

from metricloop.audit.label_errors import ANY, COMBINED, FALSE_POSITIVES, KINDS, Suspect
from metricloop.audit.run import Audit, lines
from metricloop.data.dataset import Dataset
from metricloop.data.pictures import PictureError, read_picture
from metricloop.figures import svg
from metricloop.figures.contact_sheet import Layout, Mark, Style, draw_tile
from metricloop.figures.example_sheets import around
from metricloop.report import study_page
from metricloop.text import numbers

SIDE = 190  # px of a thumbnail
TILE = Layout(columns=1, rows=1, side=SIDE, text=0.4, weight=0)
ENLARGED = 8  # at most, so that a tiny object keeps its surroundings
LABEL = Style("the label", (0, 229, 255), 3)
OTHER = Style("other labels", (120, 165, 255), 1)
MODEL = Style("what the model sees", (255, 130, 30), 2, dashed=True)
STEPS = {
    "draw": "draw the scenes",
    "ingest": "bring the data in",
    "predict": "train and predict",
    "score": "score",
    "rank": "rank and measure",
}
ABOUT = {
    "matching": "label against model",
    "agreement": "label against model",
    "objectlab": "ObjectLab",
    "mistakenness": "FiftyOne, and by degrees",
    "fit": "pixels",
    "labels": "labels alone",
    "geometry": "labels alone",
    "integrity": "labels alone",
    "": "the list below",
}


def build(audit: Audit, study: str) -> str:
    """The page as HTML; reads the pictures it shows."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(study_page.TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.globals["f"] = numbers
    return environment.get_template("audit.html.j2").render(
        study=study,
        audit=audit,
        groups=[{"kind": kind, "entries": _entries(audit, kind.name)} for kind in audit.kinds],
        measured=_tables(audit.rows),
        titles={kind.name: kind.title for kind in (*KINDS, ANY)},
        combined=COMBINED,
        about=ABOUT,
        steps=[(STEPS.get(name, name), taken) for name, taken in audit.seconds.items()],
        rate=FALSE_POSITIVES,
    )


def _tables(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of every kind of mistake, those that tell nothing apart folded away; any disturbed box first."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    kinds.sort(key=lambda kind: kind != ANY.name)
    made = []
    for kind in kinds:
        own = [row for row in rows if row["kind"] == kind]
        best = [row for row in own[:1] if row["metric"] == COMBINED]
        shown = best + [row for row in own if row not in best and (row["auroc"] >= 0.6 or row["family"] == "objectlab")]
        rest = [row for row in own if row not in shown]
        made.append({"kind": kind, "wrong": own[0]["wrong"], "right": own[0]["right"], "rows": shown, "rest": rest})
    return made


def _entries(audit: Audit, kind: str) -> list[dict[str, Any]]:
    """The suspects of a kind with a thumbnail each; one whose picture cannot be read has none."""
    pool, found, entries = audit.pool, audit.suspects[kind], []
    for it, line in zip(found, lines(audit, found), strict=True):
        try:
            picture = read_picture(pool.root / str(pool.file[it.row]), str(pool.sha256[it.row]))
            shown = svg.jpeg_uri(thumbnail(pool, it, picture), SIDE, 76)
        except PictureError:
            shown = None
        entries.append(line | {"more": it.more, "picture": shown})
    return entries


def thumbnail(pool: Dataset, it: Suspect, picture: np.ndarray) -> np.ndarray:
    """The label in question with its surroundings and what the model sees; the whole picture where none is; RGB."""
    width, height = int(pool.width[it.row]), int(pool.height[it.row])
    own = pool.slice(it.row)
    others = [Mark(pool.boxes[box], OTHER) for box in range(own.start, own.stop) if box != it.box]
    marks = [*others, *([Mark(pool.boxes[it.box], LABEL)] if it.box >= 0 else [])]
    marks += [Mark(it.model[0], MODEL)] if it.model else []
    seen = [np.asarray(pool.boxes[it.box], float)] if it.box >= 0 else []
    if it.model and (it.kind == "missing" or _touch(seen[0], np.array(it.model[0]))):
        seen.append(np.array(it.model[0]))
    both = np.concatenate([np.min(seen, axis=0)[:2], np.max(seen, axis=0)[2:]])
    return draw_tile(picture, around(both, width, height, SIDE / ENLARGED), marks, TILE)


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all())
