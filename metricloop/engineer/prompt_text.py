"""Known metrics, results and earlier ideas as text for a prompt. All numbers are computed by our code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.comparison.comparison_table import cells
from metricloop.data.frame import Frame
from metricloop.engineer.ideas import Idea
from metricloop.engineer.rules import KnownMetric
from metricloop.metrics.contract import spec_of
from metricloop.scoring.open_metrics import catalogue
from metricloop.study.plan import Plan
from metricloop.text import numbers
from metricloop.text.clean import clean

WORDS = 2000  # most characters of the model's own earlier text in a prompt
RESULTS = ("arm", "metric", "policy", "images", "boxes", "mAP", "gain", "95 %", "p (Holm)", "mAR", "verdict")


def known_text(known: Mapping[str, KnownMetric], past: Sequence[Idea]) -> str:
    """One line per metric: what it scores, and its description."""
    ours = catalogue()
    lines = []
    for name, metric in sorted(known.items()):
        idea = next((idea for idea in past if idea.metric == name and idea.has_code), None)
        about = (ours[name].__doc__ or "").strip().splitlines()[0] if name in ours else ""
        worse = name in ours and spec_of(ours[name]).higher_is == "worse"
        about = about or (f"yours, of `{idea.name}`" if idea else "the person's own")
        lines.append(f"- `{name}` (per {metric.level}{', higher is worse' if worse else ''}): {about}")
    return "\n".join(lines) or "None."


def results_text(arms: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """The comparison as Markdown, with metric and policy of each arm."""
    rows = [RESULTS, tuple("---" for _ in RESULTS)]
    for arm in arms:
        name, *numbers = cells(dict(arm))
        rows.append((name, _metrics(arm, plan), policy_text_of(arm["policy"]), *numbers))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _metrics(arm: Mapping[str, Any], plan: Plan) -> str:
    """The metric of an arm, with the metric that it is combined with."""
    if arm["metric"] is None:
        return numbers.DASH
    with_b = arm["policy"].get("combine") and arm["name"] in plan["arms"]
    return f"{arm['metric']} with {Path(plan['arms'][arm['name']]['b']).stem}" if with_b else arm["metric"]


def policy_text_of(policy: Mapping[str, Any]) -> str:
    direction = f", {policy['direction']} is better" if "direction" in policy else ""
    return f"{numbers.policy(dict(policy))}{direction}"


def idea_text(idea: Idea) -> str:
    """One earlier idea: its hypothesis, metric and policy, its outcome, and the model's own conclusion.

    Each text of the model is put on one line, so that it cannot imitate a line of ours."""
    origin = f", builds on `{idea.parent}`" if idea.parent else ""
    head = f"- `{idea.name}` (round {idea.round}, family {idea.family}{origin}, targets {idea.targets}): "
    partner = f" with {idea.partner}" if idea.partner else ""
    lines = [
        head + clean(idea.hypothesis, WORDS),
        f"  Metric {idea.metric}{partner}; policy {policy_text_of(idea.policy)}.",
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
    change = numbers.gain(idea.gain["abs"], idea.gain["rel"])
    return (
        f"{ran[0].upper()}{ran[1:]}. Gain in mAP {change}, 95 % interval {numbers.interval(idea.gain['ci95'])}, "
        f"{idea.verdict}; you had predicted {numbers.signed(idea.predicted_gain)}."
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
