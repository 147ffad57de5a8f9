"""The section of the report about the language model: its tree of ideas with their results, and its scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metricloop.engineer.idea_tree import Node, tree
from metricloop.engineer.ideas import Event, Idea, compared, ideas
from metricloop.engineer.scorecard import scorecard
from metricloop.engineer.scorecard_table import table
from metricloop.report.policy_text import policy_text
from metricloop.text import numbers
from metricloop.text.clean import clean, printable

PROSE = 2000  # most characters of a hypothesis or a lesson
FOUND = 3000  # most characters of what a question found
REASON = 300  # most characters of a broken rule's message


def language_model_section(
    events: Sequence[Event], comparison: Mapping[str, Any], folder: Path, words: Mapping[str, str] = {}
) -> dict[str, Any] | None:
    """The values for the template, with cleaned texts and formatted numbers; None when the model has no idea yet.

    words: arm -> its policy as a sentence, where the page has a section about the arm.
    """
    found = compared(ideas(events), comparison)
    if not found:
        return None
    arms = {arm["name"] for arm in comparison["arms"] if arm["role"] == "treatment"}
    asked = explored(events)
    known = {question["id"] for one in asked for question in one["questions"]}
    card = scorecard(events, comparison, folder)
    return {
        "who": clean(", ".join(card.models)),
        "recorded": ", ".join(card.recorded),
        "explored": asked,
        "nodes": [_node(node, arms, comparison["budget"], words, known) for node in tree(found)],
        "edited": card.edited,
        "rows": table({"": card}),
    }


def explored(events: Sequence[Event]) -> list[dict[str, Any]]:
    """What the model asked before it proposed, call by call: its notes, and each question with what was found."""
    return [
        {
            "round": event["round"],
            "notes": clean(event["notes"], PROSE),
            "questions": [
                {"id": clean(one["id"], 20), "kind": clean(one["kind"], 20), "why": clean(one["why"], REASON),
                 "said": printable(one["said"].replace("\u00a0", " "))[:FOUND],
                 "pictures": [clean(title) for title in one["pictures"]]}
                for one in event["questions"]
            ],
        }
        for event in events
        if event["event"] == "explored" and (event["questions"] or event["notes"])
    ]  # fmt: skip


def _node(node: Node, arms: set[str], budget: float, words: Mapping[str, str], known: set[str]) -> dict[str, Any]:
    idea = node.idea
    return {
        "id": f"idea-{idea.round}-{idea.name}",
        "name": clean(idea.name, 60),
        "arm": idea.name if idea.ran and idea.name in arms else None,
        "verdict": idea.verdict if idea.state == "measured" else None,
        "word": {"accepted": "not measured yet", "screened": "stopped early"}.get(idea.state, idea.state),
        "gain": numbers.gain(idea.gain["abs"], idea.gain["rel"], "mAP") if idea.gain else None,
        "predicted": numbers.signed(idea.predicted_gain),
        "about": _about(idea),
        "words": clean(words.get(idea.name) or _words(idea, budget), 600),
        "hypothesis": clean(idea.hypothesis, PROSE),
        "adapts": clean(idea.adapts, PROSE),
        "rests_on": [name for name in idea.rests_on if name in known],
        "happened": _happened(idea),
        "failures": [
            {"when": f"repair {attempt.number}" if attempt.number else "as proposed", "rule": clean(rule, 60),
             "message": clean(message, REASON)}
            for attempt in idea.failures for rule, message in attempt.broken
        ],
        "lesson": clean(idea.lesson, PROSE) if idea.lesson else None,
        "learnt": idea.lesson_date,
        "children": [_node(child, arms, budget, words, known) for child in node.children],
    }  # fmt: skip


def _about(idea: Idea) -> str:
    facts = {
        "builds on": idea.parent,
        "metric": idea.metric,
        "repair": f"{idea.repair}, its own code" if idea.has_repair_code else idea.repair,
        "family": idea.family,
        "targets": "" if idea.targets == "none" else idea.targets.replace("_", " "),
    }
    known = [f"{name} {clean(value, 200)}" for name, value in facts.items() if value]
    return "; ".join([f"Round {idea.round}", *known])


def _words(idea: Idea, budget: float) -> str:
    names = {"metric": idea.metric, "partner": idea.partner or ""}
    return policy_text(idea.policy, budget, **names) if idea.policy else ""


def _happened(idea: Idea) -> str:
    """How far the idea got, in one sentence; the page lists the broken rules below it."""
    repairs, why = numbers.count(idea.repairs, "repair"), clean(idea.reason or "", REASON)
    if idea.state == "proposed":
        return "Nothing is decided yet."
    if idea.state == "refused":
        tries = f" after {repairs}" if idea.repairs else ""
        listed = "; ".join(f"{rule}: {message}" for rule, message in idea.failures[-1].broken) if idea.failures else ""
        return f"Refused{tries}." if idea.reason == listed else f"Refused{tries}: {why}."
    ran = "Ran the first time" if idea.first_time else f"Ran after {repairs}"
    if idea.state == "screened":
        return f"{ran}; {why}."
    return f"{ran}; not trained, because {why}." if idea.state == "dropped" else f"{ran}."
