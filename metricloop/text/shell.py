"""Command lines that a person can copy into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path


def command_line(*words: str | Path) -> str:
    """The words as a command line; those with blanks or special characters are in quotes.

    >>> command_line("metricloop", "run", "-C", Path("my study"))
    "metricloop run -C 'my study'"
    """
    return shlex.join(map(str, words))


def run_line(folder: Path, *more: str) -> str:
    """The command line that runs the study in `folder`, or goes on with it.

    >>> run_line(Path("demo"), "--dry-run")
    'metricloop run -C demo --dry-run'
    """
    return command_line("metricloop", "run", "-C", folder, *more)
