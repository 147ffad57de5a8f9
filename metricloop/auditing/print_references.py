"""Tables for the terminal: how far a second labelling disagrees, and what a budget of corrected labels finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metricloop.auditing.budget import IDEAL, RANDOM, UNITS, Budget, Curve
from metricloop.auditing.disagreement import ANY_LABEL
from metricloop.auditing.measure import COMBINED
from metricloop.auditing.reference import Reference
from metricloop.data.label_errors import LABEL_ERRORS
from metricloop.text.numbers import count, fixed, percent

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

SHOWN = 12  # metrics in a table; the others are in audit.json
TEXTS = {name: error.meaning for name, error in LABEL_ERRORS.items()} | {ANY_LABEL: "a label is wrong in any way"}


def disagreement_table(one: Reference, pool: int) -> Group:
    """A line per kind of label error. pool: how many images it has."""
    table = simple_table()
    table.add_column("")
    for name in ("count", "of", "rate", "95 % interval"):
        table.add_column(name, justify="right")
    for row in one.disagreement:
        of = count(row["of"], "object" if row["kind"] == "missing" else "label")
        table.add_row(TEXTS[row["kind"]], count(row["count"]), of, percent(row["rate"], 1), shares(row["ci95"]))
    return under(
        f"The {one.name} against the labels, on {count(one.images)} of {count(pool, 'image')}. The intervals hold for "
        "the other images only if those labelled twice were drawn at random.",
        table,
    )


def shares(bounds: list[float] | None) -> str:
    """An interval of shares: "1.2 to 4.0 %"."""
    return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def budget_table(one: Reference, budget: Budget) -> Group:
    """A line per order, a column per budget."""
    table = simple_table()
    table.add_column("order", overflow="fold")
    for size in budget.sizes:
        table.add_column(f"{count(size)}\n({percent(size / budget.cases)})", justify="right")
    table.add_column("half found\nafter", justify="right")
    table.add_column("of the\nideal", justify="right")
    for row in shown_curves(budget):
        table.add_row(row.name, *(fixed(row.at(size), 1) for size in budget.sizes), fixed(row.needed_for(0.5), 0),
                      percent(row.of_ideal))  # fmt: skip
    return under(
        f"{UNITS[budget.unit].capitalize()} in the order of each metric, and how many of the "
        f"{count(budget.mistakes, 'mistake')} are then found ({one.name}, {count(budget.cases)} {budget.unit}). "
        "Equal scores come in random order: the mean over all such orders.",
        table,
    )


def shown_curves(budget: Budget, most: int = SHOWN) -> list[Curve]:
    """The ideal order, the audit's own, the best metrics, and the random order."""
    metrics = [row for row in budget.curves if row.name not in (IDEAL, COMBINED, RANDOM)][:most]
    names = {IDEAL, COMBINED, RANDOM, *(row.name for row in metrics)}
    return [row for row in budget.curves if row.name in names]


def simple_table() -> Table:
    """A table without lines at its sides."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)


def under(title: str, table: Table) -> Group:
    """The table with its title above it. Rich would break a title that is wider than its table."""
    from rich.console import Group
    from rich.text import Text

    return Group(Text(f"\n{title}", style="italic"), table)
