"""Words from inside the sandbox, made fit for a terminal, a journal and a prompt: one bounded, printable line."""

from __future__ import annotations

MOST = 300  # characters


def clean(said: bytes | str, most: int = MOST) -> str:
    """One printable line of at most `most` characters; the middle goes first.

    Line breaks become " / ", everything that a terminal might obey (escapes, other controls, marks that turn the
    direction of the text) becomes "?". What the words claim is not checked: show them as the code's own.
    """
    text = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else said
    lines = " / ".join(" ".join(line.split()) for line in text[: 20 * most].splitlines() if line.strip())
    line = printable(lines)
    if len(line) <= most:
        return line
    half = max(1, (most - 5) // 2)
    return f"{line[:half]} ... {line[-half:]}"[:most]


def printable(text: str) -> str:
    """The same lines and tabs, everything else that a terminal might obey, or cannot write, as "?"."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


CLASS_NAME = 40  # characters of a class name


def class_name(name: str) -> str:
    """A class name, foreign words, as one short line that breaks no table."""
    return clean(name, CLASS_NAME).replace("|", "/")
