"""Further facts about a study for the prompt of a round: how gains are measured, errors of arms, scores and code.

All numbers are computed by our code. Arms made from the truth are not in the comparison of a StudyView.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.arm_rows import undecided_above_zero
from metricloop.comparison.looks import Look
from metricloop.comparison.open_questions import noise_of
from metricloop.comparison.phrases import ONE_ARM_ALONE
from metricloop.comparison.power import detectable_gain
from metricloop.data.manifest import read_first
from metricloop.engineer.data_card import table
from metricloop.engineer.desk import Desk
from metricloop.engineer.idea_facts import histogram_text
from metricloop.engineer.ideas import Idea
from metricloop.engineer.prompt_text import in_plan_order
from metricloop.engineer.study_view import StudyView, errors_of
from metricloop.evaluation.error_types import KINDS
from metricloop.figures import subset_changes
from metricloop.scoring.likeness import rank_correlation
from metricloop.text import numbers

MOST_PAIRS = 12  # of metrics, those most alike
MOST_ARMS = 16  # with their errors, and with their shifts
MOST_CODE = 16_000  # characters of earlier code


def facts(desk: Desk, past: Sequence[Idea]) -> dict[str, str]:
    """The facts as texts, by their names in the template look.j2; "" for one that is not known yet."""
    study = desk.study
    return {
        "measured": measured_text(study.comparison),
        "arm_errors": arm_errors(study),
        "alike": alike_text(desk),
        "shifts": shifts_text(desk) if past else "",
        "children": children_text(past, study.comparison),
        "earlier_code": code_text(study, past),
    }


def measured_text(comparison: Mapping[str, Any]) -> str:
    """The number of seeds, the smallest gain that they can show, and the mAP of the whole pool as a ceiling."""
    lines = []
    if comparison.get("looks"):
        looks = [Look(**look) for look in comparison["looks"]]
        seeds = ", then ".join(f"{look.arms} of an arm and {look.baseline} of random" for look in looks)
        family, images = max(1, comparison["family"]["treatment"]), comparison["search_images"]
        least = detectable_gain(looks, family, images, noise_of(dict(comparison)))
        lines.append(
            f"- Seeds: {seeds}; undecided arms that are ahead get the more. With {numbers.count(family, 'arm')} and "
            f"{numbers.count(images, 'held-out image')}, a true gain of {numbers.signed(least)} mAP is found in four "
            "of five studies; a smaller one mostly stays undecided."
        )
    if above := undecided_above_zero(comparison):
        names = numbers.listing([f"`{name}`" for name in above[:MOST_ARMS]])
        lines.append(f"- Undecided, though the interval lies above zero: {names}; {ONE_ARM_ALONE}.")
    full = next((arm for arm in comparison["arms"] if arm["policy"]["name"] == "full"), None)
    known = f"the whole pool, equally long trained, gives {numbers.fixed(full['mAP']['mean'])}" if full else "unknown"
    lines.append(
        f"- The ceiling: {known}. What true labels would give is not shown to you, nor any arm that knows them."
    )
    return "\n".join(lines)


def arm_errors(study: StudyView) -> str:
    """Errors by type of every arm, mean ± standard deviation over its seeds."""
    rows = []
    for arm in in_plan_order(study.comparison, study.plan)[:MOST_ARMS]:
        found = errors_of(study, [arm["name"]])
        if not found:
            continue
        counts = np.array([[e.correct, *(e.counts[kind] for kind in KINDS)] for e in found], float)
        spread = counts.std(axis=0, ddof=1) if len(found) > 1 else np.full(counts.shape[1], np.nan)
        cells = [
            numbers.fixed(mean, 0) + (f" ± {numbers.fixed(sd, 0)}" if math.isfinite(sd) else "")
            for mean, sd in zip(counts.mean(axis=0).tolist(), spread.tolist(), strict=True)
        ]
        rows.append([arm["name"], str(len(found)), *cells])
    return table(["arm", "seeds", "correct", *KINDS], rows) if len(rows) > 1 else ""


def alike_text(desk: Desk) -> str:
    """Rank correlations between known metrics over images, the strongest first."""
    values = {name: desk.image_values(name) for name in sorted(desk.metrics)}
    found = []
    for first, second in combinations(values, 2):
        rho = rank_correlation(values[first], values[second])
        if rho is not None:
            found.append((rho, first, second))
    found.sort(key=lambda pair: -abs(pair[0]))
    return "; ".join(f"{a} and {b} {numbers.fixed(rho, 2)}" for rho, a, b in found[:MOST_PAIRS])


def shifts_text(desk: Desk) -> str:
    """Of every arm with a metric: quantiles and histogram of its scores, and how its subset differs from the pool."""
    study = desk.study
    lines, pool = [], subset_changes.pool_profile(study.pool)
    for arm in in_plan_order(study.comparison, study.plan)[:MOST_ARMS]:
        file = study.folder / layout.subset_file(arm["name"])
        if not arm["metric"] or not file.is_file():
            continue
        changes = subset_changes.changes(
            pool, subset_changes.subset_profile(read_first(file), study.pool), study.pool.class_names
        )
        shifts = "; ".join(f"{c.name.lower()} {c.pool} -> {c.subset}" for c in changes[2:])
        scores = histogram_text(desk.scores(arm["metric"]), arm["metric"]) if arm["metric"] in desk.metrics else ""
        lines.append(f"- `{arm['name']}`, pool -> subset: {shifts}. {scores}".rstrip())
    return "\n".join(lines)


def children_text(past: Sequence[Idea], comparison: Mapping[str, Any]) -> str:
    """Every measured idea against the measured idea that it builds on, with a 95 % interval over their seeds."""
    arms = {arm["name"]: arm["mAP"] | {"n": len(arm["seeds"])} for arm in comparison["arms"]}
    lines = []
    for idea in past:
        child, parent = arms.get(idea.name), arms.get(idea.parent or "")
        if child is None or parent is None or child["sd"] is None or parent["sd"] is None:
            continue
        change = child["mean"] - parent["mean"]
        half = 1.96 * math.sqrt(child["sd"] ** 2 / child["n"] + parent["sd"] ** 2 / parent["n"])
        lines.append(
            f"- `{idea.name}` minus `{idea.parent}`: {numbers.signed(change)} mAP, 95 % interval "
            f"{numbers.interval((change - half, change + half))} over {child['n']} and {parent['n']} seeds"
        )
    return "\n".join(lines)


def code_text(study: StudyView, past: Sequence[Idea]) -> str:
    """The code of accepted ideas, each file once, as far as it fits in MOST_CODE.

    It is there to be built on, so that of ideas that are expected to gain comes first, with the gain of their best
    variant; then that of ideas without a result, the latest first.
    """
    gains: dict[tuple[int, str], float] = {}
    for idea in past:
        if idea.expected is not None:
            key = (idea.round, idea.variant_of or idea.name)
            gains[key] = max(gains.get(key, idea.expected), idea.expected)
    parts: dict[str, str] = {}
    left, cut = MOST_CODE, set[str]()
    accepted = {event["suggestion"]: event for event in study.events if event["event"] == "accepted"}
    latest_first = list(past)[::-1]
    for idea in sorted(latest_first, key=lambda idea: _place(gains.get((idea.round, idea.name)))):
        event = accepted.get(idea.name, {})
        for file, function in ((event.get("file"), idea.metric), (event.get("repair_file"), idea.repair)):
            if not file or file in parts or not (study.folder / file).is_file():
                continue
            text = (study.folder / file).read_text(encoding="utf-8", errors="replace").strip()
            if len(text) > left:
                cut.add(file)
                continue
            left -= len(text)
            parts[file] = f"`{function}` of `{idea.name}`:\n\n```python\n{text}\n```"
    more = [f"Left out, as this is long enough: {numbers.count(len(cut), 'file')}."] if cut else []
    return "\n\n".join([*parts.values(), *more])


def _place(gain: float | None) -> tuple[int, float]:
    """Where code of such an expected gain stands: gains, no result, losses."""
    return (1, 0.0) if gain is None else (0 if gain > 0 else 2, -gain)
