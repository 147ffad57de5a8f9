"""Write problems.csv. Its cells hold words of strangers: no control characters, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from metricloop.data.formats.problem import Problem
from metricloop.data.tables import replacing
from metricloop.text.clean import printable

LONGEST = 2000  # characters of a cell


def write_problems(path: Path, problems: Iterable[Problem]) -> None:
    """One row per problem, under the names of its fields."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(Problem._fields)
        rows.writerows([cell(text) for text in problem] for problem in problems)


def cell(text: str) -> str:
    """A text as a cell: one line, and with a ' in front where a spreadsheet would take it for a formula.

    >>> cell("=1+1"), cell("a\\tb"), cell("images/a.jpg")
    ("'=1+1", 'a b', 'images/a.jpg')
    """
    line = " ".join(printable(text[:LONGEST]).replace("\t", "\n").split("\n"))
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
