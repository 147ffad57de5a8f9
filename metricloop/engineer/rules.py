"""Whether an idea may be tried: its names, its policy, its likeness to earlier ideas, and its code at the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metricloop.engineer.policy_menu import check_offered
from metricloop.engineer.suggestion import Suggestion
from metricloop.metrics.contract import Spec
from metricloop.scoring.gate import BrokenRule, GateResult
from metricloop.selection.policies import POLICIES, check_policy

REPEAT = "repeat"  # the rule whose breaking is no fault to mend: the idea was tried before


@dataclass(frozen=True)
class Known:
    """A metric that the study has scores of, or will have. level: what it scores; scores: the file."""

    level: str
    scores: str


@dataclass
class Bench:
    """What an idea is held against; `take` adds one that was accepted.

    metrics: those with scores; reserved: further names of metrics that are taken. arms: of the plan, by name.
    families: of suggested arms, by name. refuted: arm -> a few words of evidence, for those that did not beat random.
    """

    metrics: dict[str, Known]
    arms: dict[str, Mapping[str, Any]]
    reserved: frozenset[str] = frozenset()
    families: dict[str, str] = field(default_factory=dict)
    refuted: Mapping[str, str] = field(default_factory=dict)

    def take(self, idea: Suggestion, known: Known, arm: Mapping[str, Any]) -> None:
        self.metrics[idea.metric] = known
        self.arms[idea.name] = arm
        self.families[idea.name] = idea.family


def examine(idea: Suggestion, bench: Bench, gate: Callable[[], GateResult]) -> GateResult:
    """Hold an idea to every rule; its code is run (`gate`) only where nothing else is wrong with it."""
    known = bench.metrics.get(idea.metric)
    spec = Spec(idea.metric, known.level) if known and idea.code is None else None  # type: ignore[arg-type]
    broken = [*_names(idea, bench), *_policy(idea, bench)]
    if not broken:
        broken = [*_repeats(idea, idea.metric, bench)]
    if broken or idea.code is None:
        return GateResult(spec, (*broken, *_level(idea, spec)))
    gate_result = gate()
    copied = [broken_rule.like for broken_rule in gate_result.broken if broken_rule.like]
    repeats = [broken_rule for like in copied for broken_rule in _repeats(idea, like, bench)]
    return GateResult(gate_result.spec, (*repeats, *gate_result.broken, *_level(idea, gate_result.spec)))


def _names(idea: Suggestion, bench: Bench) -> list[BrokenRule]:
    found = []
    if idea.name in bench.arms:
        found.append(BrokenRule(REPEAT, f"an arm is called {idea.name} already"))
    if idea.code is None and idea.metric not in bench.metrics:
        known = ", ".join(sorted(bench.metrics)) or "none"
        found.append(BrokenRule("loads", f"has no code, and no metric {idea.metric} is known; known: {known}"))
    if idea.code is not None and (idea.metric in bench.metrics or idea.metric in bench.reserved):
        hint = "; to use that one, leave code null" if idea.metric in bench.metrics else ""
        found.append(BrokenRule("name", f"a metric is called {idea.metric} already: give yours another name{hint}"))
    return found


def _policy(idea: Suggestion, bench: Bench) -> list[BrokenRule]:
    try:
        options = check_offered(idea.policy)
    except ValueError as error:
        return [BrokenRule("policy", str(error))]
    if options.combine and idea.partner not in bench.metrics:
        known = ", ".join(sorted(bench.metrics)) or "none"
        return [BrokenRule("policy", f"combine needs a known metric as partner, found {idea.partner}; known: {known}")]
    if idea.partner and not options.combine:
        return [BrokenRule("policy", "names a partner, but its policy has no `combine`: product or intersection")]
    return []


def _level(idea: Suggestion, spec: Spec | None) -> list[BrokenRule]:
    """A policy that drops boxes needs scores of boxes."""
    if spec is None or POLICIES[str(idea.policy["name"])].reads != "object scores" or spec.level == "object":
        return []
    return [
        BrokenRule("policy", f"{idea.policy['name']} needs a metric that scores objects; {spec.name} scores images")
    ]


def _repeats(idea: Suggestion, metric: str, bench: Bench) -> list[BrokenRule]:
    """The same metric under the same policy as any arm, or the family and policy of an idea that was refuted."""
    policy = _alike(idea.policy)
    partner = bench.metrics[idea.partner].scores if idea.partner else None
    for name, arm in bench.arms.items():
        if "metric" not in arm or _alike(arm["policy"]) != policy:
            continue
        evidence = f", which {bench.refuted[name]}" if name in bench.refuted else ""
        if arm["metric"] == metric and (partner is None or partner == arm["b"]):
            return [BrokenRule(REPEAT, f"is {name} again: {metric} with the same policy{evidence}")]
        if evidence and bench.families.get(name) == idea.family:
            return [BrokenRule(REPEAT, f"is of the family ({idea.family}) and policy of {name}{evidence}")]
    return []


def _alike(policy: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A policy with every option, numbers to two places: what ranks the same but for a hair is the same."""
    name, options = check_policy(policy)
    return name, {n: round(v, 2) if isinstance(v, float) else v for n, v in options.model_dump().items()}
