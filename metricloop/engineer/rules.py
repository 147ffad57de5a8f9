"""Whether an idea may be tried: its names, its policy, its likeness to earlier ideas, and its code at the gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metricloop.engineer.policy_menu import OFFERED, check_offered
from metricloop.engineer.suggestion import Suggestion
from metricloop.metrics.contract import Spec
from metricloop.metrics.families import IDEA_FAMILIES
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.gate_rules import Rule
from metricloop.selection.policies import POLICIES, check_policy
from metricloop.text.nearest import did_you_mean


@dataclass(frozen=True)
class KnownMetric:
    """A metric that has scores in this study, or will have. level: image or object; scores: the file."""

    level: str
    scores: str


@dataclass
class KnownIdeas:
    """What a new idea is compared with; `add` adds an idea that was accepted.

    metrics: metrics with scores, by name; reserved: further metric names that are taken. arms: of the plan, by name.
    families, targets: of suggested arms, by arm. refuted: of each arm that is shown to be worse than random, the
    evidence in words. offered: the policies of this study.
    """

    metrics: dict[str, KnownMetric]
    arms: dict[str, Mapping[str, Any]]
    reserved: frozenset[str] = frozenset()
    families: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    refuted: Mapping[str, str] = field(default_factory=dict)
    offered: Sequence[str] = OFFERED

    def add(self, idea: Suggestion, metric: KnownMetric, arm: Mapping[str, Any]) -> None:
        self.metrics[idea.metric] = metric
        self.arms[idea.name] = arm
        self.families[idea.name], self.targets[idea.name] = idea.family, idea.targets

    def spec(self, metric: str) -> Spec:
        """A known metric with its level; of what it needs, nothing is known."""
        return Spec(metric, self.metrics[metric].level)  # type: ignore[arg-type]

    @property
    def untried(self) -> list[str]:
        """The families that no idea of an earlier round is of, in the order of the catalogue."""
        return untried_families(self.families.values())

    def too_familiar(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """The suggestions to refuse so that at least half of the rest open a family each; the last ones go first.

        When fewer untried families are left than that, each of them must be opened.
        """
        left, familiar = set(self.untried), []
        most = len(left)
        for idea in suggestions:
            if idea.family in left:
                left.remove(idea.family)
            else:
                familiar.append(idea)
        opened = len(suggestions) - len(familiar)
        return [] if opened >= must_open(len(suggestions), most) else familiar[opened:]

    @property
    def metric_names(self) -> str:
        """The names of the metrics with scores, for a message."""
        return _listed(self.metrics)


def untried_families(tried: Iterable[str]) -> list[str]:
    """The families of the catalogue of ideas that are not among `tried`."""
    known = set(tried)
    return [family for family in IDEA_FAMILIES if family not in known]


def must_open(ideas: int, untried: int) -> int:
    """How many of a round's ideas must open a family each: half, rounded up, as long as there are so many families."""
    return min(math.ceil(ideas / 2), untried)


def check_idea(idea: Suggestion, known: KnownIdeas, run_code: Callable[[], GateResult]) -> GateResult:
    """Check an idea against every rule. Its code is run (`run_code`) only when no other rule is broken."""
    spec = known.spec(idea.metric) if idea.metric in known.metrics and idea.code is None else None
    broken = [*_names(idea, known), *_policy(idea, known)]
    if not broken:
        broken = [*_repeats(idea, idea.metric, known)]
    if broken or idea.code is None:
        return GateResult(spec, (*broken, *_level(idea, spec)))
    result = run_code()
    copied = [rule.like for rule in result.broken if rule.like]
    repeats = [rule for like in copied for rule in _repeats(idea, like, known)]
    return GateResult(result.spec, (*repeats, *result.broken, *_level(idea, result.spec)))


