"""The scorecard of a language model: how many of its ideas ran, were new and did better, and what they cost."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from metricloop.engineer.idea_tree import parent_of
from metricloop.engineer.ideas import Event, Idea, compared, ideas, with_variants
from metricloop.scoring.gate_rules import Rule
from metricloop.text.numbers import DASH, fixed, percent

Z95 = 1.959963984540054  # quantile of the standard normal for 95 %
POINT = 0.01  # of mAP
FORM = (Rule.ANSWER, Rule.NAME, Rule.POLICY)  # rules about what was handed in, before any code runs
FEWEST_RANKS = 3  # measured ideas that a rank correlation needs


@dataclass(frozen=True)
class Proportion:
    """k of n."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.k, self.n)

    def __str__(self) -> str:
        """2/3 (21 to 94 %), or a dash when n is 0."""
        bounds = self.interval
        return f"{self.k}/{self.n} ({fixed(100 * bounds[0], 0)} to {percent(bounds[1])})" if bounds else DASH


def wilson(k: int, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a share k / n after Wilson (1927); None when n is 0.

    With p = k / n: centre (p + z²/2n) / (1 + z²/n), half width z √(p(1-p)/n + z²/4n²) / (1 + z²/n), z = 1.96.
    """
    if n == 0:
        return None
    p, spread = k / n, Z95**2 / n
    centre = (p + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    low = 0.0 if k == 0 else centre - half  # exactly 0, without a rounding error
    high = 1.0 if k == n else centre + half
    return low, high


@dataclass(frozen=True)
class Scorecard:
    """One model in one study. Gains and errors of predictions are in absolute mAP; money is in USD.

    valid: ideas that could be read, with allowed names and policy, when first proposed. after: number of repairs ->
    ideas that ran after as many. never: ideas that never ran. edited: generated files that a person changed, of those
    that are in the workspace and not adopted. families: different families, of all ideas that ran. built_on: ideas with
    a parent that ran in an earlier round, of those that could have one. improved: of these, if both are measured, those
    that gained more than their parent. bias, absolute_error: mean of measured minus predicted gain, and of its absolute
    value. cost: None when a price is missing. points: the gain of the best idea with the verdict "better", in points.
    """

    models: tuple[str, ...]
    providers: tuple[str, ...]
    recorded: tuple[str, ...]
    rounds: int
    proposed: int
    valid: Proportion
    first_time: Proportion
    after: Mapping[int, int]
    never: Proportion
    dropped: int
    screened: int
    edited: Proportion
    adopted: int
    families: Proportion
    copies: int
    better: Proportion
    mean_gain: float | None
    best: tuple[str, float] | None
    bias: float | None
    absolute_error: float | None
    signs: Proportion
    rank_correlation: float | None
    built_on: Proportion
    improved: Proportion
    calls: int
    unusable: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    cost: float | None
    seconds: float
    points: float | None
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def per_point(self, amount: float | None) -> float | None:
        return amount / self.points if amount is not None and self.points else None


def scorecard(
    events: Sequence[Event], comparison: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Scorecard:
    """The scorecard of the events of a journal.

    comparison: the present gains; folder: the workspace, to find the files that a person changed.
    """
    found = with_variants(compared(ideas(events), comparison))
    settled = [idea for idea in found if idea.state != "proposed"]
    answers = [event for event in events if event["event"] == "answered"]
    measured = [(idea, idea.measured_gain) for idea in found if idea.measured_gain is not None]
    gains = [gain for _, gain in measured]
    won = [gain for idea, gain in measured if idea.verdict == "better"]
    forecast = [(idea.predicted_gain, gain) for idea, gain in measured if idea.predicted_gain is not None]
    misses = [gain - predicted for predicted, gain in forecast]
    costs = [event["cost"] for event in answers]
    edited, adopted = _files(events, folder)
    built_on, improved = _descent(found)
    return Scorecard(
        models=_names(answers, "model"),
        providers=_names(answers, "provider"),
        recorded=_names(answers, "recorded"),
        rounds=len({event["round"] for event in events if event["event"] in ("asked", "proposed")}),
        proposed=len(found),
        valid=Proportion(sum(_valid(idea) for idea in found), len(found)),
        first_time=Proportion(sum(idea.first_time for idea in settled), len(settled)),
        after=dict(sorted(Counter(idea.repairs for idea in settled if idea.ran and idea.repairs).items())),
        never=Proportion(sum(not idea.ran for idea in settled), len(settled)),
        dropped=sum(idea.state == "dropped" for idea in found),
        screened=sum(idea.state == "screened" for idea in found),
        edited=edited,
        adopted=adopted,
        families=Proportion(
            len({idea.family for idea in found if idea.ran and idea.family}), sum(idea.ran for idea in found)
        ),
        copies=sum(_copy(idea) for idea in found),
        better=Proportion(len(won), len(measured)),
        mean_gain=float(np.mean(gains)) if gains else None,
        best=max(((idea.name, gain) for idea, gain in measured), key=lambda pair: pair[1], default=None),
        bias=float(np.mean(misses)) if misses else None,
        absolute_error=float(np.mean(np.abs(misses))) if misses else None,
        signs=Proportion(sum((predicted > 0) == (gain > 0) for predicted, gain in forecast), len(forecast)),
        rank_correlation=_ranks(forecast),
        built_on=built_on,
        improved=improved,
        calls=len(answers),
        unusable=len({_call(event) for event in events if event["event"] == "unusable"}),
        failed=sum(event["event"] == "call_failed" for event in events),
        prompt_tokens=sum(event["prompt_tokens"] for event in answers),
        completion_tokens=sum(event["completion_tokens"] for event in answers),
        estimated=sum(bool(event["estimated"]) for event in answers),
        cost=None if None in costs else float(sum(costs)),
        seconds=float(sum(event["seconds"] for event in answers)),
        points=max(won) / POINT if won else None,
        cached_tokens=sum(event.get("cached_tokens", 0) for event in answers),
        reasoning_tokens=sum(event.get("reasoning_tokens", 0) for event in answers),
    )


def of_engineer(events: Sequence[Event], number: int) -> list[Event]:
    """The events of one of several engineers: what it was asked and said, and what became of its ideas."""
    own = {(event["round"], event["suggestion"]) for event in events if event["event"] == "proposed"
           and event.get("engineer") == number}  # fmt: skip
    return [
        event
        for event in events
        if event.get("engineer") == number
        or ("engineer" not in event and (event.get("round"), event.get("suggestion")) in own)
    ]


def _names(answers: Iterable[Event], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(event[field]) for event in answers if event.get(field)))


def _call(event: Event) -> tuple[Any, ...]:
    return event["round"], event.get("step"), event.get("suggestion"), event.get("attempt")


def _valid(idea: Idea) -> bool:
    first = idea.attempts[0].broken if idea.attempts else ()
    return idea.refusal != "unusable" and not any(rule in FORM for rule, _ in first)


def _copy(idea: Idea) -> bool:
    """The idea was refused as a repeat, or because it ranks as an earlier metric does."""
    last = idea.attempts[-1].broken if idea.attempts else ()
    return idea.state == "refused" and (idea.refusal == "repeat" or any(rule == Rule.NEW for rule, _ in last))


def _ranks(forecast: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's rho of predicted and measured gains; None when either is constant, or there are too few."""
    predicted, gained = ([pair[side] for pair in forecast] for side in (0, 1))
    if len(forecast) < FEWEST_RANKS or len(set(predicted)) < 2 or len(set(gained)) < 2:
        return None
    return float(spearmanr(predicted, gained).statistic)


def _descent(found: Sequence[Idea]) -> tuple[Proportion, Proportion]:
    """How many ideas built on an idea of an earlier round that ran, and how many of them gained more than it."""
    could, pairs = 0, []
    for place, idea in enumerate(found):
        could += any(other.ran and other.round < idea.round for other in found)
        above = parent_of(found, place)
        if above is not None and found[above].ran and found[above].round < idea.round:
            pairs.append((idea.measured_gain, found[above].measured_gain))
    both = [(gain, before) for gain, before in pairs if gain is not None and before is not None]
    return Proportion(len(pairs), could), Proportion(sum(gain > before for gain, before in both), len(both))


def _files(events: Iterable[Event], folder: Path | None) -> tuple[Proportion, int]:
    """Generated files that differ from what passed the gate, of those in the workspace; and the number adopted."""
    written: dict[str, tuple[str, str, str]] = {}
    for event in events:
        if event["event"] == "accepted":
            for name, file, digest in (("metric", "file", "sha256"), ("repair", "repair_file", "repair_sha256")):
                if event.get(file):
                    written[event[file]] = (event["suggestion"], event[name], event[digest])
    adopted = {(event["suggestion"], event["metric"]) for event in events if event["event"] == "adopted"}
    own = {file: digest for file, (idea, name, digest) in written.items() if (idea, name) not in adopted}
    there = [(folder / file, digest) for file, digest in own.items()] if folder else []
    there = [(file, digest) for file, digest in there if file.is_file()]
    changed = [hashlib.sha256(file.read_bytes()).hexdigest() != digest for file, digest in there]
    return Proportion(sum(changed), len(changed)), len(adopted)
