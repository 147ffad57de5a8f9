"""The form in which a server is asked: API, way to ask for JSON, parameters; and what it steps down to."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metricloop.llm import chat, responses
from metricloop.llm.answer import Answer
from metricloop.llm.extract import json_in
from metricloop.llm.message import Message
from metricloop.llm.settings import LanguageModel

RUNGS = ("schema", "json", "fenced")  # ways to ask for structured output, strictest first
APIS: dict[str, Any] = {"chat": chat, "responses": responses}
RESPONSES_FIRST = re.compile(
    r"^https://([\w-]+\.)*(api\.openai\.com|openai\.azure\.com|services\.ai\.azure\.com)(:|/|$)"
)
PICTURE_TOKENS = 1000  # about what a picture of 1024 pixels costs; small ones cost less
BY_SCHEMA = "Answer with one JSON object that fits this JSON schema, and with nothing else:\n{schema}"
BY_FENCE = (
    "Answer with one JSON object that fits this JSON schema, in one block that begins with a line ```json and "
    "ends with a line ```:\n{schema}"
)
# In error messages. FORMAT: the server lacks structured output, try another form. ELSEWHERE: other errors, give up.
FORMAT = ("response_format", "json", "schema", "structured", "grammar", "text.format")
ELSEWHERE = ("content_filter", "content management", "image_url", "input_image")
TOO_LARGE = re.compile(
    r"context.?(length|window|size)|too (large|long|big)|too many (tokens|images)|above_max_length|request_too_large"
    r"|reduce the length|at most \d+ (completion )?tokens|exceeds? the (maximum|limit|model)"
)
# A parameter that a server may refuse: field of the form -> how the server's text names it.
PARAMETERS = {
    "temperature": r"temperature",
    "effort": r"reasoning",
    "verbosity": r"verbosity",
    "tier": r"service_?tier|flex is not",
    "detail": r"\.detail\b|\bdetail'|image detail",
}
NOT_THERE = (404, 405, 501)  # statuses of a server that lacks an API
FORM_STATUS = (400, 422)  # statuses of a server that does not accept the form


def too_large(said: str) -> bool:
    """Whether a server says that the question, or the answer asked for, is too large; no other form mends that."""
    return bool(TOO_LARGE.search(said.lower()))


@dataclass(frozen=True)
class RequestForm:
    """The form of request that a server accepts. rung: see RUNGS; limit: the parameter for an answer's length.

    api: chat or responses; other: the API to try where the server lacks this one, or "". private: say that nothing is
    to be stored. The rest are parameters, None where they are left to the server.
    """

    rung: str = "schema"
    limit: str = "max_completion_tokens"
    temperature: float | None = None
    api: str = "chat"
    other: str = ""
    effort: str | None = None
    verbosity: str | None = None
    tier: str | None = None
    detail: str | None = None
    private: bool = True

    @classmethod
    def of(cls, settings: LanguageModel, rung: str) -> RequestForm:
        """The form to begin with. llm.api auto: responses at OpenAI and Azure, else chat; then the other one."""
        api, other = settings.api, ""
        if api == "auto":
            api, other = ("responses", "chat") if RESPONSES_FIRST.match(settings.base_url) else ("chat", "responses")
        return cls(
            rung, temperature=settings.temperature, api=api, other=other, effort=settings.reasoning_effort,
            verbosity=settings.verbosity, tier=settings.service_tier, detail=settings.picture_detail,
        )  # fmt: skip

    def request(
        self, model: str, messages: Sequence[Message], schema: Mapping[str, Any], most_tokens: int
    ) -> dict[str, Any]:
        """The body of a call. schema: {"name": ..., "schema": JSON schema}."""
        return APIS[self.api].request(self, model, self.messages(messages, schema), schema, most_tokens)

    def common(self) -> dict[str, Any]:
        """The parameters that both APIs name alike."""
        both = {"temperature": self.temperature, "service_tier": self.tier}
        return {name: value for name, value in both.items() if value is not None}

    def read(self, body: str) -> Answer:
        """The answer in a server's response. Errors: NoChoiceError; ValueError when it is no response of this API."""
        return APIS[self.api].read_answer(body)

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

    def fallback(self, said: str, status: int = 400) -> RequestForm | None:
        """Another form, for a server that refused this one with the text `said`; None when the form is not the reason.

        Every change is made once and never undone, so there are at most ten.
        """
        said = said.lower()
        no_model = "model_not_found" in said or ("model" in said and "not exist" in said)
        if too_large(said) or no_model:
            return None
        if self.other and (status in NOT_THERE or (self.api == "chat" and "v1/responses" in said)):
            return replace(self, api=self.other, other="")
        if status not in FORM_STATUS:
            return None
        for name, pattern in PARAMETERS.items():
            if getattr(self, name) is not None and re.search(pattern, said):
                return replace(self, **{name: None})  # type: ignore[arg-type]
        if self.private and self.api == "responses" and re.search(r"\bstore\b", said):
            return replace(self, private=False)
        if (
            self.api == "chat"
            and self.limit == "max_completion_tokens"
            and re.search(r"max_(completion_)?tokens", said)
        ):
            return replace(self, limit="max_tokens")
        if self.rung == RUNGS[-1] or (_none_of(FORMAT, said) and not _none_of(ELSEWHERE, said)):
            return None
        return self.stepped_down()

    def stepped_down(self) -> RequestForm:
        """The form with the next way to ask for structured output; the same form on the last rung."""
        return replace(self, rung=RUNGS[min(RUNGS.index(self.rung) + 1, len(RUNGS) - 1)])


def fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether an answer holds a JSON object with the fields that the schema requires, whatever their values."""
    try:
        value = json_in(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.keys() >= set(schema["schema"].get("required", ()))


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


def _none_of(words: Sequence[str], said: str) -> bool:
    return not any(word in said for word in words)
