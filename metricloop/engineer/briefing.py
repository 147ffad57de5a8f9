"""The messages that a round begins with: the rules, the data, the errors, the results and the model's earlier ideas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metricloop import layout
from metricloop.engineer.brief import read_brief
from metricloop.engineer.data_card import data_card
from metricloop.engineer.desk import Desk
from metricloop.engineer.error_card import error_card
from metricloop.engineer.ideas import Idea
from metricloop.engineer.known_ideas import must_open, untried_families
from metricloop.engineer.lessons import read_lessons
from metricloop.engineer.policy_menu import policy_text
from metricloop.engineer.prediction_card import prediction_card
from metricloop.engineer.progress import next_round, plan_before
from metricloop.engineer.prompt_text import (
    best_text,
    catalogue_repairs_text,
    idea_text,
    known_text,
    results_text,
    short_text,
)
from metricloop.engineer.study_facts import facts
from metricloop.engineer.study_view import (
    StudyView,
    baseline_arms,
    class_ap_of,
    known_metrics,
    offered,
    past_ideas,
    read_study,
)
from metricloop.evaluation.error_types import Errors
from metricloop.figures.example_pictures import error_picture, pool_pictures
from metricloop.llm.journal import Event, Journal
from metricloop.llm.message import Message, Picture
from metricloop.llm.prices import cost
from metricloop.llm.prompt import render
from metricloop.llm.wire import estimate_tokens
from metricloop.mending.gate_rules import repair_must
from metricloop.metrics.families import idea_families_text
from metricloop.params import Params, load_params
from metricloop.scoring.gate_rules import code_must
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.probe_frames import PROBE_FRAMES
from metricloop.text import numbers
from metricloop.text.clean import clean

NOTE = 1500  # characters of the model's notes of one call


def opening(study: StudyView, number: int) -> list[Message]:
    """The messages that ask for the ideas of round `number` when the model asks no questions first."""
    system, text, pictures = opening_text(Desk(study, number))
    return [Message("system", system), proposal(study, Message("user", text, pictures))]


def opening_text(desk: Desk) -> tuple[str, str, tuple[Picture, ...]]:
    """The beginning of a round: system message, user message with data and results, and its pictures.

    Pictures that an earlier round has sent are left out.
    """
    study = desk.study
    pictures = example_pictures(study, desk.errors)
    new, earlier = unseen(pictures, study.events, desk.number)
    look = render("look", look_context(desk, new, earlier))
    return render("system", system_context(study)), look, tuple(new)


def proposal(study: StudyView, before: Message) -> Message:
    """The message that asks for ideas. before: the message that it continues, the opening or the last answers."""
    context = proposal_context(study) | {"before": before.text}
    return Message("user", render("propose", context), before.pictures)


def unseen(
    pictures: Sequence[Picture], events: Sequence[Event], number: int
) -> tuple[list[Picture], list[tuple[str, int]]]:
    """The pictures that no earlier round has sent, and (title, round) of the others, whose bytes one has sent."""
    sent = {
        picture["sha256"]: event["round"]
        for event in reversed(events)
        if event["event"] == "asked" and event["round"] < number
        for message in event["messages"]
        for picture in message["pictures"]
    }
    new = [picture for picture in pictures if picture.sha256 not in sent]
    return new, [(picture.title, sent[picture.sha256]) for picture in pictures if picture.sha256 in sent]


def system_context(study: StudyView) -> dict[str, str]:
    """What fills the template of the system message."""
    limits, settings = study.params.sandbox, study.params.llm
    pool = f"{numbers.count(round(limits.pool_seconds))} s for the pool of {numbers.count(len(study.pool), 'image')}"
    return {
        "limits": f"{limits.frame_seconds:g} s for one image, {pool}, {numbers.count(limits.memory_mb)} MB of memory",
        "specimens": numbers.count(min(PROBE_FRAMES, len(study.pool))),
        "gate_rules": code_must(),
        "repair_rules": repair_must(),
        "repairs_known": catalogue_repairs_text(),
        "repairs": numbers.count(settings.repairs, "time"),
        "policies": policy_text(offered(study)),
        "floor": f"{study.params.evaluate.score_threshold:g}",
        "most": numbers.count(study.params.evaluate.max_detections),
        "families": idea_families_text(),
    }


def look_context(desk: Desk, pictures: Sequence[Picture], earlier: Sequence[tuple[str, int]] = ()) -> dict[str, str]:
    """The values for the template look.j2, with the data and the results.

    pictures: sent with it; earlier: (title, round) of the pictures that an earlier round has sent.
    """
    study, errors = desk.study, desk.errors
    settings, past = study.params.llm, past_ideas(study)
    shown = [f"{k}. {picture.title}" for k, picture in enumerate(pictures, start=1)]
    shown += [f"- {title} (shown in round {round_}; see your notes)" for title, round_ in earlier]
    return {
        "round": str(desk.number),
        "rounds": str(settings.rounds),
        "wanted": numbers.count(settings.suggestions, "suggestion"),
        "brief": read_brief(study.folder),
        "lessons": read_lessons(study.folder, settings.lessons),
        "card": _cards(desk),
        "errors": _baseline_card(study, errors),
        "known": known_text(known_metrics(study.folder, study.plan), past),
        "results": results_text(study.comparison, study.plan),
        "ideas": "\n\n".join(idea_text(idea) for idea in past),
        "short": short_text(past, study.params.screen.share),
        "families": ", ".join(tried_families(past)),
        "notes": notes_text(study.events, desk.number),
        "pictures": "\n".join(shown),
        **facts(desk, past),
    }


def _cards(desk: Desk) -> str:
    """The pool's labels, and its predictions if there are some."""
    study = desk.study
    cards = data_card(study.pool, study.params.study.budget), prediction_card(study.pool, desk.predictions)
    return "\n\n".join(filter(None, cards))


def _baseline_card(study: StudyView, errors: Sequence[Errors]) -> str:
    if not errors:
        return ""
    return error_card(errors, study.search.class_names, class_ap_of(study, baseline_arms(study)))


def proposal_context(study: StudyView) -> dict[str, str]:
    """The values for the template propose.j2, except `before`, the text that comes before the question for ideas."""
    past, wanted = past_ideas(study), study.params.llm.suggestions
    tried = tried_families(past)
    untried = untried_families(tried)
    return {
        "wanted": numbers.count(wanted, "suggestion"),
        "ideas": "yes" if past else "",
        "families": ", ".join(tried),
        "untried": ", ".join(untried),
        "variants": str(study.params.llm.variants),
        "must_open": str(must_open(wanted, len(untried))),
        "best": best_text(past),
    }


def tried_families(past: Sequence[Idea]) -> list[str]:
    """The families of earlier ideas that were not refused, each once, the oldest first."""
    return list(dict.fromkeys(idea.family for idea in past if idea.state != "refused"))


def notes_text(events: Sequence[Event], number: int) -> str:
    """The notes that the model wrote in rounds before `number`, one line for each call."""
    notes = [(e["round"], e["notes"]) for e in events if e["event"] in ("explored", "noted") and e["round"] < number]
    return "\n".join(f"- Round {round_}: {clean(said, NOTE)}" for round_, said in notes if said)


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
    asks = f"Before it, up to {numbers.count(settings.explore, 'call')} of questions. " if settings.explore else ""
    return (
        f"-----\nabout {tokens:,} tokens to {settings.model}, and at most {settings.answer_tokens:,} back: {money} for "
        f"the proposal. {asks}Up to {settings.repairs} repairs per suggestion and a reflection follow. "
        "Nothing was sent."
    )
