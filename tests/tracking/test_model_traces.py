"""Traces of the language model's calls in a real MLflow database: prompts by hash, tokens, cost, and assessments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from journal_fixture import journal, round_one, write_journal
from study_fixture import make_study

from metricloop.engineer.ideas import ideas
from metricloop.llm.prompt import STUDY, known_templates, template_hash
from metricloop.tracking.assessments import assessed
from metricloop.tracking.language_model_calls import calls
from metricloop.tracking.traces import span_attributes
from metricloop.tracking.track import track
from metricloop.tracking.write_run import client_of, database_uri

PROPOSE = template_hash("propose")


def with_details(events: list[dict]) -> list[dict]:
    """The events as a server of today gives them: prompts of this version, cached tokens and reasoning tokens."""
    for one in events:
        if one["event"] == "asked" and one["step"] == "propose":
            one["template"] = PROPOSE
        if one["event"] == "answered" and one["step"] == "propose":
            one |= {"cached_tokens": 1500, "reasoning_tokens": 700, "api": "responses", "effort": "low", "tier": "flex"}
    return events


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory):
    """The client and the traces by name, of a study that was tracked twice."""
    folder = write_journal(make_study(tmp_path_factory.mktemp("traces")), with_details(journal()))
    track(folder)
    track(folder)
    client = client_of(database_uri(folder))
    experiment = client.search_experiments()[0].experiment_id
    traces = client.search_traces(locations=[experiment])
    return client, {trace.info.tags["mlflow.traceName"]: trace for trace in traces}


def test_every_template_is_known_by_its_hash():
    template = known_templates()[PROPOSE]
    assert template.name == "propose"
    (system, told), (user, text) = template.messages
    assert (system, user) == ("system", "user")
    assert told.startswith(STUDY[0].read_text()[:60])
    assert text == (STUDY[0].parent / "propose.j2").read_text()


def test_a_prompt_is_registered_once_by_its_hash_and_linked_to_its_traces(shown):
    client, traces = shown
    found = client.get_prompt_version_by_alias("metricloop-propose", f"template-{PROPOSE}")
    assert found.tags["template"] == PROPOSE
    assert [message["role"] for message in found.template] == ["system", "user"]
    assert [prompt.name for prompt in client.search_prompts()] == ["metricloop-propose"]
    assert int(found.version) == 1
    for number in (1, 2):
        linked = traces[f"round {number}: propose"].info.tags["mlflow.linkedPrompts"]
        assert json.loads(linked) == [{"name": "metricloop-propose", "version": "1"}]
    assert "mlflow.linkedPrompts" not in traces["round 1: repair tightness (1)"].info.tags  # of an unknown version
    assert not client.search_registered_models()  # a prompt is no detector


def test_cached_and_reasoning_tokens_are_on_the_trace(shown):
    _, traces = shown
    trace = traces["round 1: propose"]
    assert trace.info.token_usage == {
        "input_tokens": 2000, "output_tokens": 1000, "total_tokens": 3000, "cache_read_input_tokens": 1500,
    }  # fmt: skip
    assert trace.info.tags["reasoning_tokens"] == "700"
    (span,) = trace.data.spans
    names = ("reasoning tokens", "cached tokens", "api", "reasoning effort", "tier")
    assert [span.attributes[name] for name in names] == [700, 1500, "responses", "low", "flex"]


def test_every_suggestion_is_assessed_on_the_call_that_made_it(shown):
    _, traces = shown
    found = traces["round 1: propose"].info.assessments
    by_name = {(one.name, one.metadata["suggestion"]): one.feedback.value for one in found}
    gains = {name: value for (kind, name), value in by_name.items() if kind == "gain"}
    assert {key: value for key, value in by_name.items() if key[0] != "gain"} == {
        ("passed", "object_count"): True, ("passed", "tightness"): True, ("passed", "edges"): False,
        ("repaired", "object_count"): 0, ("repaired", "tightness"): 1, ("repaired", "edges"): 2,
    }  # fmt: skip
    assert set(gains) == {"object_count", "tightness"}  # edges never ran
    assert {one.source.source_type for one in found} == {"CODE"}
    (repair,) = traces["round 1: repair tightness (1)"].info.assessments
    assert (repair.name, repair.feedback.value, repair.metadata["suggestion"]) == ("passed", True, "tightness")


def test_gains_are_those_of_the_journal_without_a_comparison():
    made = assessed(calls(round_one()), ideas(round_one()))
    gains = {one.suggestion: one.value for call in made for one in call.assessments if one.name == "gain"}
    assert gains == {"object_count": 0.07, "tightness": 0.011}
    last = {call.key: [one.value for one in call.assessments] for call in made if call.key[1] == "repair"}
    assert last[1, "repair", "edges", 1] == [False]
    assert not [call for call in made if call.answer is None and call.assessments]


def test_no_attribute_is_there_for_what_nobody_knows():
    attributes = span_attributes(calls(round_one())[0])
    assert not {"api", "reasoning effort", "tier"} & attributes.keys()


def test_what_is_there_already_is_not_written_again(tmp_path: Path):
    folder = write_journal(make_study(tmp_path), with_details(journal()))
    track(folder)
    assert track(folder).made == 0
