"""Where keys come from, where they may go, and that no message holds one."""

import io
import subprocess
import sys

import pytest

from llm.key import NoKeyError, api_key, hand_over, read_keys, take_keys, variable_for

OPENAI = "https://api.openai.com/v1"
OWN, THEIRS = "key-for-any-server", "sk-for-openai-alone"


@pytest.mark.parametrize(
    ("base_url", "keys", "key"),
    [
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, THEIRS),
        (OPENAI, {"OPENAI_API_KEY": THEIRS, "METRICLOOP_API_KEY": OWN}, OWN),
        (OPENAI, {"OPENAI_API_KEY": f" {THEIRS}\n"}, THEIRS),  # as `export KEY=$(cat file)` in some shells
        ("https://API.OpenAI.com/v1", {"OPENAI_API_KEY": THEIRS}, THEIRS),
        ("http://localhost:11434/v1", {}, None),
        ("http://localhost:11434/v1", {"METRICLOOP_API_KEY": OWN}, OWN),
        ("http://localhost:11434/v1", {"METRICLOOP_API_KEY": " "}, None),
        # OpenAI's key goes nowhere else, whatever a workspace's base_url is made to look like
        ("https://models.example/v1", {"OPENAI_API_KEY": THEIRS}, None),
        ("https://api.openai.com.example/v1", {"OPENAI_API_KEY": THEIRS}, None),
        ("https://example/api.openai.com", {"OPENAI_API_KEY": THEIRS}, None),
        ("https://api.openai.com@example/v1", {"OPENAI_API_KEY": THEIRS}, None),
        ("https://xapi.openai.com/v1", {"OPENAI_API_KEY": THEIRS}, None),
        (r"https://example\.api.openai.com/v1", {"OPENAI_API_KEY": THEIRS}, None),
    ],
)
def test_each_key_goes_to_the_servers_it_is_for(base_url, keys, key):
    assert api_key(base_url, keys) == key


def test_the_environment_is_asked_unless_keys_are_given(monkeypatch):
    monkeypatch.setenv("METRICLOOP_API_KEY", OWN)
    assert api_key("http://localhost:11434/v1") == OWN
    assert api_key("http://localhost:11434/v1", {}) is None


@pytest.mark.parametrize(
    ("base_url", "keys", "said"),
    [
        (OPENAI, {}, r"none is set; give yours with: export OPENAI_API_KEY=\.\.\."),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": THEIRS}, "plain http; write https://api.openai.com/v1"),
        (OPENAI, {"OPENAI_API_KEY": "sk-two\nlines"}, "OPENAI_API_KEY holds blanks, line breaks"),
        (OPENAI, {"METRICLOOP_API_KEY": "sk-ключ"}, "METRICLOOP_API_KEY holds blanks, line breaks or letters"),
    ],
)
def test_a_key_that_is_missing_or_cannot_be_used(base_url, keys, said):
    with pytest.raises(NoKeyError, match=said) as caught:
        api_key(base_url, keys)
    assert "sk-" not in str(caught.value)


def test_the_variable_a_user_is_told_to_set():
    assert variable_for(OPENAI) == "OPENAI_API_KEY"
    assert variable_for("https://models.example/v1") == "METRICLOOP_API_KEY"


def test_keys_that_are_taken_are_inherited_by_no_process(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", THEIRS)
    monkeypatch.setenv("METRICLOOP_API_KEY", "")
    assert take_keys() == {"OPENAI_API_KEY": THEIRS}
    child = [sys.executable, "-c", "import os; print(*os.environ)"]
    inherited = subprocess.run(child, capture_output=True, text=True, check=True).stdout.split()
    assert "PATH" in inherited
    assert not {"OPENAI_API_KEY", "METRICLOOP_API_KEY"} & set(inherited)
    assert take_keys() == {}


def test_keys_are_handed_to_one_process_in_a_line_of_its_input():
    keys = {"OPENAI_API_KEY": THEIRS, "METRICLOOP_API_KEY": OWN}
    line = hand_over(keys)
    assert line.count("\n") == 1
    assert read_keys(io.StringIO(line + "more")) == keys
    assert read_keys(io.StringIO(hand_over({}))) == {}
    assert read_keys(io.StringIO("")) == {}
    assert read_keys(io.StringIO('{"PATH": "/bin", "OPENAI_API_KEY": "k"}\n')) == {"OPENAI_API_KEY": "k"}


def test_nobody_is_asked_for_keys_at_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def readline(self, *_):
            raise AssertionError("would wait for somebody to type")

    assert read_keys(Terminal()) == {}


@pytest.mark.parametrize("line", ["sk-secret\n", '["sk-secret"]\n', '{"OPENAI_API_KEY": 5}\n', "[" * 15_000])
def test_a_line_that_hands_over_something_else(line):
    with pytest.raises(NoKeyError, match="first line of standard input") as caught:
        read_keys(io.StringIO(line))
    assert "sk-secret" not in str(caught.value)
