"""The ideas of the language model and their results, from the events of a study's journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from metricloop.llm.journal import Event
from metricloop.scoring.gate_rules import Rule
from metricloop.text.numbers import fixed

State = Literal["proposed", "refused", "accepted", "dropped", "screened", "measured"]
GAIN = ("abs", "rel", "ci95", "p_holm")  # fields of a gain of comparison.json that an idea keeps


@dataclass(frozen=True)
class Attempt:
    """One check of an idea by the gate. number: 0 as proposed, k after repair k; broken: (rule, what was found)."""

    number: int
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Idea:
    """One suggestion of one round, and its result. Its texts were written by the model, or by its code.

    state: proposed (not decided yet), refused, accepted (not measured yet), dropped (its metric failed on the pool),
    screened (stopped after short trials) or measured. adapts: how it adapts its family. variant_of: the idea of the
    same round whose metric and repair it uses with another policy. repairs: how often the model mended it after the
    gate. gain: absolute and relative in mAP, interval and p. expected: the gain without the luck of the best of several
    arms. reason: why it was refused, dropped or stopped. lesson_date: the day on which the lesson was recorded, if it
    was replayed.
    """

    name: str
    round: int
    hypothesis: str = ""
    targets: str = ""
    family: str = ""
    adapts: str = ""
    rests_on: tuple[str, ...] = ()  # ids of the model's questions whose answers led to it
    parent: str | None = None
    variant_of: str | None = None
    metric: str = ""  # "" for a repair alone
    partner: str | None = None
    has_code: bool = False
    has_repair_code: bool = False
    policy: dict[str, Any] = field(default_factory=dict)
    predicted_gain: float | None = None
    state: State = "proposed"
    repairs: int = 0
    attempts: tuple[Attempt, ...] = ()
    reason: str | None = None
    refusal: str | None = None  # its kind: gate, repeat or unusable
    gain: dict[str, Any] | None = None
    expected: float | None = None
    verdict: str | None = None
    lesson: str | None = None
    lesson_date: str | None = None

    @property
    def repair(self) -> str:
        """The repair that mends its labels, named by its policy; "" without."""
        mend = self.policy.get("mend")
        return str(mend.get("repair", "")) if isinstance(mend, dict) else ""

    @property
    def ran(self) -> bool:
        """Its code passed the gate."""
        return self.state in ("accepted", "dropped", "screened", "measured")

    @property
    def first_time(self) -> bool:
        return self.ran and not self.repairs

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """The attempts that broke a rule."""
        return tuple(attempt for attempt in self.attempts if attempt.broken)

    @property
    def measured_gain(self) -> float | None:
        """The measured gain in mAP."""
        return self.gain["abs"] if self.gain else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the measured gain."""
        return tuple(self.gain["ci95"]) if self.gain and self.gain["ci95"] else None

    @property
    def refuted(self) -> bool:
        """It is shown to be worse than random: the whole interval lies below zero. A low mean refutes nothing."""
        return self.interval is not None and self.interval[1] < 0


def ideas(events: Iterable[Event]) -> list[Idea]:
    """Every idea in the order of proposal. The same name in two rounds is two ideas."""
    found: dict[tuple[int, str], Idea] = {}
    for event in events:
        name = event.get("suggestion")
        if event["event"] == "reflected":
            for entry in event["lessons"]:
                key = (event["round"], entry["suggestion"])
                if key in found:
                    found[key] = replace(found[key], lesson=entry["lesson"], lesson_date=event.get("recorded"))
        elif isinstance(name, str) and name:  # early journals held the suggestion itself here
            key = (event["round"], name)
            if event["event"] in ("proposed", "refused"):  # an unreadable suggestion is refused and never proposed
                found.setdefault(key, Idea(name, event["round"]))
            if key in found:
                found[key] = _after(found[key], event)
    return list(found.values())


