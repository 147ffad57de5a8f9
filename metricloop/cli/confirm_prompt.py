"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence


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


def asks_here() -> bool:
    """Whether there is a person at a terminal who can be asked."""
    return sys.stdin.isatty()


def choose(question: str, options: Sequence[str]) -> int:
    """The place of the option that a person chooses by its number, asked until it is one of them.

    Errors: RuntimeError when the input ends without an answer.
    """
    print(question)
    for number, option in enumerate(options, start=1):
        print(f"  {number}  {option}")
    while True:
        try:
            answer = input(f"number, 1 to {len(options)}: ").strip()
        except EOFError:
            raise RuntimeError("no answer was given, so nothing is done") from None
        if answer.isdecimal() and 1 <= int(answer) <= len(options):
            return int(answer) - 1
