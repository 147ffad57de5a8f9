"""The client against a real server on this machine: each outcome apart, how it asks, and where the key goes."""

import base64
import json
import logging
import re
import socket
import ssl
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server import SILENCE, Answer, Server, completion, failure, no_choices, redirect, script

from metricloop.llm.client import Client, ClientError
from metricloop.llm.connection import _trusted
from metricloop.llm.key import NoKeyError
from metricloop.llm.message import Message, Picture
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import estimate_tokens

KEY = "sk-a-key-nobody-may-see-0123456789"
SCHEMA = {"name": "ideas", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
STRICT = {"type": "json_schema", "json_schema": {"strict": True, **SCHEMA}}
TOLD = json.dumps(SCHEMA["schema"])
ASK = [Message("system", "You are an engineer."), Message("user", "Suggest something.")]
YES = completion('{"a": 1}')


class Clock:
    """Time that passes only when somebody sleeps, or the test says so."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def serve(clock):
    """serve(answers ...) -> (server, client of it); or a function of (request, number) in place of answers."""
    servers = []

    def start(*answers, key=KEY, **settings):
        server = Server(answers[0] if callable(answers[0]) else script(*answers)).__enter__()
        servers.append(server)
        usual = {"base_url": server.base_url, "model": "stand-in", "retries": 2}
        client = Client(LanguageModel(**(usual | settings)), key, sleep=clock.sleep, clock=clock)
        return server, client

    yield start
    for server in servers:
        server.__exit__()
        assert server.errors == []


def complete(client, messages=ASK, most_tokens=500, seconds=600.0):
    return client.complete(messages, SCHEMA, most_tokens=most_tokens, seconds=seconds)


def failing(client, **options):
    """The error that no answer came of; no part of it shows the key."""
    with pytest.raises(ClientError) as caught:
        complete(client, **options)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(client) + str(vars(client))
    assert KEY not in shown
    assert "\n" not in str(error)
    return error


# what is sent


def test_a_question_and_its_answer(serve, clock):
    def answer(_request, _number):
        clock.now += 12.5
        return YES

    server, client = serve(answer)
    reply = complete(client)
    assert server.bodies == [
        {
            "model": "stand-in",
            "max_completion_tokens": 500,
            "messages": [
                {"role": "system", "content": "You are an engineer."},
                {"role": "user", "content": "Suggest something."},
            ],
            "response_format": STRICT,
        }
    ]
    assert (reply.text, reply.finish, reply.rung, reply.model) == ('{"a": 1}', "stop", "schema", "stand-in-1")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (11, 7, False)
    assert (reply.seconds, reply.retries, reply.refusal) == (12.5, 0, None)


def test_an_answer_is_never_longer_than_the_settings_say(serve):
    server, client = serve(YES, answer_tokens=300, temperature=0.5)
    complete(client, most_tokens=500)
    complete(client, most_tokens=200)
    assert [body["max_completion_tokens"] for body in server.bodies] == [300, 200]
    assert [body["temperature"] for body in server.bodies] == [0.5, 0.5]


def test_pictures_follow_the_text_in_order_each_under_its_title(serve):
    server, client = serve(YES)
    pictures = (Picture("worst labels", b"\xff\xd8one"), Picture("best labels", b"\xff\xd8two"))
    complete(client, [Message("user", "Look.", pictures)])
    (message,) = server.bodies[0]["messages"]
    first, second = (base64.b64encode(data).decode() for data in (b"\xff\xd8one", b"\xff\xd8two"))
    assert message["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "text", "text": "worst labels"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{first}"}},
        {"type": "text", "text": "best labels"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{second}"}},
    ]


def test_tokens_are_estimated_from_letters_and_pictures():
    assert estimate_tokens([Message("user", "x" * 9)]) == 3
    assert estimate_tokens([Message("system", ""), Message("user", "xxxx", (Picture("four", b""),))]) == 1002


def test_the_environment_of_the_sdk_has_no_say(serve, monkeypatch):
    for name, value in {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_ORG_ID": "org-x",
        "OPENAI_PROJECT_ID": "proj-x",
        "OPENAI_ADMIN_KEY": "sk-admin-key",
        "OPENAI_API_KEY": "sk-another-key",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-custom\nX-Mine: 1\nHost: elsewhere",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    server, client = serve(YES)
    complete(client)
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["host"] == server.base_url.removeprefix("http://").removesuffix("/v1")
    assert not any(word in str(headers) for word in ("org-x", "proj-x", "sk-admin-key", "sk-another-key", "x-mine"))


def test_a_server_without_a_key_gets_none(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-key")
    server, client = serve(YES, key=None)
    complete(client)
    assert "authorization" not in server.requests[0].headers


# the ladder


def test_a_server_without_schemas_is_asked_for_json_and_from_then_on_at_once(serve):
    server, client = serve(failure(400, "response_format json_schema is not supported"), YES)
    assert complete(client).rung == client.rung == "json"
    complete(client)
    first, second, third = server.bodies
    assert first["response_format"] == STRICT
    assert second["response_format"] == {"type": "json_object"}
    assert second["messages"][0]["content"] == "You are an engineer."
    assert second["messages"][1]["content"].startswith("Suggest something.\n\nAnswer with one JSON object")
    assert TOLD in second["messages"][1]["content"]
    assert third == second


def test_a_server_without_json_is_asked_for_a_fenced_block(serve, clock):
    pictures = (Picture("worst", b"jpeg"),)
    later = Message("assistant", "Yes?")
    server, client = serve(failure(400, "Bad Request"), failure(422, "no JSON mode"), completion("```json\n{}\n```"))
    reply = complete(client, [Message("user", "Look.", pictures), later])
    assert (reply.rung, client.rung, reply.retries, clock.slept) == ("fenced", "fenced", 0, [])
    assert [body.get("response_format", {}).get("type") for body in server.bodies] == [
        "json_schema",
        "json_object",
        None,
    ]
    text, title, picture = server.bodies[2]["messages"][0]["content"]  # the user's last, not the last of all
    assert "```json" in text["text"]
    assert TOLD in text["text"]
    assert (title["text"], picture["type"]) == ("worst", "image_url")
    assert server.bodies[2]["messages"][1]["content"] == "Yes?"


def test_a_question_without_a_user_gets_one_that_tells_the_schema(serve):
    server, client = serve(failure(400, "json_schema"), YES)
    complete(client, [Message("system", "Be brief.")])
    assert [message["role"] for message in server.bodies[1]["messages"]] == ["system", "user"]


def test_parameters_that_a_server_does_not_know_are_left_out_from_then_on(serve):
    server, client = serve(
        failure(400, "Unsupported value: 'temperature'", param="temperature", code="unsupported_value"),
        failure(400, "Unrecognized request argument supplied: max_completion_tokens"),
        YES,
        temperature=0.2,
    )
    complete(client)
    complete(client)
    names = ({"temperature", "max_completion_tokens"}, {"max_completion_tokens"}, {"max_tokens"}, {"max_tokens"})
    assert [body.keys() - {"model", "messages", "response_format"} for body in server.bodies] == list(names)
    assert server.bodies[2]["max_tokens"] == 500
    assert client.rung == "schema"


def test_a_server_that_refuses_everything_is_asked_each_way_once(serve):
    said = "temperature, max_completion_tokens and response_format: Extra inputs are not permitted"
    server, client = serve(failure(422, said), temperature=0.2)
    error = failing(client)
    assert error.kind == "request"
    assert said in str(error)
    assert len(server.requests) == 5
    assert client.rung == "schema"  # none of it worked, so none of it is remembered


@pytest.mark.parametrize(
    "refusal",
    [
        failure(400, "This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        failure(400, "Invalid content type: image_url is only supported by certain models"),
        failure(413, "too large"),
        failure(409, "conflict"),
    ],
)
def test_a_refusal_that_asking_otherwise_cannot_mend(serve, refusal):
    server, client = serve(refusal)
    assert failing(client).kind == "request"
    assert len(server.requests) == 1


# errors, one each


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            failure(401, f"Incorrect API key provided: {KEY}"),
            "key",
            "refuses the key (401); give yours with: export METRI",
        ),
        (failure(403, f"{KEY}: your country"), "key", "(403): ***: your country; give yours with: export METRICLOOP"),
        (failure(403, "no access", code="model_not_found"), "model", "no model 'stand-in' at http://127.0.0.1"),
        (
            failure(404, "The model does not exist"),
            "model",
            "(404): The model does not exist; check llm.model and llm.",
        ),
        (failure(429, "You exceeded", code="insufficient_quota"), "quota", "no credit left (429): You exceeded"),
        (failure(402, "Insufficient Balance"), "quota", "no credit left (402): Insufficient Balance"),
        (failure(418, f"a \x1b[31mteapot\n{KEY}"), "request", "(418): a ?[31mteapot / ***"),
        (failure(418, "sk-a-key*******6789 is not it"), "request", "(418): *** is not it"),
        (Answer(b"<html>Hello</html>"), "nonsense", "begins with '<html>Hello</html>'"),
        (Answer(b""), "nonsense", "it is empty"),
        (Answer(b'{"a": 1'), "nonsense", "begins with"),
        (Answer(b'{"a": 1}'), "nonsense", "other JSON"),
        (Answer(b'{"choices": [5]}'), "nonsense", "other JSON"),
        (Answer(b'{"choices": [{"message": "hi"}]}'), "nonsense", "other JSON"),
        (Answer(b'{"error": {"message": "upstream is down"}}'), "nonsense", "it says: upstream is down"),
        (Answer(b"[" * 200_000), "nonsense", "begins with"),
        (Answer(b" " * 5_000_000), "nonsense", "more than 4 MB"),
        (Answer(b"x", headers={"Content-Encoding": "gzip"}), "nonsense", "compressed"),
    ],
)
def test_errors_that_asking_again_does_not_mend(serve, clock, answer, kind, said):
    server, client = serve(answer)
    error = failing(client)
    assert error.kind == kind
    assert said in str(error)
    assert len(server.requests) == 1
    assert clock.slept == []


def test_who_gives_no_key_is_told_to(serve):
    _, client = serve(failure(401, "key?"), key=None)
    assert "wants a key (401); give yours with: export METRICLOOP_API_KEY=..." in str(failing(client))


def test_a_key_that_no_header_can_hold_is_not_shown_either():
    with pytest.raises(NoKeyError) as caught:
        Client(LanguageModel(), f"{KEY}\n{KEY}")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (failure(429, "slow down"), "busy", "is busy (429): slow down (asked 3 times)"),
        (failure(500, "oops"), "server", "failed (500): oops (asked 3 times)"),
        (Answer(b"<h1>Bad gateway</h1>", 502), "server", "failed (502): <h1>Bad gateway</h1> (asked 3 times)"),
        (failure(503), "server", "failed (503)"),
        (failure(408), "timeout", "timed out (408)"),
        (Answer(YES.body, trouble="drop"), "unreachable", "without sending complete message body"),
        (no_choices(), "nonsense", "it holds no answer (asked 3 times)"),
        (Answer(b'{"choices": null}'), "nonsense", "it holds no answer (asked 3 times)"),
    ],
)
def test_errors_that_stay_are_told_after_the_retries(serve, clock, answer, kind, said):
    server, client = serve(answer)
    error = failing(client)
    assert error.kind == kind
    assert said in str(error)
    assert len(server.requests) == 3
    assert 0.75 <= clock.slept[0] <= 1.25
    assert 1.5 <= clock.slept[1] <= 2.5


@pytest.mark.parametrize("trouble", [failure(429), failure(500), no_choices(), Answer(YES.body, trouble="drop")])
def test_errors_that_pass_leave_a_count(serve, trouble):
    server, client = serve(trouble, trouble, YES)
    reply = complete(client)
    assert (reply.text, reply.retries, len(server.requests)) == ('{"a": 1}', 2, 3)


def test_nobody_listens(clock):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = LanguageModel(base_url=f"http://127.0.0.1:{port}/v1", retries=2)
    error = failing(Client(settings, KEY, sleep=clock.sleep, clock=clock))
    assert error.kind == "unreachable"
    assert "Connection refused" in str(error)
    assert len(clock.slept) == 2


# pauses and time


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:40 GMT", "Date": "Sun, 22 Nov 2026 10:00:10 GMT"}, 30),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:10 GMT"}, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_is_left_alone_as_long_as_it_asks(serve, clock, headers, wait, status):
    _, client = serve(failure(status, headers=headers), YES)
    complete(client)
    assert clock.slept == [wait]


@pytest.mark.parametrize("asked", ["soon", "nan", "inf", "", "Sun, 99 Nov 2026 10:00:00 GMT"])
def test_a_wait_that_cannot_be_read_counts_as_none(serve, clock, asked):
    _, client = serve(failure(429, headers={"Retry-After": asked}), YES)
    complete(client)
    assert 0.75 <= clock.slept[0] <= 1.25


def test_a_wait_beyond_the_time_left_is_not_begun(serve, clock):
    server, client = serve(failure(429, "later", headers={"Retry-After": "601"}))
    error = failing(client, seconds=600)
    assert error.kind == "busy"
    assert "asks to wait 601 s" in str(error)
    assert (clock.slept, len(server.requests)) == ([], 1)


def test_pauses_grow_differ_between_questions_and_repeat_themselves(serve, clock):
    _, client = serve(failure(500), retries=7)
    failing(client)
    first, clock.slept = clock.slept, []
    failing(client)
    assert clock.slept == first
    clock.slept = []
    failing(client, messages=[Message("user", "Another question.")])
    assert clock.slept != first
    for number, seconds in enumerate(first):
        assert 0.75 <= seconds / min(2**number, 30) <= 1.25


def test_all_attempts_and_pauses_together_stay_within_the_time(serve, clock):
    def answer(_request, _number):
        clock.now += 40
        return failure(500)

    server, client = serve(answer, retries=10)
    assert failing(client, seconds=100).kind == "server"
    assert len(server.requests) == 3  # the third ends at 120 s and more
    assert clock.now - 1000 < 100 + 40


def test_asking_otherwise_stays_within_the_time_too(serve, clock):
    def answer(_request, _number):
        clock.now += 40
        return failure(400, "json_schema")

    server, client = serve(answer)
    error = failing(client, seconds=30)
    assert (error.kind, len(server.requests)) == ("timeout", 1)


def test_without_time_nothing_is_sent(serve):
    server, client = serve(YES)
    assert failing(client, seconds=0).kind == "timeout"
    assert server.requests == []


def test_a_silent_server_is_asked_again(serve, clock):
    server, client = serve(SILENCE, call_seconds=0.2)
    error = failing(client)
    assert error.kind == "timeout"
    assert "no answer within 0.2 s (asked 3 times)" in str(error)
    assert len(server.requests) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("trouble", ["silent", "drip", "drip-head"])
def test_the_time_holds_against_a_server_that_is_silent_or_sends_a_byte_at_a_time(serve, trouble):
    complete(serve(YES)[1])  # so that the SDK is imported before the time is taken
    server, client = serve(Answer(trouble=trouble), retries=0)
    began = time.monotonic()
    assert failing(client, seconds=0.3).kind == "timeout"
    assert time.monotonic() - began < 5
    assert len(server.requests) == 1


def test_a_body_that_never_ends_is_not_read_on_by_a_thread(serve):
    before = set(threading.enumerate())
    _, client = serve(Answer(trouble="drip"), retries=0)
    failing(client, seconds=0.3)
    for thread in set(threading.enumerate()) - before:
        if thread.name.endswith("(run)"):
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_threads_share_a_client(serve):
    def answer(request, _number):
        return YES if request.get("response_format", {}).get("type") == "json_object" else failure(400, "json_schema")

    server, client = serve(answer)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: complete(client, [Message("user", str(number))]), range(16)))
    assert [reply.rung for reply in replies] == ["json"] * 16
    assert len(server.requests) <= 16 + 8


# answers that are no plain answer


def test_a_refusal(serve):
    server, client = serve(completion(None, refusal="I cannot help with that."))
    reply = complete(client)
    assert (reply.finish, reply.text, reply.refusal) == ("refusal", "", "I cannot help with that.")
    assert len(server.requests) == 1


def test_a_content_filter(serve):
    _, client = serve(completion("Half an ans", finish="content_filter"))
    reply = complete(client)
    assert (reply.finish, reply.text, reply.refusal) == ("refusal", "", "stopped by the server's content filter")


@pytest.mark.parametrize("text", ['{"a": ', None])  # None: all of it went into hidden thoughts
def test_an_answer_that_is_cut_off(serve, text):
    server, client = serve(completion(text, finish="length", usage=(11, 500)))
    reply = complete(client)
    assert (reply.finish, reply.text, reply.completion_tokens) == ("length", text or "", 500)
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_an_empty_answer_is_asked_for_again_and_paid_for_each_time(serve, text):
    server, client = serve(completion(text, finish="tool_calls"))
    reply = complete(client)
    assert (reply.finish, reply.text, reply.retries) == ("empty", "", 2)
    assert (reply.prompt_tokens, reply.completion_tokens) == (33, 21)
    assert len(server.requests) == 3
    _, client = serve(completion(text), YES)
    reply = complete(client)
    assert (reply.finish, reply.text, reply.retries, reply.prompt_tokens) == ("stop", '{"a": 1}', 1, 22)


def test_asking_again_takes_off_what_the_empty_answers_took(serve):
    """Each takes 11 + 89 tokens; with less than 256 left it is not asked again."""
    server, client = serve(completion("", usage=(11, 89)), retries=4)
    reply = complete(client, most_tokens=500)
    assert [body["max_completion_tokens"] for body in server.bodies] == [500, 400, 300]
    assert (reply.finish, reply.prompt_tokens, reply.completion_tokens) == ("empty", 33, 267)
    server, client = serve(completion("", usage=(11, 89)), answer_tokens=256)
    complete(client, most_tokens=500)  # the longest answer and what all may take are two limits
    assert [body["max_completion_tokens"] for body in server.bodies] == [256, 256, 256]


def test_an_empty_answer_when_time_is_over_is_an_empty_answer(serve, clock):
    def answer(_request, _number):
        clock.now += 9.5
        return completion("")

    server, client = serve(answer)
    assert complete(client, seconds=10).finish == "empty"
    assert len(server.requests) == 1


@pytest.mark.parametrize(("finish", "kept"), [("eos", "eos"), ("a\x1bb", "a?b"), (None, "missing"), ("", "missing")])
def test_a_finish_nobody_knows_is_kept(serve, finish, kept):
    _, client = serve(completion('{"a": 1}', finish=finish))
    reply = complete(client)
    assert (reply.finish, reply.text) == (kept, '{"a": 1}')


def test_an_answer_in_parts(serve):
    parts = [{"type": "text", "text": '{"a":'}, {"type": "thinking"}, 5, {"type": "text", "text": " 1}"}]
    _, client = serve(completion(parts))
    assert complete(client).text == '{"a": 1}'


def test_half_a_surrogate_pair_becomes_a_question_mark(serve):
    _, client = serve(completion("x\ud800y"))
    assert complete(client).text == "x?y"


@pytest.mark.parametrize(
    "usage", [None, b'{"prompt_tokens": -1, "completion_tokens": 7}', b'{"prompt_tokens": true}', b"[]", b'"many"']
)
def test_tokens_that_the_server_does_not_count_are_estimated(serve, usage):
    body = completion("x" * 41, usage=None).body
    if usage is not None:
        body = body[:-1] + b', "usage": ' + usage + b"}"
    _, client = serve(Answer(body))
    reply = complete(client, [Message("user", "four" * 5, (Picture("abcd", b"jpeg"),))])
    assert (reply.prompt_tokens, reply.completion_tokens, reply.estimated) == (5 + 1 + 1000, 11, True)


@pytest.mark.parametrize("codec", ["rot13", "base64", "undefined", "utf-16", "idna", "nothing"])
def test_a_response_is_read_as_utf_8_whatever_codec_its_server_names(serve, codec):
    named = {"Content-Type": f"application/json; charset={codec}"}
    _, client = serve(Answer(YES.body, 200, named), Answer(failure(403, "not för you").body, 403, named))
    assert complete(client).text == '{"a": 1}'
    assert "not för you" in str(failing(client))


# the key


def test_the_key_is_in_no_answer(serve):
    body = completion(f'{{"a": "{KEY}"}}', finish=KEY).body.replace(b"stand-in-1", KEY.encode())
    _, client = serve(Answer(body), completion(None, refusal=f"no {KEY}"))
    reply = complete(client)
    assert (reply.text, reply.finish, reply.model) == ('{"a": "***"}', "***", "***")
    assert complete(client).refusal == "no ***"


@pytest.mark.parametrize("spelt", [KEY, "".join(f"\\u{ord(letter):04x}" for letter in KEY)])
@pytest.mark.parametrize("kept", range(12, len(KEY), 7))
def test_no_part_of_the_key_is_left_where_a_text_is_cut(serve, spelt, kept):
    """A field is shortened in its middle, or at its end; a server may echo the key just there."""
    wide = {most: "x" * ((most - 5) // 2 - kept) + "KEY" + "y" * most for most in (100, 300)}
    error = json.dumps({"error": {"message": wide[300]}})
    body = json.loads(YES.body) | {"model": wide[100], "service_tier": wide[100]}
    told = [text.replace("KEY", spelt).encode() for text in (error, json.dumps(body))]
    _, client = serve(*map(Answer, told))
    shown = str(failing(client)) + str(complete(client))
    assert KEY[:12] not in shown
    assert "***" in shown


def test_a_key_that_is_a_word_spoils_no_answer(serve):
    _, client = serve(completion("from metricloop.metrics.contract import metric"), key="metric")
    assert complete(client).text == "from metricloop.metrics.contract import metric"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve, status):
    other, _ = serve(YES)
    _, client = serve(redirect(f"{other.base_url}/chat/completions?{KEY}", status))
    error = failing(client)
    assert error.kind == "request"
    assert f"redirects ({status}) to {other.base_url}/chat/completions?***, which is not followed" in str(error)
    assert other.requests == []


def test_the_key_is_in_no_log(serve, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    echo = {"X-Echo": KEY, "X-Half": KEY[: len(KEY) // 2]}
    _, client = serve(failure(500, headers=echo), Answer(YES.body, headers=echo))
    complete(client)
    assert "chat/completions" in caplog.text  # there is a log
    assert re.search(r"'X-Echo', b'(sk-)?\*\*\*'", caplog.text.replace('"', "'"))  # with the headers of the answers
    assert KEY[len(KEY) // 4 : len(KEY) // 2] not in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(client)


# the way


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named(monkeypatch, tmp_path, name):
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    error = failing(Client(LanguageModel(base_url="https://127.0.0.1:9/v1"), KEY))
    assert error.kind == "unreachable"
    assert "REQUESTS_CA_BUNDLE may name cannot be read" in str(error)


def test_requests_ca_bundle_is_what_a_server_is_trusted_by(monkeypatch, tmp_path):
    import certifi

    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    roots = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")
    (tmp_path / "one.pem").write_text(roots[0] + roots[1] + "\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "one.pem"))
    trusted = _trusted()
    assert isinstance(trusted, ssl.SSLContext)
    assert len(trusted.get_ca_certs()) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    assert _trusted() is True  # httpx reads that one itself


@pytest.mark.parametrize("proxy", ["smtp://user:pass-word@proxy.example", "http://user:pass-word@proxy.example:x"])
def test_a_proxy_that_is_none_is_told_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = failing(Client(LanguageModel(base_url="https://127.0.0.1:9/v1"), KEY))
    assert "the proxy in HTTPS_PROXY or ALL_PROXY is not a valid address" in str(error)
    assert "pass-word" not in "".join(traceback.format_exception(error))
