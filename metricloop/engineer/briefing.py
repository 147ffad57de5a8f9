"""The messages that a round begins with: the rules, the data, the errors, the results and the model's earlier ideas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metricloop import layout
from metricloop.engineer.brief import read_brief
from metricloop.engineer.data_card import data_card
from metricloop.engineer.error_card import error_card
from metricloop.engineer.policy_menu import policy_text
from metricloop.engineer.progress import next_round, plan_before
from metricloop.engineer.prompt_text import best_text, idea_text, known_text, results_text
from metricloop.engineer.rules import must_open, untried_families
from metricloop.engineer.study_view import StudyView, baseline_errors, known_metrics, past_ideas, read_study
from metricloop.evaluation.error_types import Errors
from metricloop.figures.example_pictures import error_picture, pool_pictures
from metricloop.llm.journal import Journal
from metricloop.llm.message import Message, Picture
from metricloop.llm.prices import cost
from metricloop.llm.prompt import render
from metricloop.llm.wire import estimate_tokens
from metricloop.metrics.families import idea_families_text
from metricloop.params import Params, load_params
from metricloop.scoring.gate_rules import code_must
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.probe_frames import PROBE_FRAMES
from metricloop.text import numbers


def opening(study: StudyView, number: int) -> list[Message]:
    """The system message and the user message of round `number`, with pictures if params.yaml allows them."""
    errors = baseline_errors(study)
    pictures = example_pictures(study, errors)
    return [
        Message("system", render("system", system_context(study))),
        Message("user", render("propose", proposal_context(study, number, errors, pictures)), tuple(pictures)),
    ]


def system_context(study: StudyView) -> dict[str, str]:
    """What fills the template of the system message."""
    limits, settings = study.params.sandbox, study.params.llm
    pool = f"{numbers.count(round(limits.pool_seconds))} s for the pool of {numbers.count(len(study.pool), 'image')}"
    return {
        "limits": f"{limits.frame_seconds:g} s for one image, {pool}, {numbers.count(limits.memory_mb)} MB of memory",
        "specimens": numbers.count(min(PROBE_FRAMES, len(study.pool))),
        "gate_rules": code_must(),
        "repairs": numbers.count(settings.repairs, "time"),
        "policies": policy_text(),
        "families": idea_families_text(),
    }


def proposal_context(
    study: StudyView, number: int, errors: Sequence[Errors], pictures: Sequence[Picture]
) -> dict[str, str]:
    """What fills the template of the question for ideas. errors: of the baseline; pictures: shown with the question."""
    settings, past = study.params.llm, past_ideas(study)
    tried = [idea.family for idea in past if idea.state != "refused"]
    untried = untried_families(tried)
    return {
        "round": str(number),
        "rounds": str(settings.rounds),
        "wanted": numbers.count(settings.suggestions, "suggestion"),
        "brief": read_brief(study.folder),
        "card": data_card(study.pool, study.params.study.budget),
        "errors": error_card(errors, study.search.class_names) if errors else "",
        "known": known_text(known_metrics(study.folder, study.plan), past),
        "results": results_text(study.comparison, study.plan),
        "ideas": "\n\n".join(idea_text(idea) for idea in past),
        "families": ", ".join(dict.fromkeys(tried)),
        "untried": ", ".join(untried),
        "must_open": str(must_open(settings.suggestions, len(untried))),
        "best": best_text(past),
        "pictures": "\n".join(f"{k}. {picture.title}" for k, picture in enumerate(pictures, start=1)),
    }


def example_pictures(study: StudyView, errors: Sequence[Errors]) -> list[Picture]:
    """Contact sheets of the pool and of the baseline's worst errors; none when llm.pictures is none."""
    detail = study.params.llm.pictures
    if detail == "none":
        return []
    file = study.folder / layout.PREDICTIONS
    sheets = pool_pictures(study.pool, detail, read_predictions(file) if file.is_file() else None)
    worst = error_picture(study.search, errors[0], detail) if errors else None
    return [*sheets, worst] if worst else sheets


def preview(folder: Path) -> str:
    """The messages that the next round would begin with, and what they would cost; nothing is sent."""
    params, journal = load_params(folder / layout.PARAMS), Journal(folder)
    number = next_round(journal.events)
    study = read_study(folder, params, plan_before(number, journal, folder), journal.events)
    messages = opening(study, number)
    return "\n\n".join([*(_message_text(message) for message in messages), _cost_text(messages, params)])


def _message_text(message: Message) -> str:
    pictures = [f"[picture: {picture.title}, {len(picture.jpeg) / 1000:.0f} kB]" for picture in message.pictures]
    return "\n".join([f"----- {message.role} -----", message.text, *pictures])


def _cost_text(messages: Sequence[Message], params: Params) -> str:
    settings, tokens = params.llm, estimate_tokens(messages)
    least = cost(settings.model, tokens, 0, settings.prices)
    most = cost(settings.model, tokens, settings.answer_tokens, settings.prices)
    money = "its price is not known" if least is None or most is None else f"${least:.4f} to ${most:.4f}"
    return (
        f"-----\nabout {tokens:,} tokens to {settings.model}, and at most {settings.answer_tokens:,} back: {money} for "
        f"the proposal. Up to {settings.repairs} repairs per suggestion and a reflection follow. Nothing was sent."
    )
