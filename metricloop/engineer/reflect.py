"""reflect: what a round's experiments showed goes back to the language model, and its conclusions into the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from metricloop.data.tables import SUBSET, read_table
from metricloop.engineer.briefing import Scene, baseline_errors, errors_of
from metricloop.engineer.error_card import error_change
from metricloop.engineer.ideas import Idea, ideas
from metricloop.engineer.prompt_text import account
from metricloop.engineer.round import REFUSED, unfinished
from metricloop.engineer.suggestion import Reflection, read_reflection, reflection_schema
from metricloop.evaluation.error_types import Errors
from metricloop.figures import subset_profile
from metricloop.figures.example_sheets import extremes_sheet
from metricloop.llm.conversation import Conversation
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Event, Journal, Key
from metricloop.llm.message import Message, Picture
from metricloop.llm.prompt import render
from metricloop.scoring.scores import Scores, read_scores
from metricloop.text import numbers

BINS = 10  # of a score's histogram in text


def reflect(scene: Scene, number: int, talk: Conversation) -> Reflection | None:
    """Have the model look at what came of its ideas; None where it said nothing that could be read.

    Errors: SpentError at a limit; NotRecordedError in a replay; ClientError when the model cannot be reached.
    """
    told = measure(scene, number, talk.journal)
    if not told:
        return None  # nothing was proposed
    pictures, base = sheets(scene, told), baseline_errors(scene)
    context = {
        "round": str(number),
        "ideas": [{"name": idea.name, "facts": facts(scene, idea, base)} for idea in told],
        "names": ", ".join(idea.name for idea in told),
        "pictures": "\n".join(f"{k}. {picture.title}" for k, picture in enumerate(pictures, start=1)),
    }
    new = [Message("user", render("reflect", context), tuple(pictures))]
    for attempt in range(scene.params.llm.repairs + 1):
        key = Key(number, "reflect", "", attempt)
        answer = talk.ask(key, new, reflection_schema())
        try:
            return read_reflection(json_in(answer))
        except ValueError as error:
            said = unfinished(talk.journal, key) or str(error)
            talk.journal.once("unusable", asdict(key), said=said)
            if said.startswith(REFUSED):
                return None
            new = [Message("user", render("again", {"said": said}))]
    return None


def measure(scene: Scene, number: int, journal: Journal) -> list[Idea]:
    """Journal the outcome of every trial of this round, and return all its ideas, the refused ones too."""
    rows = {arm["name"]: arm for arm in scene.comparison["arms"] if arm["gain"]}
    for event in list(journal.about("accepted", round=number)):
        if (row := rows.get(event["suggestion"])) is None:
            continue
        change = row["gain"]["mAP"]
        outcome = {
            "gain": {name: change[name] for name in ("abs", "rel", "ci95", "p_holm")},
            "gain_mAR": row["gain"]["mAR"]["abs"],
            "verdict": row["verdict"],
            "seeds": len(row["seeds"]),
            "mAP": row["mAP"]["mean"],
            "predicted_gain": _proposed(journal, event)["predicted_gain"],
        }
        known = journal.last("measured", round=number, suggestion=event["suggestion"])
        if known is None or any(known[name] != value for name, value in outcome.items()):
            journal.add("measured", round=number, suggestion=event["suggestion"], **outcome)
    return [idea for idea in ideas(journal.events) if idea.round == number]


def facts(scene: Scene, idea: Idea, base: Sequence[Errors]) -> str:
    """What the study knows of one idea: its outcome, its scores, what its subset changed, errors that came and went.

    base: the errors of the random arm's detectors.
    """
    lines = [account(idea)]
    subset, arm = scene.folder / "subsets" / f"{idea.name}.parquet", scene.plan["arms"].get(idea.name)
    if arm is None or not subset.is_file():
        return "\n".join(lines)
    if (scene.folder / arm["a"]).is_file():
        lines.append(histogram_text(read_scores(scene.folder / arm["a"], scene.pool), idea.metric))
    profiles = (
        subset_profile.pool_profile(scene.pool),
        subset_profile.subset_profile(read_table(subset, SUBSET), scene.pool),
    )
    lines += ["", "| what the subset changed | pool | subset |", "| --- | --- | --- |"]
    lines += [
        f"| {c.name} | {c.pool} | {c.subset} |" for c in subset_profile.changes(*profiles, scene.pool.class_names)
    ]
    if base and (ours := errors_of(scene, [idea.name])):
        lines += ["", "Errors on the held-out split, against the random baseline:", error_change(ours, base)]
    return "\n".join(lines)


def histogram_text(scores: Scores, metric: str) -> str:
    """The scores of a metric in a few lines: quantiles, a histogram of ten bins, how many it could not say."""
    value = scores.value[np.isfinite(scores.value)]
    what = "object" if scores.per_object else "image"
    if not len(value):
        return f"Scores of {metric}: none."
    marks = ", ".join(numbers.score(float(q)) for q in np.quantile(value, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]))
    counts = np.histogram(value, BINS)[0]
    return (
        f"Scores of {metric}: {numbers.count(len(value), what)}, {numbers.percent(1 - len(value) / len(scores.value))} "
        f"unknown; minimum, 10, 25, 50, 75, 90 % and maximum: {marks}; histogram of {BINS} equal bins: "
        f"{' '.join(map(str, counts))}."
    )


def sheets(scene: Scene, told: Sequence[Idea]) -> list[Picture]:
    """The extremes of every metric that was tried; none where the person does not let pictures leave the house."""
    detail = scene.params.llm.pictures
    if detail == "none":
        return []
    shown = []
    for idea in told:
        arm = scene.plan["arms"].get(idea.name)
        if idea.state == "measured" and arm and (scene.folder / arm["a"]).is_file():
            scores = read_scores(scene.folder / arm["a"], scene.pool)
            higher = arm["policy"].get("direction", "higher") == "higher"
            title = f"{idea.name}: what {idea.metric} finds best, and worst"
            if sheet := extremes_sheet(scene.pool, scores, higher, title, detail):
                shown.append(sheet)
    return shown


def _proposed(journal: Journal, accepted: Event) -> dict[str, Any]:
    """The idea as it was accepted."""
    gate = journal.last("gate", round=accepted["round"], suggestion=accepted["suggestion"])
    assert gate is not None
    return gate["idea"]
