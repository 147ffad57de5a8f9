"""The reflection after a round: the model sees what was measured, and says what it concludes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.arm_rows import map_gain
from metricloop.comparison.screening import short_trials
from metricloop.data.manifest import read_first
from metricloop.engineer.ask import ask_until_usable
from metricloop.engineer.controls import control_name
from metricloop.engineer.error_card import error_change
from metricloop.engineer.ideas import Idea, ideas
from metricloop.engineer.prompt_text import mean_sd_of, outcome_text, short_rule, short_text
from metricloop.engineer.study_view import StudyView, baseline_arms, baseline_errors, errors_of
from metricloop.engineer.suggestion import Reflection, read_reflection, reflection_schema
from metricloop.evaluation.error_types import Errors
from metricloop.figures import subset_changes
from metricloop.figures.example_pictures import extremes_picture
from metricloop.llm.conversation import Conversation
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Event, Journal
from metricloop.llm.message import Message, Picture
from metricloop.llm.prompt import render
from metricloop.scoring.scores import Scores, read_scores
from metricloop.text import numbers

BINS = 10  # of the histogram of a metric's scores


def reflect(study: StudyView, number: int, conversation: Conversation) -> Reflection | None:
    """Show the model the results of its ideas and return its conclusions; None when no answer could be read.

    Errors: SpentError at a limit; NotRecordedError in a replay; ClientError when the model cannot be reached.
    """
    tried = journal_results(study, number, conversation.journal.of_engineer(None))
    if not tried:
        return None  # no idea was proposed
    pictures, base = extreme_sheets(study, tried), baseline_errors(study)
    context = {
        "round": str(number),
        "ideas": [
            {"name": idea.name, "variant_of": idea.variant_of or "", "facts": idea_facts(study, idea, base)}
            for idea in grouped(tried)
        ],
        "short": _short(study, tried),
        "names": ", ".join(idea.name for idea in tried if not idea.variant_of),
        "pictures": "\n".join(f"{k}. {picture.title}" for k, picture in enumerate(pictures, start=1)),
    }
    question = [Message("user", render("reflect", context), tuple(pictures))]
    key = ask_until_usable(
        conversation, number, "reflect", question, reflection_schema(), _fault_in, study.params.llm.repairs + 1
    )
    answered = conversation.journal.last("answered", key) if key else None
    return read_reflection(json_in(answered["text"])) if answered else None


def _short(study: StudyView, tried: Sequence[Idea]) -> str:
    """The short trials of a round: how to read them, and the mAP of random and of each idea and variant; "" without."""
    trials = short_trials(study.plan, study.folder)
    own = [idea.name for idea in grouped(tried) if idea.name in trials]
    base = [arm for arm in baseline_arms(study) if arm in trials]
    if not own or not base:
        return short_text(tried, study.params.screen.share)
    told = ", ".join(f"{arm} {mean_sd_of(trials[arm])}" for arm in (*base, *own))
    return f"{short_rule(study.params.screen.share)} mAP ± standard deviation over the seeds of each: {told}."


def _fault_in(answer: str, last: bool) -> str:
    """What is wrong with an answer; "" when it is a reflection."""
    try:
        read_reflection(json_in(answer))
    except ValueError as error:
        return str(error)
    return ""


def journal_results(study: StudyView, number: int, journal: Journal) -> list[Idea]:
    """Journal the result of every arm of this round; return all its ideas, the refused ones too."""
    rows = {arm["name"]: arm for arm in study.comparison["arms"] if arm["gain"]}
    stopped = {arm["name"]: arm for arm in study.comparison.get("screened", ())}
    for event in list(journal.about("accepted", round=number)):
        if found := stopped.get(event["suggestion"]):
            told = {"mAP": found["mAP"], "baseline": found["baseline"]}
            journal.once("screened", {"round": number, "suggestion": event["suggestion"]}, **told)
        if (row := rows.get(event["suggestion"])) is None:
            continue
        change = row["gain"]["mAP"]
        outcome = {
            "gain": {name: change[name] for name in ("abs", "rel", "ci95", "p_holm")},
            "expected": row.get("shrunken_gain"),
            "gain_mAR": row["gain"]["mAR"]["abs"],
            "verdict": row["verdict"],
            "seeds": len(row["seeds"]),
            "mAP": row["mAP"]["mean"],
            "predicted_gain": _accepted_idea(journal, event)["predicted_gain"],
        }
        known = journal.last("measured", round=number, suggestion=event["suggestion"])
        if known is None or any(known.get(name) != value for name, value in outcome.items()):
            journal.add("measured", round=number, suggestion=event["suggestion"], **outcome)
    return [idea for idea in ideas(journal.events) if idea.round == number]


def grouped(tried: Sequence[Idea]) -> list[Idea]:
    """The ideas of a round, each followed by its variants."""
    names = [idea.name for idea in tried if not idea.variant_of]
    place = {name: number for number, name in enumerate(names)}
    return sorted(tried, key=lambda idea: (place.get(idea.variant_of or idea.name, len(names)), bool(idea.variant_of)))


def idea_facts(study: StudyView, idea: Idea, base: Sequence[Errors]) -> str:
    """The results of one idea: its outcome, its scores, what its subset changed, and the errors that it changed.

    base: the errors of the random arm's detectors.
    """
    lines = [outcome_text(idea), *_control(study, idea), *_parts(study, idea)]
    subset, arm = study.folder / layout.subset_file(idea.name), study.plan["arms"].get(idea.name)
    if arm is None or not subset.is_file():
        return "\n".join(lines)
    if idea.metric and (file := _score_file(study, arm)):
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


def _control(study: StudyView, idea: Idea) -> list[str]:
    """A line about the control that the idea asked for, once it has results."""
    name = control_name(idea.name)
    for arm in study.comparison["arms"]:
        if arm["name"] == name and arm["gain"]:
            change = arm["gain"]["mAP"]
            about = numbers.policy(arm["policy"])
            return [
                f"Its control `{name}` ({about}): {numbers.signed(change['abs'])} mAP, 95 % interval "
                f"{numbers.interval(change['ci95'])}."
            ]
    return []


def _parts(study: StudyView, idea: Idea) -> list[str]:
    """A line about each arm with full trials that uses a part of what the idea uses."""
    arms = {arm["name"]: arm for arm in study.comparison["arms"]}
    lines = []
    for part, lead in (arms.get(idea.name) or {}).get("lead_over_parts", {}).items():
        if part in arms:
            lines.append(
                f"Against `{part}`, which uses a part of it and gains {numbers.signed(map_gain(arms[part]))} alone: "
                f"{numbers.signed(lead['abs'])} mAP, 95 % interval {numbers.interval(lead['ci95'])}."
            )
    return lines


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


def extreme_sheets(study: StudyView, tried: Sequence[Idea]) -> list[Picture]:
    """Pictures of the best and the worst by each measured metric; none when llm.pictures is none."""
    detail = study.params.llm.pictures
    if detail == "none":
        return []
    shown = []
    for idea in tried:
        arm = study.plan["arms"].get(idea.name)
        file = _score_file(study, arm) if arm and idea.metric else None
        if idea.state == "measured" and arm and file:
            scores = read_scores(file, study.pool)
            higher = arm["policy"].get("direction", "higher") == "higher"
            title = f"{idea.name}: what {idea.metric} finds best, and worst"
            if sheet := extremes_picture(study.pool, scores, higher, title, detail):
                shown.append(sheet)
    return shown


def _score_file(study: StudyView, arm: Mapping[str, Any]) -> Path | None:
    """The scores of an arm's own metric; None where there are none. With `objectives`, a is a folder."""
    place = study.folder / arm["a"]
    held = sorted(place.rglob(f"{arm.get('metric')}.parquet"))
    return next((file for file in (place, *held) if file.is_file()), None)


def _accepted_idea(journal: Journal, accepted: Event) -> dict[str, Any]:
    """The fields of an idea as it was accepted."""
    gate = journal.last("gate", round=accepted["round"], suggestion=accepted["suggestion"])
    assert gate is not None
    return gate["idea"]
