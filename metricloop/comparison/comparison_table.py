"""The comparison as a table: in the terminal, or in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metricloop.comparison.verdict import summarise
from metricloop.selection.policies import POLICIES
from metricloop.text.numbers import count, fixed, gain, interval, listing, percent, probability

if TYPE_CHECKING:
    from rich.console import Console

HEADER = ("arm", "images", "boxes", "mAP ± sd", "gain", "95 % interval", "p Holm", "mAR", "verdict")
COLOURS = {"better": "green", "worse": "red", "undecided": "yellow"}


def print_table(comparison: dict[str, Any], console: Console | None = None) -> None:
    """Print the verdict, the table and the notes; readable in 100 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = console or _console()
    summary = summarise(comparison)
    table = Table(title=title(comparison), title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for name in HEADER:
        table.add_column(name, justify="left" if name in ("arm", "verdict") else "right", overflow="fold")
    arms = comparison["arms"]
    for place, arm in enumerate(arms):
        ends = place + 1 < len(arms) and arms[place + 1]["role"] != arm["role"]
        table.add_row(*cells(arm), style=COLOURS.get(arm["verdict"], ""), end_section=ends)
    console.print(f"[bold]{summary.headline}[/bold]", *summary.details, sep="\n", end="\n\n", highlight=False)
    console.print(table)
    console.print("", *notes(comparison), sep="\n", highlight=False)


def markdown_table(comparison: dict[str, Any]) -> str:
    """The verdict, the table and the notes as Markdown."""
    summary = summarise(comparison)
    rule = ["---" if name in ("arm", "verdict") else "---:" for name in HEADER]
    rows = [HEADER, rule, *(cells(arm) for arm in comparison["arms"])]
    lines = [f"**{summary.headline}** {' '.join(summary.details)}", "", f"{title(comparison)}:", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(comparison))]) + "\n"


def print_confirmation(confirmation: dict[str, Any], console: Console | None = None) -> None:
    """Print confirmation.json: the finalists on the test split, with seeds that no other trial used."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = console or _console()
    seeds = count(len(confirmation["seeds"]), "fresh seed")
    if not confirmation["arms"]:
        console.print("The test split was not used: confirm.seeds is 0.", highlight=False)
        return
    table = Table(title=f"{confirmation['study']}: the test split, {seeds}", title_justify="left", box=SIMPLE_HEAD)
    for name in ("role", "arm", "mAP", "mAR", "gain", "95 % interval", "p"):
        table.add_column(name, justify="left" if name in ("role", "arm") else "right")
    for role, arm in confirmation["arms"].items():
        change = confirmation["gain"].get(role, {}).get("mAP") or {}
        table.add_row(
            role,
            arm["arm"],
            *(fixed(None if None in arm[m] else sum(arm[m]) / len(arm[m])) for m in ("mAP", "mAR")),
            gain(change.get("abs"), change.get("rel")),
            interval(change.get("ci95")),
            probability(change.get("p")),
        )
    console.print(table)
    console.print("Interval and p cover seeds only, on these test images.", highlight=False)


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
        count(arm["boxes"]),
        f"{fixed(arm['mAP']['mean'])}{sd}",
        gain(change.get("abs"), change.get("rel")),
        interval(change.get("ci95")).replace(" to ", "…"),
        probability(change.get("p_holm")),
        fixed(arm["mAR"]["mean"]),
        (arm["verdict"] or arm["role"]) + (" (unsafe)" if arm.get("unsafe_in_process") else ""),
    ]


def notes(comparison: dict[str, Any]) -> list[str]:
    """Lines below the table: seeds, the purpose of each control, how many seeds would decide."""
    arms = comparison["arms"]
    numbers = sorted({len(arm["seeds"]) for arm in arms})
    seeds = count(numbers[0], "seed") if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} seeds"
    lines = [f"{seeds} an arm; gain is the paired difference in mAP from the baseline, p is corrected for all arms."]
    for arm in arms:
        if arm["role"] == "control":
            lines.append(f"{arm['name']} (control): {POLICIES[arm['policy']['name']].about}.")
    if unsafe := [arm["name"] for arm in arms if arm.get("unsafe_in_process")]:
        lines.append(f"Scored by unread code without the sandbox (--unsafe-in-process): {listing(unsafe)}.")
    needed = [f"{arm['name']} {arm['seeds_needed']}" for arm in arms if arm["seeds_needed"]]
    if needed:
        lines.append(f"Seeds that would probably decide the undecided arms: {listing(needed)}.")
    undecided = [arm for arm in arms if arm["verdict"] == "undecided" and len(arm["seeds"]) > 1]
    hopeless = [arm["name"] for arm in undecided if not arm["seeds_needed"]]
    if hopeless:
        lines.append(
            f"Too close to the baseline for any reasonable number of seeds or search images: {listing(hopeless)}."
        )
    return lines


def _console() -> Console:
    """A console as wide as the terminal; 118 columns if the output is not a terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=118)
