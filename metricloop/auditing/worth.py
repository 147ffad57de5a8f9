"""What looking at a finding costs and gains: one order over all kinds, by gain per minute of a person.

The figures are round and set by hand, for a person who works through a page or a labelling tool. What they decide is
the order between kinds; within one kind the probability does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from metricloop.auditing.suspects import Suspect


@dataclass(frozen=True)
class Cost:
    """look: minutes to judge a finding. repair: minutes to put it right where it is wrong. worth: of one repair to a
    detector that trains on these labels, where 1 is an object without a label."""

    look: float
    repair: float
    worth: float


COSTS = {
    "missing": Cost(0.15, 0.30, 1.0),  # a box to draw; unlabelled objects are learned as background
    "class": Cost(0.10, 0.10, 1.0),  # a name to change
    "spurious": Cost(0.10, 0.05, 0.8),  # a box to delete
    "placed": Cost(0.15, 0.25, 0.6),  # a box to draw anew; half right is half learned
    "doubled": Cost(0.10, 0.05, 0.4),  # a box to delete; the object is learned all the same
    "conflict": Cost(0.30, 0.60, 1.0),  # two pictures to compare
    "leak": Cost(0.15, 0.10, 0.5),  # left out of the study already, and still in the data set
    "repeated": Cost(0.10, 0.10, 0.1),  # a copy teaches nothing new, and harms little
}
UNSURE = 0.5  # stands for the probability where none is known, in the order only


def in_order(found: Mapping[str, Sequence[Suspect]]) -> dict[str, list[Suspect]]:
    """The suspects of each kind with their minutes and their place in the order of all kinds, from 1."""
    timed = {kind: [replace(one, minutes=minutes(one)) for one in listed] for kind, listed in found.items()}
    every = [(kind, place) for kind, listed in timed.items() for place in range(len(listed))]
    every.sort(key=lambda at: -gain(timed[at[0]][at[1]]))  # equal ones stay in the order of kinds and lists
    for number, (kind, place) in enumerate(every, start=1):
        timed[kind][place] = replace(timed[kind][place], order=number)
    return timed


def minutes(one: Suspect) -> float:
    """The expected minutes of a person: to look, and to repair with the probability that it is wrong."""
    cost = COSTS[one.kind]
    return round(cost.look + _chance(one) * cost.repair, 3)


def gain(one: Suspect) -> float:
    """The expected worth per minute. Findings without a probability come last within equals."""
    return _chance(one) * COSTS[one.kind].worth / minutes(one)


def _chance(one: Suspect) -> float:
    return UNSURE if one.probability is None else one.probability
