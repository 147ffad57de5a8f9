"""The commands that README, CONTRIBUTING and docs show, as words that can be parsed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
)
PROGRAMS = ("metricloop", "make", "dvc", "mlflow", "prefect")
SHELL = re.compile(r"^( *)```(?:sh|console|bash)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


def shown_commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Each command of PROGRAMS in a text, as words, and whether it stands in a sentence and not in a block of shell."""
    for _, block in SHELL.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from ((words, False) for words in commands_of(line))
    for found in INLINE.findall(FENCE.sub("", text)):
        yield from ((words, True) for words in commands_of(found.replace("\n", " ")))


def commands_of(line: str) -> list[list[str]]:
    """The commands of PROGRAMS in a line of shell; [...] marks what may be left out, and is taken in."""
    parts = re.split(r" && | \|\| | \| |; ", re.sub(r"(^|\s)#.*", "", line))
    return [words for words in map(_words, parts) if words]


def _words(part: str) -> list[str]:
    try:
        words = shlex.split(re.sub(r"(?<=\s)\[|\](?=\s|$)|\.\.\.", " ", part))
    except ValueError:  # an apostrophe in a sentence
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*|\$", words[0]):  # a variable for this command alone, a prompt
        words.pop(0)
    if not words or words[0].removeprefix(".venv/bin/") not in PROGRAMS:
        return []
    cut = next((place for place, word in enumerate(words) if re.match(r"\d?[<>]|&$", word)), None)
    return [words[0].removeprefix(".venv/bin/"), *words[1:cut]]
