"""The ideas of the language model as trees, each under the one that it builds on, and as lines of text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metricloop.engineer.ideas import Idea
from metricloop.text.clean import clean
from metricloop.text.numbers import count, signed

SAID = 110  # characters of a reason in one line of text


def parent_of(found: Sequence[Idea], place: int) -> int | None:
    """The index in `found` of the parent of the idea at `place`: the latest earlier idea of that name, preferring one
    that ran.

    None when it names no parent, or one that was not proposed earlier; so there are no cycles.
    """
    earlier = [n for n in range(place) if found[n].name == found[place].parent]
    return max(earlier, key=lambda n: (found[n].ran, n), default=None)


@dataclass(frozen=True)
class Node:
    """An idea and the ideas that build on it."""

    idea: Idea
    children: tuple[Node, ...] = ()


def tree(found: Sequence[Idea]) -> list[Node]:
    """The ideas as trees: every idea under its parent, oldest first."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for place in range(len(found)):
        children[parent_of(found, place)].append(place)

    def grow(place: int) -> Node:
        return Node(found[place], tuple(grow(child) for child in children[place]))

    return [grow(place) for place in children[None]]


def tree_text(found: Sequence[Idea]) -> str:
    """The trees for a terminal, one line per idea: its name, round, family and result."""
    return "\n".join(
        f"{'  ' * depth}{'└ ' if depth else ''}{idea.name} (round {idea.round}"
        f"{f', {clean(idea.family, 40)}' if idea.family else ''}): {outcome_line(idea)}"
        for depth, idea in walk(tree(found))
    )


def walk(nodes: Iterable[Node], depth: int = 0) -> Iterable[tuple[int, Idea]]:
    """Every idea of a tree with its depth, parents before children."""
    for node in nodes:
        yield depth, node.idea
        yield from walk(node.children, depth + 1)


def outcome_line(idea: Idea) -> str:
    """The result of an idea in one line: "ran after 1 repair, +0.031 (undecided)"."""
    said = clean(idea.reason or "no reason given", SAID)
    if idea.state == "proposed":
        return "nothing is decided yet"
    if idea.state == "refused":
        tries = f" after {count(idea.repairs, 'repair')}" if idea.repairs else ""
        return f"refused{tries}{' as a' if said.startswith('repeat: ') else ':'} {said}"
    ran = "ran the first time" if idea.first_time else f"ran after {count(idea.repairs, 'repair')}"
    if idea.state == "dropped":
        return f"{ran}, dropped: {said}"
    if idea.state == "screened":
        return f"{ran}, {said}"
    return f"{ran}, {signed(idea.measured_gain)} ({idea.verdict})" if idea.gain else f"{ran}, not measured yet"
