"""The client against servers of today: Responses API, Azure, reasoning that takes the answer, too large questions."""

import json

import pytest
from server import Answer, Server, completion, failure, script

from metricloop.llm.client import Client, ClientError
from metricloop.llm.connection import on_azure, sdk_client
from metricloop.llm.message import Message, Picture
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import RequestForm

KEY = "a-key-nobody-may-see-0123456789"
SCHEMA = {"name": "ideas", "schema": {"type": "object", "properties": {"a": {}}, "required": ["a"]}}
ASK = [Message("system", "You are an engineer."), Message("user", "Suggest something.")]
YES = completion('{"a": 1}')
EATEN = completion("", finish="length", usage=(100, 400), reasoning=400)


def response(text="", status="completed", usage=(11, 7, 0, 0), content=None, **fields) -> Answer:
    """An answer of the Responses API. usage: read, written, cached, reasoning."""
    read, written, cached, reasoning = usage
    body = {
        "id": "resp_1",
        "object": "response",
        "model": "stand-in-1",
        "status": status,
        "output": [
            {"type": "reasoning", "summary": []},
            {
                "type": "message",
                "role": "assistant",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "Hm."}],
            },
            {"type": "message", "role": "assistant", "content": content or [{"type": "output_text", "text": text}]},
        ],
        "usage": {
            "input_tokens": read,
            "output_tokens": written,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens_details": {"reasoning_tokens": reasoning},
        },
        **fields,
    }
    return Answer(json.dumps(body).encode())


@pytest.fixture
def serve():
    """serve(answers ..., settings) -> (server, client); or a function of (request, number) in place of answers."""
    servers = []

    def start(*answers, key=KEY, key_header="", **settings):
        server = Server(answers[0] if callable(answers[0]) else script(*answers)).__enter__()
        servers.append(server)
        usual = {"base_url": server.base_url, "model": "stand-in", "retries": 1, "answer_tokens": 400}
        client = Client(LanguageModel(**(usual | settings)), key, key_header=key_header, sleep=lambda seconds: None)
        return server, client

    yield start
    for server in servers:
        server.__exit__()
        assert server.errors == []


def complete(client, messages=ASK, most_tokens=10_000):
    return client.complete(messages, SCHEMA, most_tokens=most_tokens, seconds=600.0)


# the Responses API


def test_a_question_to_the_responses_api_and_its_answer(serve):
    server, client = serve(
        response('{"a": 1}', usage=(11, 7, 8, 3), service_tier="default"),
        api="responses", reasoning_effort="high", verbosity="low", service_tier="flex", picture_detail="low",
    )  # fmt: skip
    reply = complete(
        client, [ASK[0], Message("user", "Look.", (Picture("worst", b"\xff"),)), Message("assistant", "No.")]
    )
    assert server.requests[0].path == "/v1/responses"
    assert server.bodies == [
        {
            "model": "stand-in",
            "max_output_tokens": 400,
            "input": [
                {"role": "system", "content": "You are an engineer."},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Look."},
                        {"type": "input_text", "text": "worst"},
                        {"type": "input_image", "image_url": "data:image/jpeg;base64,/w==", "detail": "low"},
                    ],
                },
                {"role": "assistant", "content": "No."},
            ],
            "service_tier": "flex",
            "store": False,
            "reasoning": {"effort": "high"},
            "text": {"verbosity": "low", "format": {"type": "json_schema", "strict": True, **SCHEMA}},
        }
    ]
    assert (reply.text, reply.finish, reply.api, reply.model) == ('{"a": 1}', "stop", "responses", "stand-in-1")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.reasoning_tokens) == (11, 7, 8, 3)
    assert (reply.effort, reply.tier, reply.estimated) == ("high", "default", False)


def test_the_same_settings_in_chat_completions(serve):
    body = completion('{"a": 1}', cached=8, reasoning=3)
    server, client = serve(
        body, api="chat", reasoning_effort="high", verbosity="low", service_tier="flex", picture_detail="high"
    )
    reply = complete(client, [Message("user", "Look.", (Picture("worst", b"\xff"),))])
    sent = server.bodies[0]
    assert (sent["reasoning_effort"], sent["verbosity"], sent["service_tier"]) == ("high", "low", "flex")
    assert sent["messages"][0]["content"][2]["image_url"]["detail"] == "high"
    assert (reply.cached_tokens, reply.reasoning_tokens, reply.tier) == (8, 3, "flex")


@pytest.mark.parametrize(
    ("answer", "finish", "text", "refusal"),
    [
        (response("", "incomplete", incomplete_details={"reason": "max_output_tokens"}), "length", "", None),
        (response("Half", "incomplete", incomplete_details={"reason": "content_filter"}), "refusal", "", "stopped by"),
        (response("Half", "incomplete", incomplete_details=7), "incomplete", "Half", None),
        (response(content=[{"type": "refusal", "refusal": "I cannot."}]), "refusal", "", "I cannot."),
        (response("x\ud800y"), "stop", "x?y", None),
        (response(""), "empty", "", None),
    ],
)
def test_answers_of_the_responses_api_that_are_no_plain_answer(serve, answer, finish, text, refusal):
    _, client = serve(answer, api="responses", retries=0, reasoning_effort="low")
    reply = complete(client, most_tokens=400)
    assert (reply.finish, reply.text) == (finish, text)
    assert (reply.refusal or "").startswith(refusal or "")


