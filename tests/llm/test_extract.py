"""The JSON value in an answer: what is taken, what is refused, and that no answer makes it crawl."""

import time

import pytest

from metricloop.llm.extract import json_in

CODE = '{"code": "def f():\\n    \\"\\"\\"```json\\n{}\\n```\\"\\"\\"\\n    return {}"}'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\n [1, {"a": null}] \n', [1, {"a": None}]),
        ('Sure!\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ('```\n{"a": 1}\n```', {"a": 1}),
        ('First\n```json\n{"a": 1}\n```\nno, rather\n```json\n{"a": 2}\n```', {"a": 2}),  # the last word counts
        ('```json\n{"a": 1}\n```\n```python\nx = {}\n```', {"a": 1}),  # the last block that is JSON
        ('  ```json\n  {"a": 1}\n  ```', {"a": 1}),
        ('It is {"a": {"b": "}"}} and {"c": 2}.', {"a": {"b": "}"}}),
        ('Set {x} to {}, so {"a": 1}', {"a": 1}),
        ('A brace { and then {"a": 1}', {"a": 1}),
        ('```json {"a": 1} ```', {"a": 1}),
        ("<think>maybe {\"a\": 1}?</think>\n{\"a\": 2}", {"a": 2}),
        (CODE, {"code": 'def f():\n    """```json\n{}\n```"""\n    return {}'}),
        (f"```json\n{CODE}\n```", {"code": 'def f():\n    """```json\n{}\n```"""\n    return {}'}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ],
)  # fmt: skip
def test_the_value_that_is_taken(text, value):
    assert json_in(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I cannot do that.", "no whole JSON object"),
        ('{"suggestions": [{"name": "a"}, {"na', "no whole JSON object"),  # cut off: none of its parts either
        ('{"suggestions": [{"name": "a"}, ', "no whole JSON object"),
        ('{"suggestions": [{"name": "a"}, oops', "no whole JSON object"),
        ('{"code": "x = {} ', "no whole JSON object"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('So: {"a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a": 1e999}', "1e999 is not a JSON number"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
        ("[" * 60 + "]" * 60, "nested deeper than 50"),
        ("[" * 100_000, "nested deeper than 50"),
        ('x {"a":' + "[" * 100_000, "nested deeper than 50"),
        ('"' + "x" * 1_000_000 + '"', "longer than 1,000,000"),
    ],
)
def test_an_answer_that_holds_no_value(text, said):
    with pytest.raises(ValueError, match=said):
        json_in(text)


@pytest.mark.parametrize(
    "pattern", ["{", '{"', '{"a":', "```json\n", "```\n{\n", '{"a":1,', "{{}}", '"{', "{\\", "[{", '{"a":"{']
)
def test_time_grows_with_the_length_alone(pattern):
    text = (pattern * 1_000_000)[:1_000_000]
    began = time.monotonic()
    with pytest.raises(ValueError):
        json_in("x" + text[1:] + "x")
    assert time.monotonic() - began < 5  # it takes a fraction of a second
