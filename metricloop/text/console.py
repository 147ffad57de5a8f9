"""How wide the output is: as the terminal, as COLUMNS says, or wide where neither is known."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console_of(width: int = 118) -> Console:
    """A console as wide as the terminal or COLUMNS; `width` columns in a pipe or a file where COLUMNS is not set."""
    from rich.console import Console

    console = Console()
    known = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if known else Console(width=width)


def known_width() -> int | None:
    """The columns of the terminal, or those that COLUMNS says; None in a pipe or a file."""
    known = os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty()
    return shutil.get_terminal_size((80, 24)).columns if known else None


def wrapped(text: str, indent: str = "", width: int | None = None) -> str:
    """Break a line into lines that fit the terminal, the later ones behind `indent`; unchanged if no width is known.

    >>> print(wrapped("reading 2 s, scoring 11 s", "  ", width=14))
    reading 2 s,
      scoring 11 s
    """
    columns = known_width() if width is None else width
    if columns is None:
        return text
    return textwrap.fill(text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
