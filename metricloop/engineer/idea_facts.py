"""What is told of an idea that was tried: its outcome, edits and scores, what its subset changed, and its errors.

All numbers are computed by our code; the truth about planted mistakes and the test split are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.arm_rows import Arm, map_gain
from metricloop.data.edits import EDITS, taken
from metricloop.data.manifest import read_first
from metricloop.data.tables import column, read_table
from metricloop.engineer.controls import control_name
from metricloop.engineer.error_card import error_change
from metricloop.engineer.ideas import Idea
from metricloop.engineer.prompt_text import outcome_text
from metricloop.engineer.study_view import StudyView, baseline_arms, errors_of
from metricloop.evaluation.error_types import Errors
from metricloop.figures import subset_changes
from metricloop.scoring.scores import Scores, read_scores
from metricloop.selection.options import Mend
from metricloop.text import numbers
from metricloop.text.clean import clean

BINS = 10  # of the histogram of a metric's scores


def idea_facts(study: StudyView, idea: Idea, base: Sequence[Errors]) -> str:
    """The results of one idea: its outcome, its scores, what its subset changed, and the errors that it changed.

    base: the errors of the random arm's detectors.
    """
    rows = {arm["name"]: arm for arm in study.comparison["arms"]}
    own = rows.get(idea.name)
    lines = [outcome_text(idea)]
    if own and own["gain"]:
        lines += [*_other_measures(study, own, rows), *_leads(own, rows)]
    lines += [*_control(idea, rows), *_edits(study, idea)]
    subset, arm = study.folder / layout.subset_file(idea.name), study.plan["arms"].get(idea.name)
    if arm is None or not subset.is_file():
        return "\n".join(lines)
    if idea.metric and (file := score_file(study, arm)):
        lines.append(histogram_text(read_scores(file, study.pool), idea.metric))
    profiles = (
        subset_changes.pool_profile(study.pool),
        subset_changes.subset_profile(read_first(subset), study.pool),
    )
    lines += ["", "| what the subset changed | pool | subset |", "| --- | --- | --- |"]
    lines += [
        f"| {c.name} | {c.pool} | {c.subset} |" for c in subset_changes.changes(*profiles, study.pool.class_names)
    ]
    if base and (ours := errors_of(study, [idea.name])):
        lines += ["", "Errors on the held-out split, against the random baseline:", error_change(ours, base)]
    return "\n".join(lines)


def _control(idea: Idea, rows: Mapping[str, Arm]) -> list[str]:
    """A line with the gain of the control that the idea asked for. [] while it has no results."""
    name = control_name(idea.name)
    if name not in rows or not rows[name]["gain"]:
        return []
    change, about = rows[name]["gain"]["mAP"], numbers.policy(rows[name]["policy"])
    return [
        f"Its control `{name}` ({about}): {numbers.signed(change['abs'])} mAP, 95 % interval "
        f"{numbers.interval(change['ci95'])}."
    ]


def _other_measures(study: StudyView, own: Arm, rows: Mapping[str, Arm]) -> list[str]:
    """A line with the gains in mAP at IoU 0.5 and in mAR. own: the idea's row; rows: all rows by name."""
    base = next((rows[name] for name in baseline_arms(study) if name in rows), None)
    if base is None:
        return []
    same_look = base["mAP50"]["per_seed"][: own["baseline_seeds"]]
    loose = own["mAP50"]["mean"] - float(np.mean(same_look))
    return [f"In mAP at IoU 0.5 {numbers.signed(loose)}, in mAR {numbers.signed(own['gain']['mAR']['abs'])}."]


def _edits(study: StudyView, idea: Idea) -> list[str]:
    """A line that counts the edits of the idea's repair in the pool. [] without a repair, or without its edits."""
    if not idea.ran or idea.repair not in study.plan.get("repairs", {}):  # a refused idea may name anything
        return []
    options, file = Mend.model_validate(idea.policy["mend"]), study.folder / layout.edits_file(idea.repair)
    if not file.is_file():
        return []
    least = options.least_confidence
    edits = taken(read_table(file, EDITS), least, options.chosen_kinds)
    kinds = edits["kind"].to_pylist()
    told = ", ".join(f"{kind} {numbers.count(kinds.count(kind))}" for kind in options.chosen_kinds)
    images = len(np.unique(column(edits, "image_id")))
    return [
        f"Edits of `{clean(idea.repair, 60)}` in the pool, from a confidence of {least:g} on: {told}, on "
        f"{numbers.count(images)} of {numbers.count(len(study.pool), 'image')}."
    ]


def _leads(own: Arm, rows: Mapping[str, Arm]) -> list[str]:
    """A line for each arm that uses only a part of what the idea uses: its gain, and the idea's lead over it."""
    leads = {part: lead for part, lead in (own.get("lead_over_parts") or {}).items() if part in rows}
    return [
        f"Against `{part}`, which uses a part of it and gains {numbers.signed(map_gain(rows[part]))} alone: "
        f"{numbers.signed(lead['abs'])} mAP, 95 % interval {numbers.interval(lead['ci95'])}."
        for part, lead in leads.items()
    ]


def histogram_text(scores: Scores, metric: str) -> str:
    """The scores of a metric in one line: quantiles, a histogram of ten bins, and the share of nan."""
    value = scores.value[np.isfinite(scores.value)]
    what = "object" if scores.per_object else "image"
    if not len(value):
        return f"Scores of {metric}: none."
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            marks = ", ".join(numbers.score(float(q)) for q in np.quantile(value, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]))
            counts = f"histogram of {BINS} equal bins: {' '.join(map(str, np.histogram(value, BINS)[0]))}"
    except ValueError:  # constant but for rounding, or as wide as all floats
        counts = f"too near to each other, or too far apart, for a histogram of {BINS} bins"
    return (
        f"Scores of {metric}: {numbers.count(len(value), what)}, {numbers.percent(1 - len(value) / len(scores.value))} "
        f"unknown; minimum, 10, 25, 50, 75, 90 % and maximum: {marks}; "
        f"{counts}."
    )


def score_file(study: StudyView, arm: Mapping[str, Any]) -> Path | None:
    """The scores of an arm's own metric; None where there are none. With `objectives`, a is a folder."""
    place = study.folder / arm["a"]
    held = sorted(place.rglob(f"{arm.get('metric')}.parquet"))
    return next((file for file in (place, *held) if file.is_file()), None)
