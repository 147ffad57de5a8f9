"""The Responses API: the body of a request, and the answer in a response.

Nothing is stored by the server (`store: false`): a conversation is sent whole each time, as with chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metricloop.llm.answer import Answer, NoChoiceError, answer_of, other_json, parsed, string, usage_of, word
from metricloop.llm.message import Message

if TYPE_CHECKING:
    from metricloop.llm.wire import RequestForm

CUT = {"max_output_tokens": "length", "content_filter": "content_filter"}  # reason of an incomplete response -> finish
PASSING = ("server_error", "rate_limit_exceeded", "vector_store_timeout")  # codes of a failed response


def request(
    form: RequestForm, model: str, messages: Sequence[Message], schema: Mapping[str, Any], most_tokens: int
) -> dict[str, Any]:
    """The body of a call. schema: {"name": ..., "schema": JSON schema}."""
    body: dict[str, Any] = {"model": model, "max_output_tokens": most_tokens}
    body["input"] = [_message(message, form.detail) for message in messages]
    body |= form.common()
    if form.private:
        body["store"] = False
    if form.effort is not None:
        body["reasoning"] = {"effort": form.effort}
    text: dict[str, Any] = {} if form.verbosity is None else {"verbosity": form.verbosity}
    if form.rung == "schema":
        text["format"] = {"type": "json_schema", "strict": True, **schema}
    elif form.rung == "json":
        text["format"] = {"type": "json_object"}
    return {**body, "text": text} if text else body


def read_answer(body: str) -> Answer:
    """The answer in a server's response. Errors: NoChoiceError; ValueError when it is not a response of this API."""
    response = parsed(body)
    output = response.get("output", "") if isinstance(response, dict) else ""
    if isinstance(response, dict) and response.get("status") == "failed":
        error, said = response.get("error"), other_json(response)
        passing = isinstance(error, dict) and error.get("code") in PASSING
        raise NoChoiceError(str(said)) if passing else said
    if not isinstance(output, list):
        raise other_json(response)
    status = word(response.get("status")) or "missing"
    details = response.get("incomplete_details")
    reason = word(details.get("reason")) if isinstance(details, dict) else ""
    finish = {"completed": "stop", "incomplete": CUT.get(reason, reason or "incomplete")}.get(status, status)
    usage = usage_of(response.get("usage"), "input_tokens", "output_tokens")
    parts = list(_parts(output))
    text = "".join(string(part.get("text")) for part in parts if part.get("type") == "output_text")
    refusal = "".join(string(part.get("refusal")) for part in parts if part.get("type") == "refusal")
    return answer_of(response, text, refusal, finish, usage)


def _parts(output: list[Any]) -> list[dict[str, Any]]:
    """The parts of the messages in an output, without the model's comments on its own work."""
    messages = [item for item in output if isinstance(item, dict) and item.get("type") == "message"]
    contents = [item.get("content") for item in messages if item.get("phase") != "commentary"]
    return [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]


def _message(message: Message, detail: str | None) -> dict[str, Any]:
    if not message.pictures:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "input_text", "text": message.text}]
    for picture in message.pictures:
        shown = {"type": "input_image", "image_url": picture.url, "detail": detail or "auto"}
        parts += [{"type": "input_text", "text": picture.title}, shown]
    return {"role": message.role, "content": parts}
