"""Whether an idea may be tried: its names, its policy, its likeness to earlier ideas, and its code at the gates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from metricloop.engineer.known_ideas import KnownIdeas, listed
from metricloop.engineer.policy_menu import check_offered
from metricloop.engineer.suggestion import ALONE, FUNCTION, Suggestion
from metricloop.mending.gate import RepairGateResult
from metricloop.metrics.contract import Spec
from metricloop.metrics.repair_contract import RepairSpec
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.gate_rules import Rule
from metricloop.selection.policies import POLICIES, check_policy
from metricloop.text.clean import clean
from metricloop.text.nearest import did_you_mean

MOST_SAID = 600  # characters of what a rule found, for the journal and the model


@dataclass(frozen=True)
class IdeaCheck:
    """The result of all rules for an idea. spec, repair: what its metric and its repair declare; None where it has none
    or their code cannot be loaded. repair is None for a known one, too."""

    spec: Spec | None
    repair: RepairSpec | None
    broken: tuple[BrokenRule, ...]


def check_idea(
    idea: Suggestion,
    known: KnownIdeas,
    run_code: Callable[[], GateResult],
    run_repair: Callable[[], RepairGateResult],
) -> IdeaCheck:
    """Check an idea against every rule. Its code is run only when no other rule is broken."""
    spec = known.spec(idea.metric) if idea.metric in known.metrics and idea.code is None else None
    broken = [*_names(idea, known), *_repair_names(idea, known), *_policy(idea, known)]
    if not broken:
        broken = [*_repeats(idea, known)]
    if broken:
        return IdeaCheck(spec, None, (*broken, *_level(idea, spec)))
    repair = None
    if idea.code is not None:
        result = run_code()
        likes = [replace_metric(idea, rule.like) for rule in result.broken if rule.like]
        spec, broken = result.spec, [*(rule for like in likes for rule in _repeats(like, known)), *result.broken]
    if idea.repair_code is not None:
        mended = run_repair()
        likes = [replace_repair(idea, rule.like) for rule in mended.broken if rule.like]
        told = [replace(rule, said=f"the repair {idea.repair} {rule.said}") for rule in mended.broken]
        repair, broken = mended.spec, [*broken, *(rule for like in likes for rule in _repeats(like, known)), *told]
    return IdeaCheck(spec, repair, (*broken, *_level(idea, spec)))


def replace_metric(idea: Suggestion, metric: str) -> Suggestion:
    """The idea with a known metric instead of its own code."""
    return idea.model_copy(update={"metric": metric, "code": None})


def replace_repair(idea: Suggestion, repair: str) -> Suggestion:
    """The idea with a known repair instead of its own code."""
    mend = idea.policy["mend"]
    assert isinstance(mend, dict)
    return idea.model_copy(update={"policy": {**idea.policy, "mend": {**mend, "repair": repair}}, "repair_code": None})


def _names(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """The name of the arm is new; the name of the metric is new with code, and known without."""
    broken = []
    if idea.name in known.arms:
        broken.append(BrokenRule(Rule.REPEAT, f"an arm is called {idea.name} already"))
    if idea.metric is None:
        if idea.code is not None:
            broken.append(BrokenRule(Rule.LOADS, "has code, but does not name the metric that it declares"))
        return broken
    if idea.code is None and idea.metric not in known.metrics:
        said = f"has no code, and no metric {idea.metric} is known; known: {known.metric_names}"
        broken.append(BrokenRule(Rule.LOADS, said))
    if idea.code is not None and (taken := broken_name(idea.metric, known)):
        broken.append(taken)
    return broken


def broken_name(name: str, known: KnownIdeas, repair: bool = False) -> BrokenRule | None:
    """The rule that the name of a new metric, or of a new repair, breaks; None where it is free."""
    if name not in known.taken:
        return None
    what = "repair" if name in known.repairs else "metric"
    useful = name in (known.repairs if repair else known.metrics)
    hint = f"; to use that one, leave {'repair_code' if repair else 'code'} null" if useful else ""
    return BrokenRule(Rule.NAME, f"a {what} is called {name} already: give yours another name{hint}")


def _repair_names(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """With code, the name of the repair must be new, also among metrics; without code, it must be a known repair."""
    name = idea.repair
    if name is None:
        said = "has repair_code, but its policy has no `mend` that names the repair"
        return [BrokenRule(Rule.POLICY, said)] if idea.repair_code is not None else []
    if idea.repair_code is None:
        if name in known.repairs:
            return []
        said = f"has no repair_code, and no repair {clean(name, 60)} is known; known: {listed(known.repairs)}"
        return [BrokenRule(Rule.LOADS, said)]
    if not re.fullmatch(FUNCTION, name):
        said = "the repair in `mend` has the name of its function: a letter and up to 60 of a-z, 0-9, _"
        return [BrokenRule(Rule.NAME, f"{said}; found {clean(name, 60)!r}")]
    if name == idea.metric:
        return [BrokenRule(Rule.NAME, f"its metric and its repair are both called {name}: give one another name")]
    taken = broken_name(name, known, repair=True)
    return [taken] if taken else []


def _policy(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """The policy is on offer, reads a metric exactly when there is one, and has a partner exactly when it combines."""
    try:
        options = check_offered(idea.policy, known.offered)
    except ValueError as error:
        return [BrokenRule(Rule.POLICY, str(error))]
    if said := _unfit_policy(idea, options, known):
        return [BrokenRule(Rule.POLICY, said)]
    if POLICIES[str(idea.policy["name"])].reads == "object scores":
        others = [name for name in (idea.partner, *options.strengths) if name in known.metrics]
        return [rule for name in others for rule in _level(idea, known.spec(name))]
    return []


def _unfit_policy(idea: Suggestion, options: Any, known: KnownIdeas) -> str:
    """What is wrong between a policy and the metrics of an idea; "" when they fit."""
    name = idea.policy["name"]
    if name == ALONE and (idea.metric or idea.code or idea.partner):
        return f"{ALONE} reads no scores: leave metric, partner and code null, or choose another policy"
    if name == ALONE:
        return ""
    if idea.metric is None:
        return f"{name} needs a metric; for a repair alone choose {ALONE}"
    if said := unfit_objectives(options, idea.metric, known.metrics):
        return said
    if options.combine and idea.partner not in known.metrics:
        return f"combine needs a known metric as partner, found {idea.partner}; known: {known.metric_names}"
    if idea.partner and not options.combine:
        return "names a partner, but its policy has no `combine`: product, intersection or veto"
    return ""


def unfit_objectives(options: Any, metric: str, known: Collection[str]) -> str:
    """What is wrong with the option `objectives` of an idea about `metric`; "" when it fits, or is not given."""
    strengths = getattr(options, "strengths", {})
    if not strengths:
        return ""
    for name in strengths:
        if name != metric and name not in known:
            return f"objectives: no metric {name}; {did_you_mean(name, [metric, *known], f'known: {listed(known)}')}"
    if metric not in strengths:
        return f"objectives: {metric}, the idea's own metric, is not among {', '.join(strengths)}"
    return "" if len(strengths) > 1 else "objectives: name more than one metric, or give the policy a direction instead"


def _level(idea: Suggestion, spec: Spec | None) -> list[BrokenRule]:
    """A policy that drops boxes needs scores of boxes."""
    if spec is None or POLICIES[str(idea.policy["name"])].reads != "object scores" or spec.level == "object":
        return []
    said = f"{idea.policy['name']} needs a metric that scores objects; {spec.name} scores images"
    return [BrokenRule(Rule.POLICY, said)]


def _repeats(idea: Suggestion, known: KnownIdeas) -> list[BrokenRule]:
    """The same metric, repair and policy as an arm, or the family, target and policy of an idea that is refuted."""
    policy = _rounded(idea.policy)
    partner = known.metrics[idea.partner].scores if idea.partner else None
    for name, arm in known.arms.items():
        if _rounded(arm["policy"]) != policy:
            continue
        evidence = f", which {known.refuted[name]}" if name in known.refuted else ""
        if arm.get("metric") == idea.metric and (partner is None or partner == arm["b"]):
            what = idea.metric or f"the repair {idea.repair}"
            return [BrokenRule(Rule.REPEAT, f"is {name} again: {what} with the same policy{evidence}")]
        if evidence and (known.families.get(name), known.targets.get(name)) == (idea.family, idea.targets):
            said = f"is of the family ({idea.family}), target ({idea.targets}) and policy of {name}{evidence}"
            return [BrokenRule(Rule.REPEAT, said)]
    return []


def _rounded(policy: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A policy with all its options, numbers rounded to two places, so that nearly equal policies are equal."""
    name, options = check_policy(policy)
    return name, _two_places(options.model_dump())


def _two_places(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        n: round(v, 2) if isinstance(v, float) else _two_places(v) if isinstance(v, dict) else v
        for n, v in options.items()
    }
