"""The comparison as a table: in the terminal, or in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metricloop.comparison.arm_rows import boxes_apart
from metricloop.comparison.next_steps import Step, next_steps
from metricloop.comparison.phrases import OTHERS, change_text, interval_text
from metricloop.comparison.statistics import verdict
from metricloop.comparison.table_notes import APART, notes, old_labels_text, promoted_text, scored_notes, warnings
from metricloop.comparison.verdict import summarise
from metricloop.text.console import console_of
from metricloop.text.numbers import count, fixed, gain, interval, p_value, percent, probability, signed

if TYPE_CHECKING:
    from rich.console import Console

    from metricloop.comparison.background import Background

WIDE = 100  # columns of a terminal that hold the whole table
NARROW = (0, 2, 3, 4, 5, 6, 8)  # the columns that 80 hold
SPREAD = " ± sd"
HEADER = ("arm", "images", "boxes", "mAP ± sd", "gain", "95 % interval", "p Holm", "mAR", "verdict")
CONFIRMED = (
    "role", "arm", "mAP", "mAR", "search gain", "expected", "test gain", "95 % interval", "p",
)  # fmt: skip
ALPHA = 0.05  # of the one test on the test split, whatever the looks of the study spend
COLOURS = {"better": "green", "worse": "red", "undecided": "yellow"}


def print_table(
    comparison: dict[str, Any],
    console: Console | None = None,
    background: Background | None = None,
    *,
    with_notes: bool = False,
) -> None:
    """Print the verdict, the table, what to be careful with, and with a background what to do next.

    with_notes: the mean gains of groups and all notes, too. Readable in 80 columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    console = console or console_of()
    summary = summarise(comparison)
    wide = console.width >= WIDE
    shown = range(len(HEADER)) if wide else NARROW
    table = Table(title=title(comparison), title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for name in (HEADER[place] if wide else HEADER[place].removesuffix(SPREAD) for place in shown):
        table.add_column(name, justify="left" if name in ("arm", "verdict") else "right", overflow="fold")
    arms = comparison["arms"]
    for place, arm in enumerate(arms):
        ends = place + 1 < len(arms) and arms[place + 1]["role"] != arm["role"]
        texts = cells(arm) if wide else _short_cells(arm)
        table.add_row(*(texts[place] for place in shown), style=COLOURS.get(arm["verdict"], ""), end_section=ends)
    if background and (mixed := old_labels_text(background)):
        console.print(mixed, style="bold red", highlight=False)
    verdict = [f"[bold]{escape(summary.headline)}[/bold]", *map(escape, summary.details)]
    console.print(" ".join(verdict), end="\n\n", highlight=False)
    if with_notes and summary.means:
        console.print(*summary.means, sep="\n", end="\n\n", highlight=False, markup=False)
    console.print(table)
    said = notes(comparison) if with_notes else warnings(comparison)
    if background:
        said += [*scored_notes(comparison, background.scored), *promoted_text(background)]
    if said:
        console.print("", *said, sep="\n", highlight=False, markup=False)
    if background:
        _print_steps(next_steps(comparison, background), console)


def _print_steps(steps: list[Step], console: Console) -> None:
    """What to do next; a command stays on one line, however narrow the terminal is, so that it can be copied."""
    console.print("\n[bold]Next[/bold]")
    for step in steps:
        console.print(f"{step.sentence}:", highlight=False, markup=False)
        console.print(f"  {step.command}", highlight=False, markup=False, soft_wrap=True)


def markdown_table(comparison: dict[str, Any]) -> str:
    """The verdict, the table and the notes as Markdown."""
    summary = summarise(comparison)
    rule = ["---" if name in ("arm", "verdict") else "---:" for name in HEADER]
    rows = [HEADER, rule, *(cells(arm) for arm in comparison["arms"])]
    lines = [f"**{summary.headline}** {' '.join(summary.details)}", ""]
    lines += [*(f"- {sentence}" for sentence in summary.means), ""] if summary.means else []
    lines += [f"{title(comparison)}:", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(comparison))]) + "\n"


