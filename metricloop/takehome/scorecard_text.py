"""The scorecard for people: a table in the terminal, and Markdown for a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from metricloop.takehome.scorecard import ARTICLE_FIXES, ARTICLE_SHARE, Row
from metricloop.text import numbers
from metricloop.text.clean import clean
from metricloop.text.console import console_of


def check_rows(card: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Title, status and reason of every check. card: as in scorecard.json."""
    rows = [Row(**row) for row in card["rows"]]
    return [(row.title, row.words, clean(row.said, 160)) for row in rows]


def summary_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the checks come to, beside the article, and what it cost."""
    total = card["checks"]
    model = (
        f"{clean(card['model'], 60).replace('|', '/')}{', recorded ' + card['recorded'] if card['recorded'] else ''}"
    )
    rows = [
        ("model", model),
        ("covered unaided, at once", share(card["at_once"], total)),
        ("covered unaided, after its own repairs", share(card["unaided"], total)),
        ("the article's ChatGPT", f"{ARTICLE_SHARE}, then {ARTICLE_FIXES} fixes by a person"),
    ]
    if score := card["score"]:
        low = numbers.fixed(score["accuracy_low"])
        rows += [
            ("accuracy on labels it never saw", f"{numbers.fixed(score['accuracy'])} (at least {low}), "
             f"{numbers.count(score['items'], 'item')}"),
            ("always the most frequent label", numbers.fixed(score["majority"])),
        ]  # fmt: skip
    if card["reference"]:
        rows.append(("a plain model of ours", numbers.fixed(card["reference"]["accuracy"])))
    if card["own"]:
        rows.append(("what it says of itself", numbers.fixed(card["own"]["accuracy"])))
    money = "price unknown" if card["dollars"] is None else f"${card['dollars']:.2f}"
    rows.append(
        ("cost", f"{numbers.count(card['calls'], 'call')}, {numbers.count(card['repairs'], 'repair')}, "
         f"{numbers.count(card['tokens'], 'token')}, {money}, {card['minutes']:.0f} minutes of waiting"),
    )  # fmt: skip
    if card["limit"]:
        rows.append(("stopped", clean(card["limit"], 200)))
    return rows


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} checks ({numbers.percent(part / whole)})"


def markdown(card: Mapping[str, Any]) -> str:
    """The scorecard as Markdown."""
    lines = [f"| {card['assignment']} | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in summary_rows(card)]
    lines += ["", "| check | passed |", "|---|---|"]
    lines += [f"| {title} | {words} |" for title, words, _ in check_rows(card)]
    return "\n".join(lines) + "\n"


def print_card(card: Mapping[str, Any]) -> None:
    """Print the scorecard as tables."""
    console = console_of(110)
    checks = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in ("check", "passed", "why not"):
        checks.add_column(column, overflow="fold")
    for row in check_rows(card):
        checks.add_row(*map(Text, row))
    summary = Table(box=None, padding=(0, 1), show_header=False)
    for name, value in summary_rows(card):
        summary.add_row(Text(name), Text(value))
    console.print(checks)
    console.print()
    console.print(summary)
