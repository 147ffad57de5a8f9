"""A key is masked whole, in pieces and in other spellings; words that a key happens to hold are not."""

import base64
import json
import logging
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metricloop.llm.mask import KeyFilter, masked

OPENAI = "sk-proj-" + "".join(random.Random(1).choices(string.ascii_letters + string.digits + "_-", k=156))
HEXADECIMAL = "a13f09c7d2b84e56901fc3a7e85d24b6"  # as Azure's
SIGNS = "ab/CD+ef9h/JK+mn0p/RS+uv1w=="
KEYS = pytest.mark.parametrize("key", [OPENAI, HEXADECIMAL, SIGNS])

SPELLINGS = {
    "as it is": lambda key: key,
    "JSON": json.dumps,
    "JSON of PHP": lambda key: json.dumps(key).replace("/", "\\/"),
    "escapes": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "escapes in capitals": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "escapes within JSON": lambda key: json.dumps({"code": "".join(f"\\u{ord(letter):04x}" for letter in key)}),
    "every second letter": lambda key: "".join(f"\\u{ord(c):04x}" if n % 2 else c for n, c in enumerate(key)),
    "Python": lambda key: "".join(f"\\x{ord(letter):02x}" for letter in key),
    "URL": lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
    "HTML": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(letter):x};" for letter in key),
    "capitals": str.upper,
    "small": str.lower,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64, moved by 1": lambda key: base64.b64encode(b"<" + key.encode() + b">").decode(),
    "base64, moved by 2": lambda key: base64.b64encode(b"::" + key.encode()).decode(),
    "base64 of URLs": lambda key: base64.urlsafe_b64encode(b"Bearer " + key.encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal in capitals": lambda key: key.encode().hex().upper(),
}


@KEYS
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_is_masked_however_it_is_spelt(key, spelling):
    spelt = SPELLINGS[spelling](key)
    said = masked(f'{{"model": "before {spelt} after"}}', key)
    assert said.startswith('{"model": "before ')
    assert said.endswith(' after"}')
    assert "***" in said
    assert len(said) < len('{"model": "before  after"}') + 24  # what is left is the frame, not the key


@KEYS
@pytest.mark.parametrize("share", [2, 3])
def test_pieces_in_different_fields_are_masked(key, share):
    size = -(-len(key) // share)
    pieces = [key[start : start + size] for start in range(0, len(key), size)]
    said = masked(json.dumps({"model": pieces[0], "finish_reason": pieces[1], "rest": pieces[2:]}), key)
    assert json.loads(said) == {"model": "***", "finish_reason": "***", "rest": ["***"] * len(pieces[2:])}


def test_a_piece_is_masked_from_eight_letters_on():
    assert masked(f"x {OPENAI[20:28]} y {OPENAI[20:27]} z", OPENAI) == f"x *** y {OPENAI[20:27]} z"


def test_literal_masks():
    key = "Kx81-9qLmZ2"
    assert masked('{"model": "Kx81-9qLmZ2", "finish": "no Kx81-9qL"}', key) == '{"model": "***", "finish": "no ***"}'
    assert masked("Kx81-9qLmZ2Kx81-9qLmZ2", key) == "***"
    assert masked("aKx81-9qLmZ2b", key) == "a***b"
    assert masked("\\\\u004bx81-9qLm", key) == "***"  # the backslash twice, as in JSON within JSON


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("metricloop-demo-key", "from metricloop.metrics.contract import metric  # demo"),
        ("Metricloop-2024-key", "import metricloop"),
        (OPENAI, "a key begins with sk-proj- and is long"),
        ("not-needed", "an argument that is not needed"),
        ("ollama", "ollama ollama"),  # shorter than any secret
        ("", "anything"),
        (OPENAI, ""),
        (OPENAI, "100 % of 3%02d and \\u00e4, &#228; and \\x41"),
    ],
)
def test_words_are_left(key, text):
    assert masked(text, key) == text


def test_sixteen_letters_of_words_are_masked():
    key = "the-lions-of-the-savanna"
    assert masked("and the-lions-of-the more", key) == "and *** more"
    assert masked("and the-lions-of-th more", key) == "and the-lions-of-th more"


def test_a_whole_key_of_words_is_masked():
    assert masked("the key is metricloop-demo-key", "metricloop-demo-key") == "the key is ***"


@given(text=st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_a_text_without_the_key_stays_as_it_is(text):
    assert masked(text, HEXADECIMAL) == text


@given(before=st.text(max_size=30), after=st.text(max_size=30), start=st.integers(0, 24), length=st.integers(8, 32))
@settings(max_examples=300, deadline=None)
def test_any_piece_in_any_text_is_masked_and_the_rest_kept(before, after, start, length):
    piece = HEXADECIMAL[start : start + length]
    if len(piece) < 8 or piece.isdigit() or piece.isalpha():
        return
    said = masked(f"{before}|{piece}|{after}", HEXADECIMAL)
    assert said == f"{before}|***|{after}"
    assert masked(said, HEXADECIMAL) == said


@given(value=st.recursive(st.text(max_size=9) | st.none(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
@settings(max_examples=100, deadline=None)
def test_json_stays_json_with_the_same_shape(value):
    body = json.dumps({"key": OPENAI, "value": value, OPENAI[:60]: OPENAI[60:]})
    assert json.loads(masked(body, OPENAI)) == {"key": "***", "value": value, "***": "***"}


def test_a_log_record_is_masked_with_its_arguments(caplog):
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "%s said %r", ("it", [(b"X-Echo", OPENAI)]), None)
    assert KeyFilter(OPENAI).filter(record)
    assert record.getMessage() == "it said [(b'X-Echo', '***')]"
