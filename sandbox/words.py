"""Words from inside the sandbox, made fit for a terminal, a journal and a prompt: one bounded, printable line."""

from __future__ import annotations

MOST = 300  # characters


def clean(said: bytes | str, most: int = MOST) -> str:
    """One printable line of at most `most` characters; the middle goes first.

    Line breaks become " / ", everything that a terminal might obey (escapes, other controls, marks that turn the
    direction of the text) becomes "?". What the words claim is not checked: show them as the code's own.
    """
    text = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else said
    lines = " / ".join(line.strip() for line in text[: 20 * most].splitlines() if line.strip())
    line = "".join(letter if letter.isprintable() else "?" for letter in lines)
    if len(line) <= most:
        return line
    half = (most - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"
