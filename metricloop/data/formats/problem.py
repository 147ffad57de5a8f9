"""What was odd in a data set, one row each; and the commonest oddities as the reason why nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from metricloop.text.clean import clean

LOOKED_FOR = "looked for "  # in an action: before the name of a picture that is not there
MOST = 20_000  # problems of one kind that are listed


class Problem(NamedTuple):
    """One row of problems.csv. `problem` is a kind that can be counted; `action` holds the details."""

    file: str
    problem: str
    action: str


class RefusedError(ValueError):
    """A data set that cannot be used. problems: what was found in it until then."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()):
        super().__init__(message)
        self.problems = list(problems)


class SourceError(RefusedError):
    """The source holds nothing usable; the message says what was expected and what was found."""


def left_out(boxes: int, why: str = "") -> str:
    """The text of Problem.action for labels that are not used. why: the reason, "" to give none.

    >>> left_out(1), left_out(2, "looked for a.jpg")
    ('left out (1 box)', 'left out (2 boxes; looked for a.jpg)')
    """
    return f"left out ({boxes} {'box' if boxes == 1 else 'boxes'}{why and f'; {why}'})"


def limited(problems: Sequence[Problem], most: int = MOST) -> list[Problem]:
    """The first problems of each kind, in their order; of the others of the kind only how many there are."""
    seen: Counter[str] = Counter()
    kept = []
    for problem in problems:
        seen[problem.problem] += 1
        if seen[problem.problem] <= most:
            kept.append(problem)
    more = {kind: count - most for kind, count in seen.items() if count > most}
    return kept + [Problem("", kind, f"and {count} more like these") for kind, count in sorted(more.items())]


def reasons(problems: Sequence[Problem], most: int = 3) -> str:
    """The commonest kinds of problem as text: how often, and an example of each."""
    counts = Counter(problem.problem for problem in problems)
    examples: dict[str, Problem] = {}
    for problem in problems:
        examples.setdefault(problem.problem, problem)
    told = [
        f"{clean(examples[kind].file, 200)}: {kind}, {clean(examples[kind].action, 200)}"
        + (f" ({count} like this)" if count > 1 else "")
        for kind, count in counts.most_common(most)
    ]
    more = len(counts) - len(told)
    return "; ".join(told) + (f"; and {more} more kinds" if more > 0 else "")
