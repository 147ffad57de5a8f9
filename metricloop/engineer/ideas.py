"""What became of every idea of the language model, read off the events of a study's journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from metricloop.llm.journal import Event
from metricloop.scoring.gate_rules import Rule
from metricloop.text.clean import clean
from metricloop.text.numbers import count, signed

State = Literal["proposed", "refused", "accepted", "dropped", "measured"]
SAID = 110  # characters of a reason in a line of text
GAIN = ("abs", "rel", "ci95", "p_holm")  # what of a gain of comparison.json an idea keeps


@dataclass(frozen=True)
class Attempt:
    """One form of an idea at the gate. number: 0 as proposed, k after repair k; broken: (rule, what was seen)."""

    number: int
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Idea:
    """One suggestion of one round, and what became of it. All words are the model's, or its code's.

    state: proposed (nothing is decided yet), refused, accepted (to be measured), dropped (its metric failed on the
    pool) or measured. repairs: answers to what the gate said. gain: absolute and relative in mAP, interval and p;
    reason: why it was refused or dropped; learnt: when the lesson was recorded, where it was replayed.
    """

    name: str
    round: int
    hypothesis: str = ""
    targets: str = ""
    family: str = ""
    parent: str | None = None
    metric: str = ""
    partner: str | None = None
    wrote: bool = False  # it brought code of its own
    policy: dict[str, Any] = field(default_factory=dict)
    predicted_gain: float | None = None
    state: State = "proposed"
    repairs: int = 0
    attempts: tuple[Attempt, ...] = ()
    reason: str | None = None
    refusal: str | None = None  # its kind: gate, repeat or unusable
    gain: dict[str, Any] | None = None
    verdict: str | None = None
    lesson: str | None = None
    learnt: str | None = None

    @property
    def ran(self) -> bool:
        """Its code passed the gate."""
        return self.state in ("accepted", "dropped", "measured")

    @property
    def first_time(self) -> bool:
        return self.ran and not self.repairs

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """The attempts that broke a rule."""
        return tuple(attempt for attempt in self.attempts if attempt.broken)

    @property
    def rise(self) -> float | None:
        """The measured gain in mAP."""
        return self.gain["abs"] if self.gain else None


def ideas(events: Iterable[Event]) -> list[Idea]:
    """Every idea in the order in which it was proposed; one that is proposed again in a later round counts again."""
    found: dict[tuple[int, str], Idea] = {}
    for event in events:
        name = event.get("suggestion")
        if event["event"] == "reflected":
            for entry in event["lessons"]:
                key = (event["round"], entry["suggestion"])
                if key in found:
                    found[key] = replace(found[key], lesson=entry["lesson"], learnt=event.get("recorded"))
        elif isinstance(name, str) and name:  # early journals held the suggestion itself, and no more than that
            key = (event["round"], name)
            if event["event"] in ("proposed", "refused"):  # an answer that cannot be read is refused unproposed
                found.setdefault(key, Idea(name, event["round"]))
            if key in found:
                found[key] = _after(found[key], event)
    return list(found.values())


def _after(idea: Idea, event: Event) -> Idea:
    """The idea as it stands after one event about it."""
    match event["event"]:
        case "proposed":
            return _described(idea, event["idea"])
        case "gate":
            broken = tuple((str(found["rule"]), str(found["said"])) for found in event["broken"])
            return _described(_tried(idea, event["attempt"], broken), event.get("idea") or {})
        case "unusable":
            return _tried(idea, event["attempt"], ((Rule.ANSWER, str(event["said"])),))
        case "accepted":
            return replace(idea, state="accepted", metric=event["metric"])
        case "refused":
            return replace(idea, state="refused", reason=event["reason"], refusal=event.get("kind"))
        case "dropped":
            return replace(idea, state="dropped", reason=event["reason"])
        case "measured":
            return replace(idea, state="measured", gain=_kept(event["gain"]), verdict=event["verdict"])
    return idea


def _described(idea: Idea, words: Mapping[str, Any]) -> Idea:
    """The idea in the words of its latest form; a repair may change its metric and its policy."""
    names = ("hypothesis", "targets", "family", "parent", "metric", "partner", "policy", "predicted_gain")
    known = {name: words[name] for name in names if name in words}
    return replace(idea, **known, wrote=bool(words.get("code")))


def _tried(idea: Idea, number: int, broken: tuple[tuple[str, str], ...]) -> Idea:
    """With an attempt added. The same attempt is held to the gate again where a study goes on after a kill."""
    others = tuple(attempt for attempt in idea.attempts if attempt.number != number)
    return replace(idea, attempts=(*others, Attempt(number, broken)), repairs=max(idea.repairs, number))


def _kept(gain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: gain.get(name) for name in GAIN}


def compared(found: Sequence[Idea], comparison: Mapping[str, Any] | None) -> list[Idea]:
    """The ideas with gain and verdict as comparison.json has them by now: seeds and arms were added since."""
    arms = {arm["name"]: arm for arm in comparison["arms"] if arm["gain"]} if comparison else {}
    return [
        replace(idea, state="measured", gain=_kept(arms[idea.name]["gain"]["mAP"]), verdict=arms[idea.name]["verdict"])
        if idea.state in ("accepted", "measured") and idea.name in arms
        else idea
        for idea in found
    ]


def parent_of(found: Sequence[Idea], place: int) -> int | None:
    """The place of the idea that the one at `place` builds on: the latest before it of that name, rather one that ran.

    None where it names no parent, or one that was not proposed before it; so there are no circles.
    """
    earlier = [n for n in range(place) if found[n].name == found[place].parent]
    return max(earlier, key=lambda n: (found[n].ran, n), default=None)


@dataclass(frozen=True)
class Node:
    """An idea and those that build on it."""

    idea: Idea
    children: tuple[Node, ...] = ()


def tree(found: Sequence[Idea]) -> list[Node]:
    """The ideas under the ones they build on, oldest first; those that build on none are the roots."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for place in range(len(found)):
        children[parent_of(found, place)].append(place)

    def grow(place: int) -> Node:
        return Node(found[place], tuple(grow(child) for child in children[place]))

    return [grow(place) for place in children[None]]


def tree_text(found: Sequence[Idea]) -> str:
    """The tree for a terminal, a line an idea: its round, its name, its family and what became of it."""
    return "\n".join(
        f"{'  ' * depth}{'└ ' if depth else ''}{idea.name} (round {idea.round}"
        f"{f', {clean(idea.family, 40)}' if idea.family else ''}): {outcome(idea)}"
        for depth, idea in walk(tree(found))
    )


def walk(nodes: Iterable[Node], depth: int = 0) -> Iterable[tuple[int, Idea]]:
    """Every idea of a tree with its depth, parents before children."""
    for node in nodes:
        yield depth, node.idea
        yield from walk(node.children, depth + 1)


def outcome(idea: Idea) -> str:
    """What became of it, in a line: "ran after 1 repair, +0.031 (undecided)"."""
    said = clean(idea.reason or "no reason given", SAID)
    if idea.state == "proposed":
        return "nothing is decided yet"
    if idea.state == "refused":
        tries = f" after {count(idea.repairs, 'repair')}" if idea.repairs else ""
        return f"refused{tries}{' as a' if said.startswith('repeat: ') else ':'} {said}"
    ran = "ran the first time" if idea.first_time else f"ran after {count(idea.repairs, 'repair')}"
    if idea.state == "dropped":
        return f"{ran}, dropped: {said}"
    return f"{ran}, {signed(idea.rise)} ({idea.verdict})" if idea.gain else f"{ran}, not measured yet"