@pytest.mark.parametrize(
    ("answer", "calls", "said"),
    [
        (response(status="failed", error={"code": "server_error", "message": "oops"}), 2, "it says: oops"),
        (response(status="failed", error={"code": "invalid_prompt", "message": "no"}), 1, "it says: no"),
        (response(status="failed", error=3), 1, "it is other JSON"),
        (response(output="x"), 1, "it is other JSON"),
        (Answer(b"[1]"), 1, "is not a response of the Responses API: it is other JSON"),
        (YES, 1, "it is other JSON"),
    ],
)
def test_responses_without_an_answer(serve, answer, calls, said):
    server, client = serve(answer, api="responses")
    with pytest.raises(ClientError, match=said):
        complete(client)
    assert len(server.requests) == calls


@pytest.mark.parametrize(
    ("base_url", "api", "first", "other"),
    [
        ("https://api.openai.com/v1", "auto", "responses", "chat"),
        ("https://me.openai.azure.com/openai/v1", "auto", "responses", "chat"),
        ("https://me.services.ai.azure.com/openai/v1/", "auto", "responses", "chat"),
        ("https://api.openai.com.evil.example/v1", "auto", "chat", "responses"),
        ("http://127.0.0.1:8000/v1", "auto", "chat", "responses"),
        ("http://127.0.0.1:8000/v1", "responses", "responses", ""),
        ("https://api.openai.com/v1", "chat", "chat", ""),
    ],
)
def test_the_api_that_is_asked_first(base_url, api, first, other):
    form = RequestForm.of(LanguageModel(base_url=base_url, api=api), "schema")
    assert (form.api, form.other) == (first, other)


@pytest.mark.parametrize(
    "refusal",
    [
        failure(404, "This model is only supported in v1/responses and not in v1/chat/completions"),
        failure(404, "Not Found"),
        failure(501, "not here"),
    ],
)
def test_a_server_or_a_model_without_chat_completions_is_asked_over_responses_from_then_on(serve, refusal):
    server, client = serve(lambda body, _: refusal if "messages" in body else response('{"a": 1}'))
    assert (complete(client).api, complete(client).api) == ("responses", "responses")
    assert [asked.path.rpartition("/")[2] for asked in server.requests] == ["completions", "responses", "responses"]


def test_an_api_that_a_person_chose_is_not_changed(serve):
    server, client = serve(failure(404, "Not Found"), api="responses")
    with pytest.raises(ClientError, match="no model 'stand-in'"):
        complete(client)
    assert len(server.requests) == 1


def test_a_model_that_is_not_there_is_asked_for_once_and_told_where_to_look(serve):
    server, client = serve(failure(404, "The model `stand-in` does not exist", code="model_not_found"))
    with pytest.raises(ClientError, match="metricloop doctor --llm") as caught:
        complete(client)
    assert caught.value.kind == "model"
    assert len(server.requests) == 1


# parameters


@pytest.mark.parametrize(
    ("setting", "field", "said"),
    [
        ({"reasoning_effort": "none"}, "reasoning_effort", "Unsupported value: 'reasoning_effort' of 'none'"),
        ({"verbosity": "low"}, "verbosity", "Unrecognized request argument supplied: verbosity"),
        ({"service_tier": "flex"}, "service_tier", "Invalid service_tier argument"),
    ],
)  # fmt: skip
def test_a_parameter_that_is_refused_is_left_out_alone(serve, setting, field, said):
    server, client = serve(failure(400, said), YES, **setting)
    reply = complete(client)
    assert [field in body for body in server.bodies] == [True, False]
    assert (reply.effort, reply.rung) == (None, "schema")


def test_a_server_that_does_not_know_store_stores_nothing_anyway(serve):
    server, client = serve(failure(422, "store: Extra inputs are not permitted"), response('{"a": 1}'), api="responses")
    assert complete(client).text == '{"a": 1}'
    assert ["store" in body for body in server.bodies] == [True, False]


# reasoning that takes the whole answer


def test_reasoning_that_takes_all_gets_twice_the_room_from_then_on(serve):
    server, client = serve(EATEN, YES)
    reply = complete(client)
    assert [body["max_completion_tokens"] for body in server.bodies] == [400, 800]
    assert (reply.text, reply.retries, reply.prompt_tokens, reply.completion_tokens) == ('{"a": 1}', 1, 111, 407)
    assert reply.reasoning_tokens == 400
    complete(client)
    assert server.bodies[2]["max_completion_tokens"] == 800


