"""Write an audit to the workspace: audit.json, audit.csv and audit.html in the folder audit/, which git ignores."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.auditing.budget import Budget
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.problem_list import cell
from metricloop.data.tables import replacing, write_json

POINTS = 50  # of a curve in audit.json
COLUMNS = (
    "kind", "place", "order", "probability", "minutes", "suspicion", "split", "file", "image_id", "box_id", "label",
    "box", "model_label", "model_score", "model_box", "other", "truth",
)  # fmt: skip


def as_json(audit: Audit) -> dict[str, Any]:
    """The audit as JSON values: the content of audit.json."""
    budget = [row for one in audit.references for own in one.budgets for row in budget_rows(one.name, own)]
    return {
        "images": len(audit.pool),
        "boxes": len(audit.pool.boxes),
        "model": audit.model,
        "seconds": {name: None if taken is None else round(taken, 2) for name, taken in audit.seconds.items()},
        "notes": audit.notes,
        "measured": [row | {"against": one.name} for one in audit.references for row in one.rows] or None,
        "disagreement": next((list(one.disagreement) for one in audit.references if one.disagreement), None),
        "budget": budget or None,
        "expected": {kind: one.as_json() for kind, one in audit.expected.items()},
        "suspects": {kind: suspect_rows(audit, found) for kind, found in audit.suspects.items()},
    }


def budget_rows(against: str, budget: Budget) -> list[dict[str, Any]]:
    """One record per order: how many known mistakes are found when so many images or boxes are looked at, in
    expectation. `of_ideal` and `half_after` as in `Curve`."""
    points = sorted({round(step * budget.cases / POINTS) for step in range(POINTS + 1)})
    return [
        {
            "against": against,
            "unit": budget.unit,
            "order": one.name,
            "cases": budget.cases,
            "mistakes": budget.mistakes,
            "of_ideal": round(one.of_ideal, 4),
            "half_after": round(one.needed_for(0.5), 1),
            "looked_at": points,
            "found": [round(one.at(size), 2) for size in points],
        }
        for one in budget.curves
    ]


def suspect_rows(audit: Audit, found: Sequence[Suspect]) -> list[dict[str, Any]]:
    """One record per suspect with the keys COLUMNS: its place in the list, its box, the model's box, and the truth."""
    pool, rows = audit.data, []
    for place, it in enumerate(found, start=1):
        labelled = it.box >= 0
        rows.append(
            {
                "kind": it.kind,
                "place": place,
                "order": it.order,
                "probability": None if it.told is None else round(it.told, 3),
                "minutes": it.minutes,
                "suspicion": round(it.suspicion, 4),
                "split": it.split,
                "file": str(pool.file[it.row]),
                "image_id": int(pool.image_id[it.row]),
                "box_id": int(pool.box_id[it.box]) if labelled else None,
                "label": pool.class_names[pool.labels[it.box]] if labelled else None,
                "box": [round(float(value), 1) for value in pool.boxes[it.box]] if labelled else None,
                "model_label": pool.class_names[it.model[1]] if it.model else None,
                "model_score": round(it.model[2], 4) if it.model else None,
                "model_box": [round(value, 1) for value in it.model[0]] if it.model else None,
                "other": it.other,
                "truth": audit.truth.mistake(it.row, it.box) if audit.truth and it.split == "pool" else None,
            }
        )
    return rows


def write(folder: Path, audit: Audit, page: str) -> Path:
    """Write audit.json, audit.csv and audit.html to audit/ in the workspace `folder`; returns that folder."""
    target, values = folder / layout.AUDIT, as_json(audit)
    for name, text in ((".gitignore", "*\n"), ("audit.html", page)):
        with replacing(target / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_json(target / "audit.json", values)
    with replacing(target / "audit.csv") as temporary, temporary.open("w", newline="") as stream:
        rows = [flat(row) for found in values["suspects"].values() for row in found]
        writer = csv.DictWriter(stream, list(flat(dict.fromkeys(COLUMNS))))
        writer.writeheader()
        for row in rows:  # names of files and classes are the words of strangers
            writer.writerow({name: cell(value) if isinstance(value, str) else value for name, value in row.items()})
    return target


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record with four columns (x1, y1, x2, y2) for each box."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("box"):
            prefix = name.removesuffix("box")
            flat |= dict(
                zip((f"{prefix}{side}" for side in ("x1", "y1", "x2", "y2")), value or [None] * 4, strict=True)
            )
        else:
            flat[name] = value
    return flat
