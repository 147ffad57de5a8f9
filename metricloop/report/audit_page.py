"""The page of an audit: the suspects of each kind of error, each picture with the label's box and the model's box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metricloop.auditing.audit_files import suspect_rows
from metricloop.auditing.budget import IDEAL, RANDOM, UNITS, Budget, Curve
from metricloop.auditing.label_errors import ANY, KINDS
from metricloop.auditing.measure import COMBINED, FALSE_POSITIVES, USEFUL
from metricloop.auditing.print_references import TEXTS, shares
from metricloop.auditing.reference import PLANTED, SECOND, Reference
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import Dataset
from metricloop.data.pictures import PictureError, read_picture
from metricloop.figures import svg
from metricloop.figures.contact_sheet import Layout, Mark, Style, draw_tile
from metricloop.figures.curves import Line, curves
from metricloop.figures.example_pictures import ENLARGED, window_around
from metricloop.metrics.families import FAMILIES
from metricloop.report.html import render

SIDE = 190  # px of a suspect's picture
TILE = Layout(columns=1, rows=1, side=SIDE, text=0.4, max_bytes=0)
LABEL = Style("the label", (0, 229, 255), 3)
OTHER = Style("other labels", (120, 165, 255), 1)
MODEL = Style("what the model sees", (255, 130, 30), 2, dashed=True)
LINES = 4  # metrics in a figure
KINDS_OF_LINES = {IDEAL: "ideal", COMBINED: "combined", RANDOM: "chance"}  # CSS classes
STEPS = {
    "draw": "drawing the scenes",
    "ingest": "reading the data",
    "second_labels": "reading the second labels",
    "predict": "training and predicting",
    "score": "scoring",
    "rank": "ranking and measuring",
}  # step of an audit -> its name on the page
FAMILY_TEXTS = {name: f"{family.title}; uses {family.reads}" for name, family in FAMILIES.items()}


def build(audit: Audit, study: str) -> str:
    """The page as HTML; reads the pictures it shows."""
    return render(
        "audit.html.j2",
        study=study,
        audit=audit,
        groups=[{"kind": kind, "entries": _entries(audit, kind.name)} for kind in audit.kinds],
        measured=[{"name": one.name, "tables": _tables(one.rows)} for one in audit.references if one.rows],
        second=next((one for one in audit.references if one.disagreement), None),
        budgets=[budget_figure(one, own) for one in audit.references for own in one.budgets],
        error_texts=TEXTS,
        truth_name="truth" if audit.references and audit.references[0].name == PLANTED else SECOND,
        shares=shares,
        titles={kind.name: kind.title for kind in (*KINDS, ANY)},
        combined=COMBINED,
        families=FAMILY_TEXTS,
        steps=[(STEPS.get(name, name), taken) for name, taken in audit.seconds.items()],
        rate=FALSE_POSITIVES,
        useful=USEFUL,
    )


def _tables(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The measurements as one table per kind of mistake, ANY first. `rest`: rows below USEFUL, folded on the page."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    kinds.sort(key=lambda kind: kind != ANY.name)
    made = []
    for kind in kinds:
        own = [row for row in rows if row["kind"] == kind]
        best = [row for row in own[:1] if row["metric"] == COMBINED]
        shown = best + [
            row for row in own if row not in best and (row["auroc"] >= USEFUL or row["family"] == "objectlab")
        ]
        rest = [row for row in own if row not in shown]
        made.append({"kind": kind, "wrong": own[0]["wrong"], "right": own[0]["right"], "rows": shown, "rest": rest})
    return made


def budget_figure(one: Reference, budget: Budget) -> dict[str, Any]:
    """The curves of one unit as a figure, their legend, and a table of all orders."""
    lines: list[Line] = []
    legend: list[tuple[str, str]] = []
    for row in distinct_curves(budget):
        kind = KINDS_OF_LINES.get(row.name) or f"m{sum(name.startswith('m') for name, _ in legend) + 1}"
        lines.append(Line(row.name, row.looked_at, row.found, kind))
        legend.append((kind, row.name))
    last = [RANDOM, IDEAL, COMBINED]  # on top of the others
    lines.sort(key=lambda line: last.index(line.name) if line.name in last else -1)
    label = f"Mistakes found against {UNITS[budget.unit]}, {one.name}"
    return {
        "reference": one.name,
        "budget": budget,
        "figure": curves(lines, budget.cases, budget.mistakes, label),
        "legend": legend,
        "axis": UNITS[budget.unit],
        "rows": [
            {"curve": row, "found": [row.at(size) for size in budget.sizes], "half": row.needed_for(0.5)}
            for row in budget.curves
        ],
    }


def distinct_curves(budget: Budget, most: int = LINES) -> list[Curve]:
    """The ideal order, the audit's own, the best metrics with a curve unlike those before, and the random order."""
    seen: set[bytes] = set()
    metrics = []
    for row in budget.curves:
        key = row.looked_at.tobytes() + row.found.tobytes()
        if row.name not in KINDS_OF_LINES and key not in seen:
            metrics.append(row.name)
        seen.add(key)
    return [row for row in budget.curves if row.name in KINDS_OF_LINES or row.name in metrics[:most]]


def _entries(audit: Audit, kind: str) -> list[dict[str, Any]]:
    """The suspects of a kind, each with its picture as a data URI; None where the file cannot be read."""
    pool, found, entries = audit.data, audit.suspects.get(kind, []), []
    for it, row in zip(found, suspect_rows(audit, found), strict=True):
        try:
            picture = read_picture(pool.root / str(pool.file[it.row]), str(pool.sha256[it.row]))
            shown = svg.jpeg_uri(suspect_picture(pool, it, picture), SIDE, 76)
        except PictureError:
            shown = None
        entries.append(row | {"more": it.more, "picture": shown})
    return entries


def suspect_picture(pool: Dataset, it: Suspect, picture: np.ndarray) -> np.ndarray:
    """The label in question with its surroundings and the model's box, (SIDE, SIDE, 3) uint8 RGB.

    picture: the whole image, RGB. For a missing label the model's box is in the middle.
    """
    width, height = int(pool.width[it.row]), int(pool.height[it.row])
    own = pool.slice(it.row)
    others = [Mark(pool.boxes[box], OTHER) for box in range(own.start, own.stop) if box != it.box]
    marks = [*others, *([Mark(pool.boxes[it.box], LABEL)] if it.box >= 0 else [])]
    marks += [Mark(it.model[0], MODEL)] if it.model else []
    seen = [np.asarray(pool.boxes[it.box], float)] if it.box >= 0 else []
    if it.model and (it.kind == "missing" or _touch(seen[0], np.array(it.model[0]))):
        seen.append(np.array(it.model[0]))
    seen = seen or [np.array([0, 0, width, height])]  # a picture as a whole
    both = np.concatenate([np.min(seen, axis=0)[:2], np.max(seen, axis=0)[2:]])
    return draw_tile(picture, window_around(both, width, height, SIDE / ENLARGED), marks, TILE)


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all())
