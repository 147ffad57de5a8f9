"""Known metrics, results and earlier ideas as text for a prompt. All numbers are computed by our code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.comparison.headlines import headlines, sentence
from metricloop.data.frame import Frame
from metricloop.engineer.ideas import Idea
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.policy_menu import policy_text_of
from metricloop.mending.open_repair import repair_catalogue
from metricloop.metrics.contract import spec_of
from metricloop.metrics.families import FAMILIES
from metricloop.scoring.open_metrics import catalogue
from metricloop.study.plan import Plan
from metricloop.text import numbers
from metricloop.text.clean import clean

WORDS = 2000  # most characters of the model's own earlier text in a prompt
RESULTS = ("arm", "metric", "policy", "images", "boxes", "expected gain", "95 % interval", "result")


def known_text(known: Mapping[str, KnownMetric], past: Sequence[Idea]) -> str:
    """One line per metric: what it scores, and its description."""
    ours = catalogue()
    lines = []
    for name, metric in sorted(known.items()):
        idea = next((idea for idea in past if idea.metric == name and idea.has_code), None)
        about = (ours[name].__doc__ or "").strip().splitlines()[0] if name in ours else ""
        worse = name in ours and spec_of(ours[name]).higher_is == "worse"
        about = about or (f"yours, of `{idea.name}`" if idea else "the person's own")
        family = f", {idea_family(ours[name])}" if name in ours else f", {idea.family}" if idea else ""
        lines.append(f"- `{name}` (per {metric.level}{family}{', higher is worse' if worse else ''}): {about}")
    return "\n".join(lines) or "None."


def catalogue_repairs_text() -> str:
    """The repairs of the catalogue, each with the first line of its description, as a list in one sentence."""
    told = {name: (repair.__doc__ or "").strip().splitlines()[0] for name, repair in repair_catalogue().items()}
    return "; ".join(f"`{name}` ({about.rstrip('.')})" for name, about in sorted(told.items()))


def results_text(comparison: Mapping[str, Any], plan: Plan) -> str:
    """The mean gains of groups, and every arm with its expected gain and interval, in the order of the plan.

    Not in the order of their gains: that order is mostly noise, and invites to build on the luckiest arm.
    """
    arms = {arm["name"]: arm for arm in comparison["arms"]}
    told = headlines({"headlines": [one for one in comparison.get("headlines", ()) if arms.keys() >= {*one["arms"]}]})
    rows = [RESULTS, tuple("---" for _ in RESULTS)]
    rows += [_result(arm, plan) for arm in in_plan_order(comparison, plan)]
    base = next((arm for arm in arms.values() if arm["role"] == "baseline"), None)
    lines = [*map(sentence, told)]
    if base:
        seeds = numbers.count(len(base["seeds"]), "seed")
        lines.append(f"Random samples: mAP {mean_sd(base['mAP']['per_seed'])} over {seeds}.")
    return "\n".join([*lines, *([""] if lines else []), *(f"| {' | '.join(row)} |" for row in rows)])


def in_plan_order(comparison: Mapping[str, Any], plan: Plan) -> list[Mapping[str, Any]]:
    """The compared arms in the order of the plan; then those that are not in it."""
    arms = {arm["name"]: arm for arm in comparison["arms"]}
    return [arms[name] for name in dict.fromkeys([*plan["arms"], *arms]) if name in arms]


def mean_sd(values: Sequence[float] | np.ndarray, digits: int = 3) -> str:
    """The mean of a value per seed and its standard deviation, such as 0.300 ± 0.010; of one seed, the mean alone."""
    sd = f" ± {numbers.fixed(float(np.std(values, ddof=1)), digits)}" if len(values) > 1 else ""
    return f"{numbers.fixed(float(np.mean(values)), digits)}{sd}"


def _result(arm: Mapping[str, Any], plan: Plan) -> tuple[str, ...]:
    change = (arm["gain"] or {}).get("mAP") or {}
    return (
        arm["name"],
        _metrics(arm, plan),
        policy_text_of(arm["policy"]),
        numbers.count(arm["images"]),
        numbers.count(arm["boxes"]),
        numbers.signed(arm.get("shrunken_gain")),
        numbers.interval(change.get("ci95")),
        result_word(arm["verdict"], change.get("ci95")) if change else arm["role"],
    )


def result_word(verdict: str | None, bounds: Sequence[float] | None) -> str:
    """The result of an arm in a word: better, refuted (the whole interval lies below zero), or undecided."""
    return "refuted" if bounds and bounds[1] < 0 else "undecided" if verdict != "better" else "better"


def idea_family(metric: Callable[..., Any]) -> str:
    """The family of ideas that a metric of the catalogue belongs to."""
    return FAMILIES[metric.__module__.rpartition(".")[2]].idea or "control"


def best_text(past: Sequence[Idea], most: int = 4) -> str:
    """The ideas to build on: those with the highest expected gains above zero, with their intervals."""
    good = [idea for idea in past if idea.gain and (idea.expected or 0) > 0]
    good.sort(key=lambda idea: -(idea.expected or 0))
    return "; ".join(
        f"`{idea.name}` ({idea.family}, {numbers.signed(idea.expected)}, {numbers.interval(idea.interval)})"
        for idea in good[:most]
    )


def _metrics(arm: Mapping[str, Any], plan: Plan) -> str:
    """The metric of an arm, with the metric that it is combined with."""
    if arm["metric"] is None:
        return numbers.DASH
    with_b = arm["policy"].get("combine") and arm["name"] in plan["arms"]
    return f"{arm['metric']} with {Path(plan['arms'][arm['name']]['b']).stem}" if with_b else arm["metric"]


def idea_text(idea: Idea) -> str:
    """One earlier idea: its hypothesis, metric and policy, its outcome, and the model's own conclusion.

    Each text of the model is put on one line, so that it cannot look like a line of ours. Of a variant only metric,
    policy and outcome are told, since it shares the rest with its idea.
    """
    origin = f", builds on `{idea.parent}`" if idea.parent else ""
    head = f"- `{idea.name}` (round {idea.round}, family {idea.family}{origin}, targets {idea.targets}): "
    partner = f" with {idea.partner}" if idea.partner else ""
    named = f"metric {idea.metric}{partner}" if idea.metric else "no metric"
    repair = f"; repair `{clean(idea.repair, 60)}`{', yours' if idea.has_repair_code else ''}" if idea.repair else ""
    chosen = f"{named}{repair}; policy {clean(policy_text_of(idea.policy), WORDS)}."
    if idea.variant_of:
        return f"- `{idea.name}`, a variant of `{idea.variant_of}`: {chosen}\n  {outcome_text(idea)}"
    lines = [
        head + clean(idea.hypothesis, WORDS),
        *([f"  How it adapts its family: {clean(idea.adapts, WORDS)}"] if idea.adapts else []),
        f"  {chosen[0].upper()}{chosen[1:]}",
        f"  {outcome_text(idea)}",
    ]
    return "\n".join(lines + ([f"  Your conclusion then: {clean(idea.lesson, WORDS)}"] if idea.lesson else []))


def outcome_text(idea: Idea) -> str:
    """The outcome of an idea in a sentence; all numbers are computed by our code."""
    if idea.state == "refused":
        return f"Refused: {idea.reason}."
    if idea.state == "dropped":
        return f"Never trained: {idea.reason}."
    ran = "ran first time" if not idea.repairs else f"ran after {numbers.count(idea.repairs, 'repair')}"
    if idea.state == "screened":
        return f"{ran[0].upper()}{ran[1:]}; {idea.reason}. You had predicted {numbers.signed(idea.predicted_gain)}."
    if not idea.gain:
        return f"{ran[0].upper()}{ran[1:]}; not measured yet."
    known = idea.expected if idea.expected is not None else idea.measured_gain
    return (
        f"{ran[0].upper()}{ran[1:]}. Expected gain in mAP {numbers.signed(known)} (measured "
        f"{numbers.gain(idea.gain['abs'], idea.gain['rel'])}, 95 % interval {numbers.interval(idea.gain['ci95'])}): "
        f"{result_word(idea.verdict, idea.interval)}; you had predicted {numbers.signed(idea.predicted_gain)}."
    )


def short_text(past: Sequence[Idea], share: float) -> str:
    """How to compare the mAP of short trials, in a sentence; "" where no idea was stopped after them."""
    return "" if all(idea.state != "screened" for idea in past) else short_rule(share)


def short_rule(share: float) -> str:
    """What the mAP of short trials compares with."""
    return (
        f"Short trials train for {numbers.percent(share)} of the iterations: their mAP compares with that of random "
        "beside it, and not with the mAP of full trials."
    )


def shapes(frames: Sequence[Frame], most: int = 4) -> str:
    """Sizes and box counts of up to `most` frames, from the first to the last in equal steps."""
    places = np.linspace(0, max(len(frames) - 1, 0), min(most, len(frames)))
    lines = []
    for k in dict.fromkeys(places.round().astype(int).tolist()):
        frame = frames[k]
        found = "" if frame.predictions is None else f", {numbers.count(len(frame.predictions.boxes), 'prediction')}"
        boxes = numbers.count(len(frame.boxes), "box", "boxes")
        lines.append(f"image {frame.image_id}: {frame.width} x {frame.height}, {boxes}{found}")
    return "; ".join(lines)
