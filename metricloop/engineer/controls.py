"""The control that an idea may ask for: the opposite of its policy, or random images with as many boxes.

A control does not count as an idea, neither in the scorecard nor in the correction for several tests. It costs the
trials of a whole arm, so a round has at most one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metricloop import layout
from metricloop.engineer.accept import plan_trials
from metricloop.engineer.open_round import Round
from metricloop.engineer.suggestion import Suggestion
from metricloop.selection.options import strengths_in
from metricloop.selection.policies import check_policy
from metricloop.study.plan import Plan

MOST_CONTROLS = 1  # in a round, of all engineers together


def add_control(this: Round, idea: Suggestion, variants: int, addition: Plan) -> None:
    """Add the control of an accepted idea to `addition`, with its first trials; or say why it has none.

    variants: the number of variants of the idea, itself not included.
    """
    if idea.control is None:
        return
    known = this.journal.last("control", **this.about(idea.name))
    name = known["arm"] if known else control_name(idea.name)
    why = "" if known else _refusal(this, idea, name, variants)
    if why:
        this.report(f"{idea.name}: no control, {why}")
        return
    arm = control_arm(idea.control, idea.name, addition["arms"][idea.name])
    addition["arms"][name] = this.known.arms[name] = arm
    plan_trials(this, [name], addition)
    this.journal.once("control", this.about(idea.name), arm=name, of=idea.control)
    this.report(f"{name}: a control of {idea.name}, {idea.control}; it does not count as an idea")


def control_name(idea: str) -> str:
    return f"{idea[:32]}_control"


def control_arm(kind: str, name: str, arm: Mapping[str, Any]) -> dict[str, Any]:
    """The arm of a control. kind: inverse or match; name, arm: of the idea.

    It is tested in a family of its own, so that it changes no verdict of the study.
    """
    control = {"role": "control", "automatic": True}
    if kind == "match":
        return control | {"a": layout.IMAGES, "b": layout.subset_file(name), "policy": {"name": "match"}}
    return control | {key: arm[key] for key in ("metric", "a", "b")} | {"policy": opposite(arm["policy"])}


def opposite(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The same policy by scores in the other direction. What a veto puts last stays last.

    >>> opposite({"name": "among", "share": 0.4})
    {'name': 'among', 'share': 0.4, 'direction': 'lower'}
    >>> opposite({"name": "best", "objectives": "blur -0.5, count"})
    {'name': 'best', 'objectives': 'blur 0.5, count -1'}
    """
    if strengths := strengths_in(policy.get("objectives")):
        return {**policy, "objectives": ", ".join(f"{name} {-strength:g}" for name, strength in strengths.items())}
    other = {"higher": "lower", "lower": "higher"}
    found = {**policy, "direction": other[policy.get("direction", "higher")]}
    if policy.get("combine") in ("product", "intersection"):
        found["direction_b"] = other[policy.get("direction_b", "higher")]
    return found


def _refusal(this: Round, idea: Suggestion, name: str, variants: int) -> str:
    """The reason not to add the control `name`, for a message; "" when it can be added."""
    if sum(1 for _ in this.journal.about("control", round=this.number)) >= MOST_CONTROLS:
        return "since the round has one already"
    if variants:
        return "since it has variants, and short trials may stop any of them"
    if name in this.known.arms:
        return f"since an arm is called {name}"
    if idea.control == "inverse" and idea.metric is None:
        return "since a repair without a metric has no opposite"
    policy, options = check_policy(idea.policy)
    if idea.control == "inverse" and policy == "band" and abs(options.low + options.high - 1) < 1e-9:
        return "since the opposite of a band about the middle is that band"
    return ""
