"""Answers of the model: what is accepted, and what is refused with a reason that it can use."""

from __future__ import annotations

import json

import pytest
from tiny_takehome import handed

from metricloop.takehome.answer import FILES_SCHEMA, AnswerError, fault_of, read_files, read_plan


def test_files_are_added_changed_and_removed():
    before = {"a.py": "x = 1\n", "b.py": "y = 2\n"}
    after = read_files(handed({"a.py": "x = 3", "b.py": None, "tests/test_a.py": ""}), before)
    assert after == {"a.py": "x = 3\n", "tests/test_a.py": "\n"}
    assert before == {"a.py": "x = 1\n", "b.py": "y = 2\n"}


def test_prose_around_the_json_is_ignored():
    assert read_files(f"Here you go:\n\n```json\n{handed({'a.py': 'x'})}\n```\nGood luck!", {}) == {"a.py": "x\n"}


PATHS = """
train.py news/model.py tests/conftest.py Dockerfile .dockerignore a/b/c/d.py requirements.txt pyproject.toml
features_2.py
"""


@pytest.mark.parametrize("path", PATHS.split())
def test_paths_of_an_application(path):
    assert fault_of(path) == ""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../train.py", "relative path"),
        ("/etc/passwd", "relative path"),
        ("a/../../b.py", "relative path"),
        ("./train.py", "relative path"),
        ("a//b.py", "relative path"),
        ("a\\b.py", "relative path"),
        (".git/config", "relative path"),
        ("a/.hidden.py", "relative path"),
        (".bashrc", "relative path"),
        ("a b.py", "relative path"),
        ("a\n.py", "relative path"),
        ("träin.py", "relative path"),
        ("a/b/c/d/e.py", "relative path"),
        ("data/train.csv", "made by the course"),
        ("model/model.json", "made by the course"),
        ("lib.so", "files end in"),
        ("train.pth", "files end in"),
        ("run.sh", "files end in"),
        ("train", "files end in"),
        ("sub/Dockerfile", "files end in"),
        ("json.py", "would hide an installed one"),
        ("sklearn/__init__.py", "would hide an installed one"),
        ("pytest.py", "would hide an installed one"),
        ("starlette/testclient.py", "would hide an installed one"),
        ("sitecustomize.py", "would hide an installed one"),
        ("usercustomize.py", "would hide an installed one"),
        ("metricloop_ask.py", "would hide an installed one"),
    ],
)
def test_paths_that_are_refused(path, said):
    assert said in fault_of(path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "empty"),
        ("I cannot do that.", "no whole JSON object"),
        ('{"files": []}', "files"),
        ('{"note": "done"}', "files"),
        ('{"files": [{"path": "a.py"}]}', "content"),
        ('{"files": [{"path": "a.py", "content": 5}]}', "content"),
        (json.dumps({"files": [{"path": "a.py", "content": "x"}] * 2}), "there twice"),
        (handed({"a.py": "x" * 50_000}), "40000 characters"),
        (handed({f"a{n}.py": "x" for n in range(41)}), "files"),
        (handed({f"a{n}.py": "x" * 30_000 for n in range(8)}), "200,000 characters in all"),
        (handed({"news/model.py": "x", "news.py": "x", "news/model.py/x.py": "x"}), "a file and a folder"),
        (handed({"Train.py": "x", "train.py": "y"}), "capitals"),
        ('{"files": [{"path": "a.py", "content": "\\ud800"}]}', "surrogate"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_used(answer, said):
    with pytest.raises(AnswerError, match=said):
        read_files(answer, {})


@pytest.mark.parametrize(
    ("answer", "plan"),
    [('{"plan": "First read."}', "First read."), ("First read.", "First read."), ('{"plan": "a\\u001b[2J"}', "a?[2J")],
)
def test_a_plan(answer, plan):
    assert read_plan(answer) == plan


@pytest.mark.parametrize("answer", ["", "  ", '{"plan": ""}', '{"plan": 5}', '{"files": []}'])
def test_no_plan(answer):
    with pytest.raises(AnswerError, match="plan"):
        read_plan(answer)


def test_the_schema_is_one_that_every_server_takes():
    """Every property required, no others allowed, only plain keywords."""

    def keywords(part):
        if isinstance(part, dict):
            for key, value in part.items():
                yield from (key,) if key != "properties" else ()
                yield from keywords(list(value.values()) if key == "properties" else value)
        elif isinstance(part, list):
            for item in part:
                yield from keywords(item)

    allowed = {"type", "properties", "required", "additionalProperties", "items", "description"}
    assert set(keywords(FILES_SCHEMA["schema"])) <= allowed