def print_confirmation(
    confirmation: dict[str, Any],
    comparison: dict[str, Any],
    openings: list[dict[str, Any]],
    console: Console | None = None,
) -> None:
    """Print confirmation.json: the finalists on the test split, with seeds that no other trial used.

    comparison: comparison.json, whose gains are shown beside those of the test split. openings: the lines of
    opened.jsonl, in their order.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = console or console_of()
    arms = confirmation["arms"]
    other = other_openings(confirmation, openings)
    if not arms:
        console.print(f"The test split stayed closed: {confirmation['reason']}.", *other, sep="\n", highlight=False)
        return
    rows = {arm["name"]: arm for arm in comparison["arms"]}
    seeds = {name: len(own) for name, own in confirmation["seeds"].items()}
    table = Table(
        title=f"{confirmation['study']}: the test split ({count(confirmation['test_images'], 'image')}), "
        f"{count(seeds['arms'], 'fresh seed')} an arm, {seeds['baseline']} of the baseline",
        title_justify="left", box=SIMPLE_HEAD, padding=0,
    )  # fmt: skip
    for name in CONFIRMED:
        table.add_column(name, justify="left" if name in ("role", "arm") else "right", overflow="fold")
    for role, arm in arms.items():
        change = confirmation["gain"].get(role, {}).get("mAP") or {}
        row = rows.get(arm["arm"], {})
        searched = (row.get("gain") or {}).get("mAP") or {}
        table.add_row(
            role,
            arm["arm"],
            *(fixed(None if None in arm[m] else sum(arm[m]) / len(arm[m])) for m in ("mAP", "mAR")),
            signed(searched.get("abs")),
            signed(row.get("shrunken_gain")),
            gain(change.get("abs"), change.get("rel")),
            interval(change.get("ci95")).replace(" to ", "…"),
            probability(change.get("p")),
        )
    if reached := confirmed_text(confirmation, rows):
        console.print(f"[bold]{reached}[/bold]", end="\n\n", highlight=False)
    console.print(table)
    console.print(
        "Test gain, interval and p hold for other seeds and other images of this kind. Search gain is what the study "
        "measured; expected is that gain without the luck of the best of several arms.",
        *other,
        sep="\n",
        highlight=False,
    )


def confirmed_text(confirmation: dict[str, Any], rows: dict[str, Any]) -> str | None:
    """Whether the winner is better on the test split, too; None where there is no winner or no number."""
    winner = confirmation["arms"].get("winner")
    change = confirmation["gain"].get("winner", {}).get("mAP")
    if winner is None or change is None:
        return None
    told = verdict(change["p"], change["ci95"], ALPHA)
    row = rows.get(winner["arm"], {})
    words = {"better": "Confirmed: ", "worse": "Refuted: ", "undecided": "Not confirmed: "}
    said = {"better": "beats", "worse": "does worse than", "undecided": "is not shown to beat"}[told]
    expected = "" if row.get("shrunken_gain") is None else f"; expected was {signed(row['shrunken_gain'])} mAP"
    word = words[told] if row.get("verdict") == "better" else ""
    return (
        f"{word}{winner['arm']} {said} {OTHERS} on the test split: "
        f"{change_text(change)}, {interval_text(change)}, {p_value(change['p'])}{expected}."
    )


def other_openings(confirmation: dict[str, Any], openings: list[dict[str, Any]]) -> list[str]:
    """Lines about the openings before this one and after it; none where there were none.

    The opening of this confirmation is the last one with its arms and seeds. A later one has no result that is shown:
    it failed, or was stopped.
    """
    own = sorted(arm["arm"] for arm in confirmation["arms"].values()), confirmation["seeds"]
    places = [k for k, entry in enumerate(openings) if (sorted(entry["arms"]), entry["seeds"]) == own]
    place = places[-1] if places else len(openings)
    found = {"before": openings[:place], "since then, without a result": openings[place + 1 :]}
    return [
        f"The test split was opened {count(len(entries), 'time')} {when}: {'; '.join(map(_opening, entries))}."
        for when, entries in found.items()
        if entries
    ]


def _opening(entry: dict[str, Any]) -> str:
    return f"{entry['opened'][:10]} ({', '.join(entry['arms'])})"


def title(comparison: dict[str, Any]) -> str:
    return (
        f"{comparison['study']}: {percent(comparison['budget'])} of the pool, scored on the {comparison['split']} split"
    )


def cells(arm: dict[str, Any]) -> list[str]:
    """The texts of one row, in the order of HEADER."""
    change = (arm["gain"] or {}).get("mAP") or {}
    sd = f" ± {fixed(arm['mAP']['sd'])}" if arm["mAP"]["sd"] is not None else ""
    return [
        arm["name"],
        count(arm["images"]),
        count(arm["boxes"]) + (APART if boxes_apart(arm) else ""),
        f"{fixed(arm['mAP']['mean'])}{sd}",
        gain(change.get("abs"), change.get("rel")),
        interval(change.get("ci95")).replace(" to ", "…"),
        probability(change.get("p_holm")),
        fixed(arm["mAR"]["mean"]),
        (arm["verdict"] or arm["role"]) + (" (unsafe)" if arm.get("unsafe_in_process") else ""),
    ]


def _short_cells(arm: dict[str, Any]) -> list[str]:
    """The same texts, shorter: mAP without its spread, the gain without its share."""
    change = (arm["gain"] or {}).get("mAP") or {}
    texts = cells(arm)
    return [*texts[:3], fixed(arm["mAP"]["mean"]), signed(change.get("abs")), *texts[5:]]
