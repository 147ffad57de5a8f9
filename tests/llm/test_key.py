"""Where keys come from, where they may go, and that no message holds one."""

import io
import os
import subprocess
import sys

import pytest

from metricloop.llm.key import NoKeyError, api_key, hand_over, how_to_give, read_keys, take_keys

OPENAI = "https://api.openai.com/v1"
OTHER = "https://models.example/v1"
OWN, THEIRS = "key-for-any-server", "sk-for-openai-alone"


@pytest.mark.parametrize(
    ("base_url", "keys", "key"),
    [
        (OPENAI, {"OPENAI_API_KEY": THEIRS}, THEIRS),
        (OPENAI, {"OPENAI_API_KEY": THEIRS, "METRICLOOP_API_KEY": OWN}, THEIRS),
        (OPENAI, {"OPENAI_API_KEY": THEIRS, "METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "api.openai.com"}, OWN),
        (OPENAI, {"OPENAI_API_KEY": f" {THEIRS}\n"}, THEIRS),  # as `export KEY=$(cat file)` in some shells
        ("https://API.OpenAI.com/v1", {"OPENAI_API_KEY": THEIRS}, THEIRS),
        ("http://localhost:11434/v1", {}, None),
        ("http://localhost:11434/v1", {"METRICLOOP_API_KEY": OWN}, OWN),
        ("http://localhost:11434/v1", {"METRICLOOP_API_KEY": " "}, None),
        ("http://127.3.2.1:8000/v1", {"METRICLOOP_API_KEY": OWN}, OWN),
        ("http://[::1]:8000/v1", {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "models.example"}, OWN),
        (OTHER, {}, None),
        ("http://models.example/v1", {}, None),
        (OTHER, {"METRICLOOP_API_HOST": "other.example"}, None),
        (OTHER, {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "models.example"}, OWN),
        (OTHER, {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": " Models.Example:443 "}, OWN),
        ("https://models.example:8443/v1", {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "models.example"}, OWN),
        ("https://models.example:8443", {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "models.example:8443"}, OWN),
        ("https://[2001:db8::1]/v1", {"METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "[2001:db8::1]"}, OWN),
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


OWN_ALONE = {"METRICLOOP_API_KEY": OWN}


@pytest.mark.parametrize(
    ("base_url", "keys", "said"),
    [
        (OTHER, OWN_ALONE, "METRICLOOP_API_HOST is not set; export METRICLOOP_API_HOST=models.example if you"),
        (OTHER, OWN_ALONE | {"METRICLOOP_API_HOST": "good.example"}, "names good.example; export METRICLOOP_API_HOST="),
        (OTHER, OWN_ALONE | {"METRICLOOP_API_HOST": "models.example:8443"}, "METRICLOOP_API_HOST=models.example if"),
        (OTHER, OWN_ALONE | {"METRICLOOP_API_HOST": "example"}, "METRICLOOP_API_HOST=models.example if"),
        (
            "https://models.example:99/",
            OWN_ALONE | {"METRICLOOP_API_HOST": "models.example:443"},
            "=models.example:99 if",
        ),
        (OPENAI, OWN_ALONE, "export METRICLOOP_API_HOST=api.openai.com if you mean that server"),
        # names that only look like this machine, or like the server that is meant
        ("https://localhost.example/v1", OWN_ALONE, "=localhost.example if"),
        ("https://127.0.0.1.example/v1", OWN_ALONE, "=127.0.0.1.example if"),
        ("https://localhost@models.example/v1", OWN_ALONE, "=models.example if"),
        ("https://x.models.example/v1", OWN_ALONE | {"METRICLOOP_API_HOST": "models.example"}, "=x.models.example if"),
        # what a user may paste into a shell and read in a terminal
        ("https://x;id>y/v1", OWN_ALONE, "export METRICLOOP_API_HOST='x;id>y' if"),
        ("https://x\x1b2Jy/v1", OWN_ALONE, "not sent to https://x?2Jy/v1 (llm.base_url)"),
        # nothing travels where others read along
        (
            "http://models.example/v1",
            OWN_ALONE | {"METRICLOOP_API_HOST": "models.example"},
            "write https://models.exam",
        ),
        ("http://api.openai.com/v1", OWN_ALONE | {"METRICLOOP_API_HOST": "api.openai.com"}, "over plain http"),
        ("https://models.example:99999/v1", {}, "that names no server; write https://HOST/v1"),
        ("https://[x/v1", OWN_ALONE, "that names no server"),
        ("https:///v1", OWN_ALONE, "that names no server"),
    ],
)
def test_a_key_goes_to_no_server_that_its_user_did_not_name(base_url, keys, said):
    with pytest.raises(NoKeyError) as caught:
        api_key(base_url, keys)
    assert said in str(caught.value)
    assert OWN not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "keys", "said"),
    [
        (OPENAI, {}, r"none is set; give yours with: export OPENAI_API_KEY=\.\.\."),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": THEIRS}, "plain http; write https://api.openai.com/v1"),
        (OPENAI, {"OPENAI_API_KEY": "sk-two\nlines"}, "OPENAI_API_KEY contains blanks, line breaks"),
        (OPENAI, {"METRICLOOP_API_KEY": "sk-ключ"}, "METRICLOOP_API_KEY contains blanks, line breaks or characters"),
    ],
)
def test_a_key_that_is_missing_or_cannot_be_used(base_url, keys, said):
    with pytest.raises(NoKeyError, match=said) as caught:
        api_key(base_url, keys)
    assert "sk-" not in str(caught.value)


def test_what_a_user_is_told_to_set():
    assert how_to_give(OPENAI).startswith("give yours with: export OPENAI_API_KEY=... (METRICLOOP_API_KEY goes before")
    assert how_to_give(OTHER) == "give yours with: export METRICLOOP_API_KEY=... METRICLOOP_API_HOST=models.example"
    assert how_to_give("http://[::1]:80/v1") == "give yours with: export METRICLOOP_API_KEY=..."


def test_keys_that_are_taken_are_inherited_by_no_process(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", THEIRS)
    monkeypatch.setenv("METRICLOOP_API_KEY", "")
    assert take_keys() == {"OPENAI_API_KEY": THEIRS}
    child = [sys.executable, "-c", "import os; print(*os.environ)"]
    inherited = subprocess.run(child, capture_output=True, text=True, check=True).stdout.split()
    assert "PATH" in inherited
    assert not {"OPENAI_API_KEY", "METRICLOOP_API_KEY"} & set(inherited)
    assert take_keys() == {}
    monkeypatch.setenv("METRICLOOP_API_HOST", "models.example")
    assert take_keys() == {"METRICLOOP_API_HOST": "models.example"}
    assert "METRICLOOP_API_HOST" not in os.environ


def test_keys_are_handed_to_one_process_in_a_line_of_its_input():
    keys = {"OPENAI_API_KEY": THEIRS, "METRICLOOP_API_KEY": OWN, "METRICLOOP_API_HOST": "models.example"}
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


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_process_is_protected_before_it_reads_the_keys():
    """No core of it and, to others of the same user, no memory: PR_GET_DUMPABLE is 0. One without keys is as before."""
    code = """
import ctypes, sys
from metricloop.llm.key import read_keys
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
class Stream:
    def isatty(self): return False
    def readline(self, most):
        print(dumpable())
        return sys.stdin.readline()
print(dumpable())
print(read_keys(Stream()))
"""
    line = hand_over({"METRICLOOP_API_KEY": "k"})
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, input=line, text=True, capture_output=True, check=True)
    assert done.stdout.split("\n")[:3] == ["1", "0", "{'METRICLOOP_API_KEY': 'k'}"]
