"""How wide the output is: as the terminal, as COLUMNS says, or wide where neither is known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console_of(width: int = 118) -> Console:
    """A console as wide as the terminal or COLUMNS; `width` columns in a pipe or a file where COLUMNS is not set."""
    from rich.console import Console

    console = Console()
    known = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if known else Console(width=width)
