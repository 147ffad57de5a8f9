"""The recording that ships with the demo: it answers today's prompts, and shows repair and building on ideas."""

import json

from round_fixture import drawn

from metricloop.engineer.code_gate import CodeGate
from metricloop.engineer.known_ideas import KnownIdeas
from metricloop.engineer.suggestion import read_suggestion, read_suggestions
from metricloop.llm.cassette import load_cassette
from metricloop.llm.conversation import template_of
from metricloop.llm.prompt import template_hash
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import MetricFile

CALLS = load_cassette("demo").calls


def test_every_answer_was_given_to_a_prompt_of_todays_templates():
    assert [call.template for call in CALLS] == [template_hash(template_of(call.key)) for call in CALLS]


def test_it_has_two_rounds_that_explore_a_repair_an_idea_with_a_parent_and_a_reflection_each():
    steps = [(call.round, call.step) for call in CALLS]
    for number in (1, 2):
        assert steps.count((number, "explore")) >= 1
        assert steps.count((number, "propose")) == steps.count((number, "reflect")) == 1
    assert any(step == "repair" for _, step in steps)
    asked = [question["kind"] for call in CALLS if call.step == "explore" for question in questions(call.answer)]
    assert set(asked) >= {"show", "analyse", "preview"}
    first, second = (proposal(number) for number in (1, 2))
    assert {idea.parent for idea in second} <= {idea.name for idea in first}
    assert any(idea.repair_code for idea in first)  # labels are mended, not only selected


def questions(answer):
    return json.loads(answer)["questions"]


def proposal(number):
    answer = next(call.answer for call in CALLS if (call.round, call.step) == (number, "propose"))
    ideas, faults = read_suggestions(json.loads(answer), 2)
    assert faults == []
    return ideas


def test_its_code_passes_the_gate(tmp_path, walls):
    """On other scenes than it was written for; one that was repaired there was too much like another metric."""
    gate = CodeGate(tmp_path, 1, KnownIdeas({}, {}), drawn(12), Limits(), {}, 60.0)
    mended = {call.suggestion: read_suggestion(json.loads(call.answer)) for call in CALLS if call.step == "repair"}
    for call in CALLS:
        if call.step == "propose":
            for idea in read_suggestions(json.loads(call.answer), 2)[0]:
                idea = mended.get(idea.name, idea)
                if idea.code is None:  # it uses a metric of an earlier idea
                    continue
                gate_result = gate.check(MetricFile(idea.code, f"{idea.metric}.py"), idea.metric)
                assert gate_result.broken == (), idea.name
