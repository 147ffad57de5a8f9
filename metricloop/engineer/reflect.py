"""The reflection after a round: the model sees what was measured, and says what it concludes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metricloop.comparison.screening import short_trials
from metricloop.engineer.ask import ask_until_usable
from metricloop.engineer.idea_facts import idea_facts, score_file
from metricloop.engineer.ideas import Idea, ideas
from metricloop.engineer.prompt_text import mean_sd, short_rule, short_text
from metricloop.engineer.study_view import StudyView, baseline_arms, baseline_errors
from metricloop.engineer.suggestion import Reflection, read_reflection, reflection_schema
from metricloop.figures.example_pictures import extremes_picture
from metricloop.llm.conversation import Conversation
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Event, Journal
from metricloop.llm.message import Message, Picture
from metricloop.llm.prompt import render
from metricloop.scoring.scores import read_scores


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
    told = ", ".join(f"{arm} {mean_sd(trials[arm])}" for arm in (*base, *own))
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


def extreme_sheets(study: StudyView, tried: Sequence[Idea]) -> list[Picture]:
    """Pictures of the best and the worst by each measured metric; none when llm.pictures is none."""
    detail = study.params.llm.pictures
    if detail == "none":
        return []
    shown = []
    for idea in tried:
        arm = study.plan["arms"].get(idea.name)
        file = score_file(study, arm) if arm and idea.metric else None
        if idea.state == "measured" and arm and file:
            scores = read_scores(file, study.pool)
            higher = arm["policy"].get("direction", "higher") == "higher"
            title = f"{idea.name}: what {idea.metric} finds best, and worst"
            if sheet := extremes_picture(study.pool, scores, higher, title, detail):
                shown.append(sheet)
    return shown


def _accepted_idea(journal: Journal, accepted: Event) -> dict[str, Any]:
    """The fields of an idea as it was accepted."""
    gate = journal.last("gate", round=accepted["round"], suggestion=accepted["suggestion"])
    assert gate is not None
    return gate["idea"]
