"""Oddities of data sets as people have them: one function per format and oddity makes the set and says what is right.

tests/data/test_quirks.py runs them all; scripts/make_formats_docs.py makes the table of docs/formats.md of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from odd_sets import Expected

# What happens: read as meant; read, and listed in problems.csv; left out and listed; refused with the reason.
OUTCOMES = ("read", "listed", "left out", "refused")
MODULES = ("coco", "yolo", "voc", "ytvos", "tools", "cvat", "label_studio", "any_format")
ALL: list[Quirk] = []


@dataclass(frozen=True)
class Quirk:
    """name: the oddity, a row of the table; kind: the heading above it."""

    kind: str
    name: str
    format: str
    outcome: str
    make: Callable[[Path], Expected]

    def __str__(self) -> str:
        return f"{self.format}-{self.make.__name__}"


def quirk(kind: str, name: str, format: str, outcome: str) -> Callable:
    """Register a function that makes a data set below a folder and returns what is right."""
    assert outcome in OUTCOMES, outcome

    def register(make: Callable[[Path], Expected]) -> Callable[[Path], Expected]:
        ALL.append(Quirk(kind, name, format, outcome, make))
        return make

    return register


def all_quirks() -> list[Quirk]:
    for module in MODULES:
        import_module(f"quirks.{module}")
    return sorted(ALL, key=lambda quirk: MODULES.index(quirk.make.__module__.rpartition(".")[2]))
