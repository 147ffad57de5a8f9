"""Make untrusted text safe to print: one printable line of limited length for a terminal, a journal or a prompt."""

from __future__ import annotations

MOST = 300  # characters


def clean(said: bytes | str, most: int = MOST) -> str:
    """One printable line of at most `most` characters; the middle of a longer text is left out.

    Line breaks become " / ". Characters that could control a terminal (escapes, other controls, marks that change the
    direction of the text) become "?". The content is not checked: show it as the words of the code that wrote it.
    """
    text = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else said
    lines = " / ".join(" ".join(line.split()) for line in text[: 20 * most].splitlines() if line.strip())
    line = printable(lines)
    if len(line) <= most:
        return line
    half = max(1, (most - 5) // 2)
    return f"{line[:half].rstrip()} ... {line[-half:].lstrip()}"[:most]


def printable(text: str) -> str:
    """The text with "?" for every character that could control a terminal or cannot be printed; lines and tabs stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


CLASS_NAME = 40  # characters of a class name


def class_name(name: str) -> str:
    """A class name, which is untrusted text, as one short line that cannot break a table."""
    return clean(name, CLASS_NAME).replace("|", "/")
