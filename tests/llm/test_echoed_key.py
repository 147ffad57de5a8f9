"""A server that echoes the key, by every trick, gets no eight letters of it into a file, an answer or an error."""

import base64
import json
import logging

import pytest
from server import Answer, Server, completion, failure, redirect, script

from metricloop.llm.client import ClientError
from metricloop.llm.conversation import Conversation
from metricloop.llm.extract import json_in
from metricloop.llm.journal import Journal, Key
from metricloop.llm.message import Message
from metricloop.llm.settings import LanguageModel

KEY = "sk-proj-Zk4hT9wQx2Vb7NmLr3Ys8Df1Gc6Jp0KaUe5Wi_Ho-Rt2Qv9Bn4Xz7Ml1Pd6Fy3Gs8Ck0Ej5Tu"
HALF, OTHER = KEY[:42], KEY[42:]
PIECES = {KEY[start : start + 8] for start in range(8, len(KEY) - 7)}
SPELT = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
SCHEMA = {"name": "proposal", "schema": {}}
QUESTION = [Message("user", "round 1")]


def body(text: str = '{"code": "x = 1"}', **fields: object) -> Answer:
    """A completion with further fields of the response."""
    return Answer(json.dumps(json.loads(completion(text).body) | fields).encode())


def raw(text: str) -> Answer:
    """A completion whose text stands in the JSON as it is written here."""
    return Answer(completion("HERE").body.replace(b"HERE", text.encode()))


TRICKS = {
    "whole": body(f'{{"code": "{KEY}"}}'),
    "halves of model and tier": body(model=HALF, service_tier=OTHER),
    "halves of model and finish": Answer(body().body.replace(b'"stop"', f'"{OTHER}"'.encode()), headers={"X-A": HALF}),
    "where the model's name is cut": body(model="m" * 80 + KEY),
    "escaped": raw(SPELT),
    "escaped within the text": raw('{\\"code\\": \\"' + SPELT.replace("\\", "\\\\") + '\\"}'),
    "every second letter escaped": raw("".join(f"\\u{ord(c):04x}" if n % 2 else c for n, c in enumerate(KEY))),
    "in parts of the content": body()
    and completion([{"type": "text", "text": KEY[n : n + 5]} for n in range(0, 84, 5)]),
    "refusal": completion(None, refusal=f"I may not say {HALF} {OTHER}"),
    "base64": body(f'{{"code": "{base64.b64encode(KEY.encode()).decode()}"}}'),
    "hexadecimal": body(f'{{"code": "{KEY.encode().hex()}"}}'),
    "as a name": body(**{KEY: KEY, "model": KEY.upper()}),
    "in fields that nobody reads": body(id=KEY, system_fingerprint=HALF, error={"message": OTHER}),
}
ERRORS = {
    "message": failure(400, f"{HALF} is not {OTHER}"),
    "message that is cut": failure(400, "x" * 140 + KEY + "y" * 300),
    "code": failure(400, "no", code=KEY, param=HALF),
    "refused key": failure(401, f"Incorrect API key provided: {KEY}"),
    "forbidden": failure(403, KEY),
    "no model": failure(404, f"no model {HALF}"),
    "no JSON": Answer(f"<html>{KEY} {SPELT}</html>".encode(), 500),
    "other JSON": Answer(json.dumps({"error": KEY}).encode()),
    "redirect": redirect(f"https://elsewhere.example/{KEY}?{HALF}"),
    "compressed": Answer(KEY.encode(), headers={"Content-Encoding": KEY}),
    "wait": failure(429, KEY, {"Retry-After": KEY}),
}


def asked(folder, answer):
    """What the conversation of a study says to this answer: its text, or its error; all files are then in `folder`."""
    with Server(script(answer)) as server:
        settings = LanguageModel(
            provider="record", base_url=server.base_url, model="m", retries=0, prices={"m": [1, 1]}
        )
        talk = Conversation(settings, Journal(folder), KEY, say=lambda text: None)
        try:
            said = talk.ask(Key(1, "propose"), QUESTION, SCHEMA)
        except ClientError as error:
            said = f"{error} {error.__cause__!r}"
        assert f"Bearer {KEY}" in {request.headers["authorization"] for request in server.requests}
    return said


def pieces_in(text: str) -> list[str]:
    """The pieces of the key in a text, as it is and as it is read from base64 or hexadecimal."""
    found = [piece for piece in PIECES if piece.lower() in text.lower()]
    for piece in PIECES:
        moved = [base64.b64encode(b"." * n + piece.encode())[4:-4].decode() for n in range(3)]
        found += [spelt for spelt in (piece.encode().hex(), *moved) if spelt in text]
    return found


@pytest.mark.parametrize("trick", [*TRICKS, *ERRORS])
def test_no_file_answer_error_or_log_holds_a_piece_of_the_key(tmp_path, caplog, trick):
    for name in ("openai", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    said = asked(tmp_path, (TRICKS | ERRORS)[trick])
    shown = [said, caplog.text]
    if trick in TRICKS and said.lstrip().startswith("{"):
        shown.append(json.dumps(json_in(said)))  # as the code of an idea is read from it
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"journal.jsonl"}
    for text in (*shown, *(file.read_text() for file in files)):
        assert pieces_in(text) == []


def test_the_hunt_finds_what_is_there():
    for text in (f"x{KEY[20:28]}y", KEY.upper(), KEY.encode().hex(), base64.b64encode(KEY.encode()).decode()):
        assert pieces_in(text)