def _after(idea: Idea, event: Event) -> Idea:
    """The idea after one event about it."""
    match event["event"]:
        case "proposed":
            return _described(idea, event["idea"])
        case "gate":
            broken = tuple((str(found["rule"]), str(found["said"])) for found in event["broken"])
            return _described(_tried(idea, event["attempt"], broken), event.get("idea") or {})
        case "unusable":
            return _tried(idea, event["attempt"], ((Rule.ANSWER, str(event["said"])),))
        case "accepted":
            return replace(idea, state="accepted", metric=event["metric"] or "")
        case "refused":
            return replace(idea, state="refused", reason=event["reason"], refusal=event.get("kind"))
        case "dropped":
            return replace(idea, state="dropped", reason=event["reason"])
        case "screened":
            return replace(idea, state="screened", reason=screened_text(event["mAP"], event["baseline"]))
        case "measured":
            told = {"gain": _kept(event["gain"]), "expected": event.get("expected"), "verdict": event["verdict"]}
            return replace(idea, state="measured", **told)
    return idea


def _described(idea: Idea, words: Mapping[str, Any]) -> Idea:
    """The idea with the fields of its latest version; a repair may change metric and policy."""
    names = (
        "hypothesis",
        "targets",
        "family",
        "adapts",
        "rests_on",
        "parent",
        "variant_of",
        "metric",
        "partner",
        "policy",
        "predicted_gain",
    )
    known = {name: words[name] for name in names if name in words}
    if "metric" in known:
        known["metric"] = known["metric"] or ""
    return replace(idea, **known, has_code=bool(words.get("code")), has_repair_code=bool(words.get("repair_code")))


def _tried(idea: Idea, number: int, broken: tuple[tuple[str, str], ...]) -> Idea:
    """The idea with an attempt added, or replaced when the same attempt was checked again after a kill."""
    others = tuple(attempt for attempt in idea.attempts if attempt.number != number)
    return replace(idea, attempts=(*others, Attempt(number, broken)), repairs=max(idea.repairs, number))


def _kept(gain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: gain.get(name) for name in GAIN}


def compared(found: Sequence[Idea], comparison: Mapping[str, Any] | None) -> list[Idea]:
    """The ideas with the present gain and verdict of comparison.json; seeds and arms may have been added."""
    if not comparison:
        return list(found)
    arms = {arm["name"]: arm for arm in comparison["arms"] if arm["gain"]}
    stopped = {arm["name"]: screened_text(arm["mAP"], arm["baseline"]) for arm in comparison.get("screened", ())}

    def now(idea: Idea) -> Idea:
        if idea.state not in ("accepted", "screened", "measured"):
            return idea
        if arm := arms.get(idea.name):
            told = {"gain": _kept(arm["gain"]["mAP"]), "expected": arm.get("shrunken_gain"), "verdict": arm["verdict"]}
            return replace(idea, state="measured", reason=None, **told)
        return replace(idea, state="screened", reason=stopped[idea.name]) if idea.name in stopped else idea

    return [now(idea) for idea in found]


def screened_text(short: float, baseline: float) -> str:
    """Why an idea was stopped: its mean mAP in short trials, and that of the random baseline.

    What is not below the baseline was stopped because another variant of the same idea did better.
    """
    why = "" if short < baseline else ", in which another variant of it did better"
    return f"stopped after short trials{why}: mAP {fixed(short)} against {fixed(baseline)} of random"


def with_variants(found: Sequence[Idea]) -> list[Idea]:
    """Join each idea with its variants: it gets the result of the variant that had full trials.

    An idea none of whose variants was measured keeps its own result.
    """
    tried = {(one.round, one.variant_of): one for one in found if one.variant_of and one.gain}
    whole = []
    for idea in found:
        if idea.variant_of:
            continue
        best = tried.get((idea.round, idea.name))
        told = ("state", "reason", "gain", "expected", "verdict", "policy", "partner")
        whole.append(replace(idea, **{name: getattr(best, name) for name in told}) if best else idea)
    return whole