def test_reasoning_that_takes_that_too_is_asked_to_be_short_and_then_told(serve):
    server, client = serve(EATEN)
    reply = complete(client)
    assert [(body["max_completion_tokens"], body.get("reasoning_effort")) for body in server.bodies] == [
        (400, None), (800, None), (800, "low"),
    ]  # fmt: skip
    assert (reply.finish, reply.text, reply.completion_tokens) == ("length", "", 1200)


def test_the_room_never_passes_the_budget(serve):
    """1,200 tokens: 500 are gone after the first answer, and the next prompt takes 100 of the 700 left."""
    server, client = serve(EATEN, YES)
    complete(client, most_tokens=1200)
    assert [body["max_completion_tokens"] for body in server.bodies] == [400, 600]
    server, client = serve(EATEN, YES)
    complete(client, most_tokens=950)  # 350 are left: no more room than before, so less effort
    assert [(body["max_completion_tokens"], body.get("reasoning_effort")) for body in server.bodies] == [
        (400, None), (400, "low"),
    ]  # fmt: skip


def test_a_room_that_the_model_does_not_have_is_given_up(serve):
    def answer(body, number):
        if body["max_completion_tokens"] > 400:
            return failure(400, "max_completion_tokens is too large: 800. This model supports at most 400 tokens")
        return YES if body.get("reasoning_effort") == "low" else EATEN

    server, client = serve(answer)
    assert complete(client).text == '{"a": 1}'
    assert [(body["max_completion_tokens"], body.get("reasoning_effort")) for body in server.bodies] == [
        (400, None), (800, None), (400, "low"),
    ]  # fmt: skip


def test_what_eaten_answers_took_is_counted_when_the_server_then_fails(serve):
    _, client = serve(EATEN, failure(500), retries=0)
    reply = complete(client)
    assert (reply.finish, reply.completion_tokens) == ("length", 400)


def test_an_answer_that_is_cut_off_in_its_text_is_not_asked_for_again(serve):
    server, client = serve(completion('{"a": ', finish="length", usage=(10, 400)))
    assert complete(client).finish == "length"
    assert len(server.requests) == 1


# servers that ignore how JSON is asked for


def test_two_answers_in_a_row_without_the_json_make_it_be_asked_for_otherwise(serve):
    _, client = serve(lambda body, _: YES if "response_format" not in body else completion("Of course! Here..."))
    rungs = [complete(client).rung for _ in range(6)]
    assert rungs == ["schema", "schema", "json", "json", "fenced", "fenced"]
    assert complete(client).text == '{"a": 1}'


def test_one_bad_answer_between_good_ones_changes_nothing(serve):
    _, client = serve(completion("Hm."), YES, completion('{"b": 1}'), YES, completion("[]"), YES)
    assert [complete(client).rung for _ in range(6)] == ["schema"] * 6


def test_json_of_another_shape_counts_as_without(serve):
    _, client = serve(completion('{"b": 1}'))
    assert [complete(client).rung for _ in range(3)] == ["schema", "schema", "json"]


# too large


@pytest.mark.parametrize(
    "refusal",
    [
        failure(400, "This model's maximum context length is 8192 tokens, the json schema included"),
        failure(400, "'max_tokens' or 'max_completion_tokens' is too large: 16000"),
        failure(400, "Input is too long for requested model; response_format is json"),
        failure(413, "Payload"),
        failure(422, "prompt: string_above_max_length"),
        failure(429, "Request too large for stand-in on tokens per min (TPM): Limit 30000, Requested 41000"),
    ],
)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_what_is_too_large_is_sent_once_and_told_what_to_make_smaller(serve, refusal, api):
    server, client = serve(refusal, api=api, temperature=0.5)
    with pytest.raises(
        ClientError, match=r"too large: show fewer pictures \(llm\.pictures\), or lower llm\.answer_tokens"
    ):
        complete(client)
    assert len(server.requests) == 1


# the key


def test_azures_header_is_the_only_place_of_the_key(serve):
    server, client = serve(YES, key_header="api-key")
    complete(client)
    headers = server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("base_url", "azure"),
    [
        ("https://me.openai.azure.com/openai/v1", True),
        ("https://me.services.ai.azure.com/openai/v1", True),
        ("https://openai.azure.com.example/openai/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_azures_servers_get_the_key_in_their_own_header(base_url, azure):
    import httpx2
    from pydantic import SecretStr

    assert on_azure(base_url) is azure
    hook = sdk_client(base_url, SecretStr(KEY))._client.event_hooks["request"][0]
    request = httpx2.Request("POST", f"{base_url}/responses")
    hook(request)
    assert request.headers.get("api-key") == (KEY if azure else None)
    assert request.headers.get("authorization") == (None if azure else f"Bearer {KEY}")


def test_a_key_that_the_responses_api_echoes_is_hidden(serve):
    _, client = serve(response(json.dumps({"a": KEY}), model=KEY, service_tier=KEY), api="responses")
    reply = complete(client)
    assert (reply.text, reply.model, reply.tier) == ('{"a": "***"}', "***", "***")
