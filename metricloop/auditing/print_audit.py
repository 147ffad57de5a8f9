"""Print an audit to the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metricloop.auditing.expected import Expected
from metricloop.auditing.in_words import PERHAPS, PROBABLE, TITLES, claim, in_words
from metricloop.auditing.label_errors import ANY
from metricloop.auditing.measure import COMBINED, FALSE_POSITIVES, USEFUL
from metricloop.auditing.print_references import budget_table, disagreement_table, simple_table, under
from metricloop.auditing.reference import Reference
from metricloop.auditing.run import Audit
from metricloop.text.console import console_of, wrapped
from metricloop.text.numbers import DASH, count, fixed, percent

if TYPE_CHECKING:
    from rich.console import Console, Group


UNKNOWN = f"{DASH}: how many of these are wrong cannot be told, because none stands out as the planted errors do"


def print_audit(audit: Audit, console: Console | None = None, *, budget: bool = False) -> None:
    """Print the model's mAP, how far a second labelling disagrees, the AUROC of each metric by kind of mistake where
    the truth is known, and the number of suspects. budget: print what a budget of corrected labels finds, in place of
    the AUROC."""
    console = console or console_of()
    if audit.model:
        true = audit.model["mAP_of_truth"]
        true_labels = "" if true is None else f", {fixed(true)} against the true labels"
        mean = fixed(audit.model["mAP"])
        console.print(f"out-of-fold model: mAP {mean} against these labels{true_labels}", highlight=False)
    for one in audit.references:
        if one.disagreement:
            console.print(disagreement_table(one, len(audit.pool)))
        if one.rows and not budget:
            console.print(_measured(one))
        for own in one.budgets if budget else ():
            console.print(budget_table(one, own))
        if budget and not one.budgets:
            console.print(f"{one.name}: nothing is wrong, so no order finds more than another", highlight=False)
    for note in audit.notes:
        console.print(note, highlight=False)
    console.print(_listed(audit))
    console.print(_conclusion(audit), highlight=False)


def _listed(audit: Audit) -> Group:
    """A line per kind: how many are listed, how many of them are expected to be wrong, and why a list is empty."""
    from rich.console import Group
    from rich.text import Text

    table, unknown = simple_table(), False
    table.add_column("kind")
    table.add_column("listed", justify="right")
    table.add_column("wrong, expected", justify="right")
    table.add_column("")
    for kind in audit.kinds:
        found, told = audit.suspects.get(kind.name, []), audit.expected.get(kind.name, Expected())
        title = (TITLES if not found or any(one.probable for one in found) else PERHAPS)[kind.name]
        table.add_row(kind.name, count(len(found)), percent(told.precision), told.silent or title)
        unknown |= told.precision is None and any(one.other is None for one in found)
    said = PROBABLE if not audit.fix_first else claim(audit)
    text = f"{said} The expected shares are estimates, from errors planted into these labels."
    return Group(under(text, table), *[Text(UNKNOWN)] * unknown)


def _conclusion(audit: Audit) -> str:
    listed = audit.fix_first
    if not listed:
        return "\n".join(["no kind of error stands out", *_first(audit)])
    pool = sum(one.split == "pool" for one in listed)
    held = f", {count(len(listed) - pool)} of them held out" if pool < len(listed) else ""
    minutes = sum(one.minutes for one in listed)
    return f"{count(len(listed), 'finding')}{held}: about {max(1, round(minutes))} min of a person"


def _first(audit: Audit) -> list[str]:
    """The most suspicious labels where nothing is listed, a line each, so that there is something to look at."""
    lines = [wrapped(f"  {audit.data.file[one.row]}: {in_words(audit.data, one)}", "    ") for one in audit.first]
    return [f"the {count(len(lines), 'most suspicious label')}, not shown to be wrong:", *lines] if lines else []


def _measured(one: Reference) -> Group:
    """A line per metric, a column per kind of mistake."""
    rows = one.rows
    by = {(row["metric"], row["kind"]): row for row in rows}
    wrong = {row["kind"]: row["wrong"] for row in rows}
    table = simple_table()
    table.add_column("metric", overflow="fold")
    for kind, number in wrong.items():
        table.add_column(f"{kind} ({number})", justify="right")
    for name in _best_first(rows):
        cells = (by.get((name, kind)) for kind in wrong)
        table.add_row(name, *(f"{fixed(row['auroc'], 2)} ({percent(row['recall'])})" if row else "" for row in cells))
    rate = percent(FALSE_POSITIVES)
    return under(f"AUROC by kind of mistake (in brackets: recall at {rate} false positives), {one.name}", table)


def _best_first(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The audit's own ranking, then the metrics by their best AUROC; those below USEFUL are left out."""
    best: dict[str, float] = {}
    for row in rows:
        if row["kind"] != ANY.name:
            best[row["metric"]] = max(best.get(row["metric"], 0.0), row["auroc"])
    names = sorted(best, key=lambda name: -best[name])
    return [COMBINED, *(name for name in names if name != COMBINED and best[name] >= USEFUL)]
