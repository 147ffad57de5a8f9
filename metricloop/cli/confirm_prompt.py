"""Questions to the person at the terminal."""

from __future__ import annotations

import sys


def agrees(question: str, yes: bool) -> bool:
    """Whether a person says yes; any other answer means no. yes: do not ask.

    Errors: RuntimeError where there is no terminal to ask at.
    """
    need_terminal(yes)
    try:
        return yes or input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def need_terminal(yes: bool) -> None:
    """Check that there is a terminal to ask at, unless `yes`. Errors: RuntimeError without one."""
    if not yes and not sys.stdin.isatty():
        raise RuntimeError(
            "this command asks before it changes anything, and there is no terminal to ask at; to say yes, add --yes"
        )
