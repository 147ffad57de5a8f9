"""The page of an audit: its findings, to be marked one by one, and how well it finds what is known to be wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.auditing.budget import IDEAL, RANDOM, UNITS, Budget, Curve
from metricloop.auditing.in_words import TITLES, claim, in_words
from metricloop.auditing.label_errors import ANY, KINDS, PICTURE_KINDS, Kind
from metricloop.auditing.measure import COMBINED, FALSE_POSITIVES, USEFUL
from metricloop.auditing.print_references import TEXTS, shares
from metricloop.auditing.reference import PLANTED, SECOND, Reference
from metricloop.auditing.run import Audit
from metricloop.figures.curves import Line, curves
from metricloop.metrics.families import FAMILIES
from metricloop.report.audit_findings import entries, payload
from metricloop.report.html import render
from metricloop.text.shell import command_line

SCRIPTS = ("page.js", "audit_marks.js", "audit_list.js", "audit_editor.js")
LINES = 4  # metrics in a figure
KINDS_OF_LINES = {IDEAL: "ideal", COMBINED: "combined", RANDOM: "chance"}  # CSS classes
STEPS = {
    "draw": "drawing the scenes",
    "ingest": "reading the data",
    "second_labels": "reading the second labels",
    "predict": "training and predicting",
    "predict_held_out": "predicting held-out pictures",
    "score": "scoring",
    "rank": "ranking and measuring",
    "calibrate": "estimating probabilities",
}  # step of an audit -> its name on the page
ERRORS = {kind.name: kind.error for kind in (*KINDS, *PICTURE_KINDS)}
FAMILY_TEXTS = {name: f"{family.title}; uses {family.reads}" for name, family in FAMILIES.items()}


def build(audit: Audit, study: str, folder: Path = Path(), anyway: str = "") -> str:
    """The page as HTML; reads the pictures it shows. folder: the workspace, for links and the commands it names.

    anyway: the command that lists the most suspicious labels where nothing is listed; "" without one.
    """
    made, whole = entries(audit, folder / layout.AUDIT)
    counts = Counter(one["kind"] for one in made)
    return render(
        "audit.html.j2",
        SCRIPTS,
        study=study,
        audit=audit,
        findings=made,
        payload=payload(audit, study, made, whole),
        command=command_line("metricloop", "fix", "marks.json", "-C", folder.absolute()),
        anyway=anyway,
        judged=[kind.name for kind in KINDS],
        minutes=max(1.0, sum(one["minutes"] for one in made)),
        ordered=any(one["order"] for one in made),
        claim=claim(audit),
        first=[(str(audit.data.file[one.row]), in_words(audit.data, one)) for one in audit.first],
        kinds_listed=[{"name": name, "title": ERRORS[name], "count": count} for name, count in counts.items()],
        kinds_all=[_kind(audit, kind, counts[kind.name]) for kind in looked_for(audit)],
        estimated=any(one.wrong is not None or one.precision is not None for one in audit.expected.values()),
        classes=sorted({name for one in made for name in (one["label"], one["model_label"]) if name}),
        splits=sorted({one["split"] for one in made}),
        measured=[{"name": one.name, "tables": _tables(one.rows)} for one in audit.references if one.rows],
        second=next((one for one in audit.references if one.disagreement), None),
        budgets=[budget_figure(one, own) for one in audit.references for own in one.budgets],
        error_texts=TEXTS,
        truth_name="truth" if audit.references and audit.references[0].name == PLANTED else SECOND,
        shares=shares,
        titles=TITLES | {ANY.name: ANY.title},
        combined=COMBINED,
        families=FAMILY_TEXTS,
        steps=[(STEPS.get(name, name), taken) for name, taken in audit.seconds.items()],
        rate=FALSE_POSITIVES,
        useful=USEFUL,
    )


def looked_for(audit: Audit) -> list[Kind]:
    """The kinds that were judged, or of which something is known."""
    judged = {kind.name for kind in audit.kinds}
    return [kind for kind in (*KINDS, *PICTURE_KINDS) if kind.name in {*judged, *audit.expected, *audit.suspects}]


def _kind(audit: Audit, kind: Kind, listed: int) -> dict[str, Any]:
    """A line of the table of kinds."""
    known = audit.expected.get(kind.name)
    return {
        "title": kind.error,
        "name": kind.name,
        "count": listed,
        "about": (not audit.model and kind.about_otherwise) or kind.about,
        "wrong": None if known is None or known.wrong is None else round(known.wrong),
        "precision": None if known is None else known.precision,
        "silent": None if known is None else known.silent,
    }


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
