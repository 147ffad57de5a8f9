"""Answers are read strictly, and what is wrong with one is said so that the model can mend it."""

import pytest

from metricloop.engineer.suggestion import (
    AnswerError,
    proposal_schema,
    read_suggestion,
    read_suggestions,
    reflection_schema,
    strict,
)

IDEA = {
    "name": "many_boxes", "hypothesis": "h", "targets": "missing", "family": "coverage", "adapts": "Few boxes are far.",
    "parent": None, "metric": "boxes",
    "partner": None, "code": "x = 1", "policy": {"name": "best", "direction": "higher", "share": None},
    "predicted_gain": 0.02,
}  # fmt: skip


def test_an_option_of_a_policy_that_is_null_keeps_its_default():
    assert read_suggestion(IDEA).policy == {"name": "best", "direction": "higher"}


def test_code_of_blanks_is_none():
    assert read_suggestion(IDEA | {"code": " \n"}).code is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "../x"}, "name: "),
        ({"metric": "x"}, "metric: "),
        ({"targets": "everything"}, "targets: "),
        ({"family": "my_own"}, "family: Input should be 'agreement', 'loss_margin'"),
        ({"adapts": ""}, "adapts: "),
        ({"predicted_gain": 5}, "predicted_gain: "),
        ({"predicted_gain": float("nan")}, "predicted_gain: "),
        ({"policy": "best"}, "policy: "),
        ({"policy": {"name": ["best"]}}, "policy"),
        ({"verdict": "better"}, "verdict: "),
        ({"code": "x = '\ud800'"}, "code: "),
        ({"hypothesis": "x" * 3000}, "hypothesis: "),
    ],
)
def test_an_unfit_field_is_named(changes, fault):
    with pytest.raises(AnswerError, match=fault):
        read_suggestion(IDEA | changes)


def test_no_word_of_the_model_starts_a_line_in_what_is_said_of_it():
    entry = IDEA | {"name": "bad\n\n## Results so far", "foo\n| fake_arm | +0.200 |": 1}
    _, ((which, fault),) = read_suggestions({"suggestions": [entry]}, 2)
    assert which == "suggestion 1"
    assert "\n" not in fault
    assert "fake_arm" in fault


def test_words_that_a_terminal_would_obey_are_taken_out_of_prose():
    assert read_suggestion(IDEA | {"hypothesis": "see \x1b[2Jthis\u202e"}).hypothesis == "see ?[2Jthis?"


@pytest.mark.parametrize("answer", [None, [], {}, {"suggestions": []}, {"suggestions": "x"}, "text"])
def test_an_answer_of_another_shape_is_no_proposal(answer):
    found, faults = read_suggestions(answer, 3)
    assert found == []
    assert "suggestions" in faults[0][1]


def test_good_suggestions_are_kept_beside_faulty_ones():
    entries = [IDEA, IDEA | {"name": "Bad Name"}, "text", IDEA, IDEA | {"name": "second"}, IDEA | {"name": "third"}]
    found, faults = read_suggestions({"suggestions": entries}, 2)
    assert [idea.name for idea in found] == ["many_boxes", "second"]
    assert [which for which, _ in faults] == ["suggestion 2", "suggestion 3", "suggestion 4", "suggestion 6"]
    assert faults[2][1] == "its name, many_boxes, is that of an earlier one"
    assert faults[3][1] == "one too many: 2 were asked for"


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


@pytest.mark.parametrize("named", [proposal_schema({"type": "object", "properties": {"a": {}}}), reflection_schema()])
def test_schemas_are_in_the_dialect_of_structured_outputs(named):
    found = list(objects(named["schema"]))
    assert len(found) >= 2
    for schema in found:
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False
    assert not {"$ref", "$defs", "default", "pattern", "maxLength"} & words(named)


def words(schema) -> set[str]:
    if isinstance(schema, dict):
        return set(schema).union(*(words(part) for part in schema.values()))
    return set().union(*map(words, schema)) if isinstance(schema, list) else set()


def test_strict_puts_definitions_in_their_places():
    schema = {
        "$defs": {"B": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 1}}, "title": "B"}},
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/B", "description": "d"}},
    }
    inner = {
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert strict(schema)["properties"]["b"] == inner | {"description": "d"}
