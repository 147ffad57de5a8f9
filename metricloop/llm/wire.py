"""The chat-completions protocol: the body of a request, and the answer in a server's response."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metricloop.llm.message import Message
from metricloop.text.clean import clean

RUNGS = ("schema", "json", "fenced")  # ways to ask for structured output, strictest first
PICTURE_TOKENS = 1000  # about what a picture of 1024 pixels costs; small ones cost less
BY_SCHEMA = "Answer with one JSON object that fits this JSON schema, and with nothing else:\n{schema}"
BY_FENCE = (
    "Answer with one JSON object that fits this JSON schema, in one block that begins with a line ```json and "
    "ends with a line ```:\n{schema}"
)
# In error messages. FORMAT: the server lacks structured output, try another form. ELSEWHERE: other errors, give up.
FORMAT = ("response_format", "json", "schema", "structured", "grammar")
ELSEWHERE = ("context_length", "context length", "context window", "content_filter", "content management", "image_url")


class NoChoiceError(ValueError):
    """A chat completion without an answer in it."""


@dataclass(frozen=True)
class RequestForm:
    """The form of request that a server accepts. rung: see RUNGS; limit: the parameter for an answer's length."""

    rung: str = "schema"
    limit: str = "max_completion_tokens"
    temperature: float | None = None

    def request(
        self, model: str, messages: Sequence[Message], schema: Mapping[str, Any], most_tokens: int
    ) -> dict[str, Any]:
        """The body of a call. schema: {"name": ..., "schema": JSON schema}."""
        body: dict[str, Any] = {"model": model, self.limit: most_tokens}
        body["messages"] = [_message(message) for message in self.messages(messages, schema)]
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.rung == "schema":
            body["response_format"] = {"type": "json_schema", "json_schema": {"strict": True, **schema}}
        elif self.rung == "json":
            body["response_format"] = {"type": "json_object"}
        return body

    def messages(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
        """The messages; unless the rung is schema, the last user message contains the schema as text."""
        sent = list(messages)
        if self.rung == "schema":
            return sent
        ask = (BY_SCHEMA if self.rung == "json" else BY_FENCE).format(schema=json.dumps(schema["schema"]))
        last = max((number for number, message in enumerate(sent) if message.role == "user"), default=None)
        if last is None:
            return [*sent, Message("user", ask)]
        sent[last] = replace(sent[last], text=f"{sent[last].text}\n\n{ask}")
        return sent

    def fallback(self, said: str) -> RequestForm | None:
        """Another form, for a server that refused this one with the text `said`; None when the form is not the reason.

        Every change is made once and never undone, so there are at most four.
        """
        said = said.lower()
        if self.temperature is not None and "temperature" in said:
            return replace(self, temperature=None)
        if self.limit == "max_completion_tokens" and ("max_completion_tokens" in said or "max_tokens" in said):
            return replace(self, limit="max_tokens")
        if self.rung == RUNGS[-1] or (_none_of(FORMAT, said) and not _none_of(ELSEWHERE, said)):
            return None
        return replace(self, rung=RUNGS[RUNGS.index(self.rung) + 1])


@dataclass(frozen=True)
class Answer:
    """The content of a chat completion. finish: see llm.message.Reply; tokens: (read, written), None if not counted."""

    text: str
    finish: str
    model: str
    refusal: str | None
    tokens: tuple[int, int] | None


def read_answer(body: str) -> Answer:
    """The answer in a server's response. Errors: NoChoiceError; ValueError when it is not a chat completion."""
    try:
        completion = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError(f"it begins with {clean(body[:200], 60)!r}" if body.strip() else "it is empty") from None
    choices = completion.get("choices", "") if isinstance(completion, dict) else ""
    if choices is None or choices == []:
        raise NoChoiceError("it holds no answer")
    choice = choices[0] if isinstance(choices, list) else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        error = completion.get("error") if isinstance(completion, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        raise ValueError(f"it says: {clean(said)}" if isinstance(said, str) else "it is other JSON")
    text, refusal, word = _text(message.get("content")), _text(message.get("refusal")), choice.get("finish_reason")
    finish = clean(word, 40) if isinstance(word, str) and word.strip() else "missing"
    model = completion.get("model")
    named = clean(model, 100) if isinstance(model, str) else ""
    tokens = _tokens(completion.get("usage"))
    if refusal.strip() or finish in ("content_filter", "refusal"):
        return Answer("", "refusal", named, refusal.strip() or "stopped by the server's content filter", tokens)
    if not text.strip() and finish != "length":
        return Answer("", "empty", named, None, tokens)
    return Answer(text, finish, named, None, tokens)


def estimate_tokens(messages: Sequence[Message]) -> int:
    """Estimate the tokens of messages: one per four characters, and PICTURE_TOKENS per picture.

    >>> estimate_tokens([Message("user", "Which labels are wrong?")])
    6
    """
    return sum(
        tokens_in(message.text) + sum(tokens_in(picture.title) + PICTURE_TOKENS for picture in message.pictures)
        for message in messages
    )


def tokens_in(text: str) -> int:
    """Estimated tokens of a text."""
    return math.ceil(len(text) / 4)


def _message(message: Message) -> dict[str, Any]:
    if not message.pictures:  # plain text, which every server accepts
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    for picture in message.pictures:
        url = f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
        parts += [{"type": "text", "text": picture.title}, {"type": "image_url", "image_url": {"url": url}}]
    return {"role": message.role, "content": parts}


def _text(content: Any) -> str:
    """The text of a message, whole or in parts; half a surrogate pair, which no file can hold, becomes "?"."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if isinstance(part, dict) and _is_text(part.get("text")))
    return content.encode(errors="replace").decode() if _is_text(content) else ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _tokens(usage: Any) -> tuple[int, int] | None:
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    counts = all(type(count) is int and 0 <= count < 1e9 for count in (read, written))
    return (read, written) if counts else None  # type: ignore[return-value]


def _none_of(words: Sequence[str], said: str) -> bool:
    return not any(word in said for word in words)