def _names(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """The name of the arm is new; the name of the metric is new with code, and known without."""
    broken = []
    if idea.name in known.arms:
        broken.append(BrokenRule(Rule.REPEAT, f"an arm is called {idea.name} already"))
    if idea.code is None and idea.metric not in known.metrics:
        said = f"has no code, and no metric {idea.metric} is known; known: {known.metric_names}"
        broken.append(BrokenRule(Rule.LOADS, said))
    if idea.code is not None and (taken := broken_name(idea.metric, known)):
        broken.append(taken)
    return broken


def broken_name(metric: str, known: KnownIdeas) -> BrokenRule | None:
    """The rule that the name of a new metric breaks; None where it is free."""
    if metric not in known.metrics and metric not in known.reserved:
        return None
    hint = "; to use that one, leave code null" if metric in known.metrics else ""
    return BrokenRule(Rule.NAME, f"a metric is called {metric} already: give yours another name{hint}")


def _policy(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """The policy is on offer, and has a partner exactly when it combines two metrics."""
    try:
        options = check_offered(idea.policy, known.offered)
    except ValueError as error:
        return [BrokenRule(Rule.POLICY, str(error))]
    if said := unfit_objectives(options, idea.metric, known.metrics):
        return [BrokenRule(Rule.POLICY, said)]
    if options.combine and idea.partner not in known.metrics:
        said = f"combine needs a known metric as partner, found {idea.partner}; known: {known.metric_names}"
        return [BrokenRule(Rule.POLICY, said)]
    if idea.partner and not options.combine:
        how = "product, intersection or veto"
        return [BrokenRule(Rule.POLICY, f"names a partner, but its policy has no `combine`: {how}")]
    if POLICIES[str(idea.policy["name"])].reads == "object scores":
        others = [name for name in (idea.partner, *options.strengths) if name in known.metrics]
        return [rule for name in others for rule in _level(idea, known.spec(name))]
    return []


def unfit_objectives(options: Any, metric: str, known: Collection[str]) -> str:
    """What is wrong with the option `objectives` of an idea about `metric`; "" when it fits, or is not given."""
    strengths = options.strengths
    if not strengths:
        return ""
    for name in strengths:
        if name != metric and name not in known:
            return f"objectives: no metric {name}; {did_you_mean(name, [metric, *known], f'known: {_listed(known)}')}"
    if metric not in strengths:
        return f"objectives: {metric}, the idea's own metric, is not among {', '.join(strengths)}"
    return "" if len(strengths) > 1 else "objectives: name more than one metric, or give the policy a direction instead"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _level(idea: Suggestion, spec: Spec | None) -> list[BrokenRule]:
    """A policy that drops boxes needs scores of boxes."""
    if spec is None or POLICIES[str(idea.policy["name"])].reads != "object scores" or spec.level == "object":
        return []
    said = f"{idea.policy['name']} needs a metric that scores objects; {spec.name} scores images"
    return [BrokenRule(Rule.POLICY, said)]


def _repeats(idea: Suggestion, metric: str, known: KnownIdeas) -> list[BrokenRule]:
    """The same metric and policy as an arm, or the family, target and policy of an idea that is refuted."""
    policy = _rounded(idea.policy)
    partner = known.metrics[idea.partner].scores if idea.partner else None
    for name, arm in known.arms.items():
        if "metric" not in arm or _rounded(arm["policy"]) != policy:
            continue
        evidence = f", which {known.refuted[name]}" if name in known.refuted else ""
        if arm["metric"] == metric and (partner is None or partner == arm["b"]):
            return [BrokenRule(Rule.REPEAT, f"is {name} again: {metric} with the same policy{evidence}")]
        if evidence and (known.families.get(name), known.targets.get(name)) == (idea.family, idea.targets):
            said = f"is of the family ({idea.family}), target ({idea.targets}) and policy of {name}{evidence}"
            return [BrokenRule(Rule.REPEAT, said)]
    return []


def _rounded(policy: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A policy with all its options, numbers rounded to two places, so that nearly equal policies are equal."""
    name, options = check_policy(policy)
    return name, {n: round(v, 2) if isinstance(v, float) else v for n, v in options.model_dump().items()}
