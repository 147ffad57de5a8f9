"""The classes of a data set from one or more files: by id, each name once, blanks around names removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from metricloop.data.formats.problem import Problem
from metricloop.data.formats.values import name_of


def class_names_of(
    named: Iterable[tuple[Path, Sequence[tuple[str, str]]]], problems: list[Problem]
) -> tuple[tuple[str, ...], dict[Path, dict[str, int]]]:
    """The names of all classes in order of first sight, and for each file id -> index of the class.

    named: file -> (id, name as stated). A name given twice is one class, and listed; an id given to two classes is
    none, because its labels cannot be told apart.
    """
    names: dict[str, int] = {}
    labels: dict[Path, dict[str, int]] = {}
    for path, pairs in named:
        own: dict[str, int] = {}
        torn: set[str] = set()
        seen: dict[str, str] = {}
        for key, stated in pairs:
            name = name_of(stated) or f"category_{key}"
            label = names.setdefault(name, len(names))
            if own.setdefault(key, label) != label:
                torn.add(key)
            elif seen.setdefault(name, key) != key:
                action = f"taken as one class (ids {seen[name]} and {key}, {name})"
                problems.append(Problem(str(path), "class named twice", action))
        for key in torn:
            del own[key]
            problems.append(Problem(str(path), "class id used twice", f"labels of this id dropped (id {key})"))
        labels[path] = own
    _alike(names, problems, labels)
    return tuple(names), labels


def _alike(names: Iterable[str], problems: list[Problem], files: Iterable[Path]) -> None:
    """List classes whose names differ only in case; they stay apart."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            path = str(next(iter(files), ""))
            problems.append(Problem(path, "classes differ only in case", f"kept as two classes ({other} and {name})"))
