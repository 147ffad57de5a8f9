"""The chat-completions API: the body of a request, and the answer in a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metricloop.llm.answer import Answer, NoChoiceError, answer_of, other_json, parsed, text_of, usage_of, word
from metricloop.llm.message import Message

if TYPE_CHECKING:
    from metricloop.llm.wire import RequestForm


def request(
    form: RequestForm, model: str, messages: Sequence[Message], schema: Mapping[str, Any], most_tokens: int
) -> dict[str, Any]:
    """The body of a call. schema: {"name": ..., "schema": JSON schema}."""
    body: dict[str, Any] = {"model": model, form.limit: most_tokens}
    body["messages"] = [_message(message, form.detail) for message in messages]
    body |= form.common()
    if form.effort is not None:
        body["reasoning_effort"] = form.effort
    if form.verbosity is not None:
        body["verbosity"] = form.verbosity
    if form.rung == "schema":
        body["response_format"] = {"type": "json_schema", "json_schema": {"strict": True, **schema}}
    elif form.rung == "json":
        body["response_format"] = {"type": "json_object"}
    return body


def read_answer(body: str) -> Answer:
    """The answer in a server's response. Errors: NoChoiceError; ValueError when it is not a chat completion."""
    completion = parsed(body)
    choices = completion.get("choices", "") if isinstance(completion, dict) else ""
    if choices is None or choices == []:
        raise NoChoiceError("it holds no answer")
    choice = choices[0] if isinstance(choices, list) else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise other_json(completion)
    text, refusal = text_of(message.get("content")), text_of(message.get("refusal"))
    finish = word(choice.get("finish_reason")).strip() or "missing"
    usage = usage_of(completion.get("usage"), "prompt_tokens", "completion_tokens")
    return answer_of(completion, text, refusal, finish, usage)


def _message(message: Message, detail: str | None) -> dict[str, Any]:
    if not message.pictures:  # plain text, which every server accepts
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    for picture in message.pictures:
        url = {"url": picture.url}
        shown = url if detail is None else {**url, "detail": detail}
        parts += [{"type": "text", "text": picture.title}, {"type": "image_url", "image_url": shown}]
    return {"role": message.role, "content": parts}
