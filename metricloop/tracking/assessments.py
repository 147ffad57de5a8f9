"""What became of the suggestions of a call, for MLflow's assessments of its trace: passed, repaired and gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metricloop.engineer.idea_tree import outcome_line
from metricloop.engineer.ideas import Idea
from metricloop.text.clean import clean
from metricloop.tracking.records import Assessment, ModelCall


def assessed(made: Sequence[ModelCall], found: Sequence[Idea]) -> list[ModelCall]:
    """The calls with the assessments of their suggestions. found: the ideas, with their present gains.

    The last proposal of a round gets those of all its ideas; a repair gets whether its idea then passed the gate.
    """
    proposals = {call.key[0]: call for call in made if call.key[1] == "propose" and call.answer is not None}
    return [replace(call, assessments=tuple(_about(call, proposals.get(call.key[0]), found))) for call in made]


def _about(call: ModelCall, proposal: ModelCall | None, found: Sequence[Idea]) -> list[Assessment]:
    number, step, suggestion, attempt = call.key
    ideas = [idea for idea in found if idea.round == number and idea.state != "proposed"]
    if call is proposal:
        return [one for idea in ideas for one in _of(idea)]
    if step != "repair" or call.answer is None:
        return []
    tries = [(idea, one) for idea in ideas if idea.name == suggestion for one in idea.attempts if one.number == attempt]
    return [
        Assessment("passed", clean(idea.name, 80), not one.broken, clean("; ".join(": ".join(b) for b in one.broken)))
        for idea, one in tries
    ]


def _of(idea: Idea) -> list[Assessment]:
    name, why = clean(idea.name, 80), clean(outcome_line(idea))
    gain = [Assessment("gain", name, idea.measured_gain, why)] if idea.measured_gain is not None else []
    return [Assessment("passed", name, idea.ran, why), Assessment("repaired", name, idea.repairs, why), *gain]
