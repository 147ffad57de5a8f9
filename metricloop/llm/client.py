"""Asks a language model, over any server that speaks OpenAI's Responses or chat-completions API."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from metricloop.llm.answer import Answer, NoChoiceError, Usage
from metricloop.llm.budget import LEAST_ANSWER
from metricloop.llm.check_endpoint import Listed, list_models
from metricloop.llm.client_error import ClientError, RequestFormError, refused
from metricloop.llm.connection import ConnectionSetupError, call_within, sdk_client
from metricloop.llm.key import clean_key
from metricloop.llm.mask import masked
from metricloop.llm.message import Message, Reply
from metricloop.llm.pauses import pause_before
from metricloop.llm.room import Room
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import RUNGS, RequestForm, estimate_tokens, fits, tokens_in, too_large
from metricloop.text.clean import clean

if TYPE_CHECKING:
    import openai


LOOKS_SECRET = re.compile(r"\bsk-[\w*.-]{8,}")  # OpenAI quotes a refused key with its middle masked
UNFIT = 2  # answers in a row without the JSON that was asked for, after which it is asked for in another way


class Client:
    """The language model `settings.model` at `settings.base_url`. Threads may share a client.

    It remembers which form of request the server accepts. The key is sent to that server only, and no error, answer or
    log contains it.
    """

    def __init__(
        self,
        settings: LanguageModel,
        key: str | None,
        *,
        rung: str = RUNGS[0],
        key_header: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """rung: how to ask for structured output at first (see wire.RUNGS). key_header: see connection.sdk_client.

        sleep, clock: replacements for the pauses between attempts and for the clock, both in seconds.

        Errors: NoKeyError when the key cannot be a key.
        """
        self.settings = settings
        self._key = SecretStr(clean_key(key or ""))
        self._form = RequestForm.of(settings, rung)
        self._room = Room(settings.answer_tokens)
        self._unfit = 0  # answers in a row without the JSON that was asked for
        self._key_header = key_header
        self._sleep, self._clock = sleep, clock

    def __repr__(self) -> str:
        return f"Client({self.settings.model} at {self.settings.base_url})"

    @property
    def rung(self) -> str:
        """How structured output is asked for: schema, json or fenced."""
        return self._form.rung

    def listed(self) -> Listed | None:
        """The models that the server names; None when it does not answer, or names none."""
        import openai

        try:
            return list_models(self.settings.base_url, self._key, self._key_header)
        except (openai.APIError, ConnectionSetupError, TimeoutError, ValueError):
            return None

    def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any], *, most_tokens: int, seconds: float
    ) -> Reply:
        """The model's answer: JSON that fits the schema, if the model follows it (see `llm.extract`).

        schema: {"name": ..., "schema": JSON schema}. most_tokens: for the answer with its hidden reasoning, and for all
        retries with their prompts; one answer gets at most llm.answer_tokens of them, or more where its reasoning took
        all (see llm.room). seconds: wall time for all attempts and the pauses between them. The reply counts the tokens
        of all answered attempts, empty ones too.
        Errors: ClientError.
        """
        began = self._clock()
        ends = began + seconds
        form, room, retries, widened, counted = self._form, self._room, 0, 0, True
        bills: list[Usage] = []
        answer: Answer | None = None
        while True:
            failure = None
            left = most_tokens - sum(bill.read + bill.written for bill in bills)
            try:
                body = form.request(self.settings.model, messages, schema, min(left, room.tokens))
                answer = self._attempt(form, body, ends)
            except ClientError as error:
                failure = error
            if isinstance(failure, RequestFormError):
                if widened and too_large(failure.reason) and (other := room.refused(form, self.settings.answer_tokens)):
                    form, room = other
                    continue
                if otherwise := form.fallback(failure.reason, failure.status):
                    form = otherwise
                    continue
            pause = pause_before(messages, retries) if failure is None or failure.wait is None else failure.wait
            last = retries >= self.settings.retries or self._clock() + pause >= ends
            if failure and (last or not failure.again):
                if answer is None:
                    raise _counted(failure, retries)
                break  # an earlier attempt was answered, without any text: what it took is to be counted
            if failure is None and answer:
                self._form, self._room = form, room
                counted = counted and answer.usage is not None
                asked = estimate_tokens(form.messages(messages, schema))
                bills.append(answer.usage or Usage(asked, tokens_in(answer.text)))
                left -= bills[-1].read + bills[-1].written
                wider = room.after(form, left - bills[-1].read) if _only_thoughts(answer) else None
                if wider and left >= LEAST_ANSWER and self._clock() < ends:
                    (form, room), widened = wider, widened + 1
                    continue
                if last or left < LEAST_ANSWER or answer.finish != "empty":
                    break
            self._sleep(pause)
            retries += 1
        self._judge(form, answer, schema)
        return Reply(
            text=answer.text,
            model=answer.model or self.settings.model,
            finish=answer.finish,
            rung=form.rung,
            prompt_tokens=sum(bill.read for bill in bills),
            completion_tokens=sum(bill.written for bill in bills),
            estimated=not counted,
            seconds=self._clock() - began,
            retries=retries + widened,
            refusal=answer.refusal,
            cached_tokens=sum(bill.cached for bill in bills),
            reasoning_tokens=sum(bill.reasoning for bill in bills),
            api=form.api,
            effort=form.effort,
            tier=answer.tier or form.tier or "",
        )

    def _judge(self, form: RequestForm, answer: Answer, schema: Mapping[str, Any]) -> None:
        """Ask for JSON in another way from now on, after answers without it: the server may ignore how it was asked."""
        if answer.finish in ("refusal", "length", "empty"):
            return
        self._unfit = 0 if fits(answer.text, schema) else self._unfit + 1
        if self._unfit >= UNFIT:
            self._form, self._unfit = form.stepped_down(), 0

    def _attempt(self, form: RequestForm, request: Mapping[str, Any], ends: float) -> Answer:
        """One call that ends by `ends`. Errors: ClientError."""
        import openai

        where, left = self.settings.base_url, ends - self._clock()
        if left <= 0:
            raise ClientError("timeout", f"{where}: no time is left for this call")
        timeout = min(self.settings.call_seconds, left)
        sdk = self._sdk
        send: Any = (sdk.responses if form.api == "responses" else sdk.chat.completions).with_raw_response.create
        try:
            body: str = call_within(timeout, lambda: send(**request, timeout=timeout).text)
            answer = form.read(body)
        except (TimeoutError, openai.APITimeoutError):
            raise ClientError("timeout", f"{where}: no answer within {timeout:.3g} s", again=True) from None
        except openai.APIConnectionError as error:
            said = self._clean(str(error.__cause__ or error))
            raise ClientError("unreachable", f"{where}: {said}", again=True) from None
        except openai.APIStatusError as error:
            raise refused(error, self.settings, bool(self._key), self._clean) from None
        except (ValueError, RecursionError) as error:
            what = "a response of the Responses API" if form.api == "responses" else "a chat completion"
            said = f"the answer of {where} is not {what}: {self._clean(str(error))}"
            raise ClientError("nonsense", said, again=isinstance(error, NoChoiceError)) from None
        return replace(  # again: what came in parts is whole now
            answer,
            text=self._hide(answer.text),
            finish=self._hide(answer.finish),
            model=self._hide(answer.model),
            refusal=answer.refusal and self._hide(answer.refusal),
            tier=self._hide(answer.tier),
        )

    @cached_property
    def _sdk(self) -> openai.OpenAI:
        try:
            return sdk_client(self.settings.base_url, self._key, self._key_header)
        except ConnectionSetupError as error:
            raise ClientError("unreachable", f"{self.settings.base_url}: {error}") from None

    def _hide(self, text: str) -> str:
        return masked(text, self._key.get_secret_value())

    def _clean(self, said: str) -> str:
        return clean(LOOKS_SECRET.sub("***", self._hide(said)))


def _only_thoughts(answer: Answer) -> bool:
    """Whether the model's reasoning took the whole answer: it was cut off before any text."""
    return answer.finish == "length" and not answer.text.strip()


def _counted(failure: ClientError, retries: int) -> ClientError:
    """The failure, with the number of attempts in its message."""
    if retries:
        failure.args = (f"{failure} (asked {retries + 1} times)",)
    return failure
