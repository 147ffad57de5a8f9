"""Asks a language model, over any server that speaks the OpenAI chat-completions API."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from metricloop.llm.budget import LEAST_ANSWER
from metricloop.llm.connection import ConnectionSetupError, call_within, sdk_client
from metricloop.llm.key import clean_key, how_to_give
from metricloop.llm.message import Message, Reply
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import RUNGS, Answer, NoChoiceError, RequestForm, estimate_tokens, read_answer, tokens_in
from metricloop.text.clean import clean

if TYPE_CHECKING:
    import openai


FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts, unless the server names a time
SHORTEST_SECRET = 8  # shorter keys are not masked: they are dummy keys of local servers and occur in normal text
LOOKS_SECRET = re.compile(r"\bsk-[\w*.-]{8,}")  # OpenAI quotes a refused key with its middle masked
NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")


class ClientError(RuntimeError):
    """The model did not answer; the message says why in one line, and what to do if something can be done.

    kind: key, model, quota, busy, server, timeout, unreachable, request or nonsense.
    again: whether another attempt may help; wait: seconds that the server asks to wait before it.
    """

    def __init__(self, kind: str, said: str, *, again: bool = False, wait: float | None = None) -> None:
        super().__init__(said)
        self.kind, self.again, self.wait = kind, again, wait


class _RequestFormError(ClientError):
    """The server refuses the form of the request; `reason` is the whole text of its answer."""

    def __init__(self, said: str, reason: str) -> None:
        super().__init__("request", said)
        self.reason = reason


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
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """rung: how to ask for structured output at first (see wire.RUNGS).

        sleep, clock: replacements for the pauses between attempts and for the clock, both in seconds.

        Errors: NoKeyError when the key cannot be a key.
        """
        self.settings = settings
        self._key = SecretStr(clean_key(key or ""))
        self._form = RequestForm(rung, temperature=settings.temperature)
        self._sleep, self._clock = sleep, clock

    def __repr__(self) -> str:
        return f"Client({self.settings.model} at {self.settings.base_url})"

    @property
    def rung(self) -> str:
        """How structured output is asked for: schema, json or fenced."""
        return self._form.rung

    def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any], *, most_tokens: int, seconds: float
    ) -> Reply:
        """The model's answer: JSON that fits the schema, if the model follows it (see `llm.extract`).

        schema: {"name": ..., "schema": JSON schema}. most_tokens: for the answer with its hidden reasoning, and for all
        retries with their prompts; one answer gets at most llm.answer_tokens of them. seconds: wall time for all
        attempts and the pauses between them. The reply counts the tokens of all answered attempts, empty ones too.
        Errors: ClientError.
        """
        began = self._clock()
        ends = began + seconds
        left = most_tokens
        form, retries, counted = self._form, 0, True
        bills: list[tuple[int, int]] = []
        while True:
            answer, failure = None, None
            most = min(left, self.settings.answer_tokens)
            try:
                answer = self._attempt(form.request(self.settings.model, messages, schema, most), ends)
            except ClientError as error:
                if isinstance(error, _RequestFormError) and (other := form.fallback(error.reason)):
                    form = other
                    continue
                failure = error
            pause = _pause(messages, retries) if failure is None or failure.wait is None else failure.wait
            last = retries >= self.settings.retries or self._clock() + pause >= ends
            if failure and (last or not failure.again):
                raise _counted(failure, retries)
            if answer:
                self._form = form
                counted = counted and answer.tokens is not None
                asked = estimate_tokens(form.messages(messages, schema))
                bills.append(answer.tokens or (asked, tokens_in(answer.text)))
                left -= sum(bills[-1])
                if last or left < LEAST_ANSWER or answer.finish != "empty":
                    break
            self._sleep(pause)
            retries += 1
        return Reply(
            text=answer.text,
            model=answer.model or self.settings.model,
            finish=answer.finish,
            rung=form.rung,
            prompt_tokens=sum(read for read, _ in bills),
            completion_tokens=sum(written for _, written in bills),
            estimated=not counted,
            seconds=self._clock() - began,
            retries=retries,
            refusal=answer.refusal,
        )

    def _attempt(self, request: Mapping[str, Any], ends: float) -> Answer:
        """One call that ends by `ends`. Errors: ClientError."""
        import openai

        where, left = self.settings.base_url, ends - self._clock()
        if left <= 0:
            raise ClientError("timeout", f"{where}: no time is left for this call")
        timeout = min(self.settings.call_seconds, left)
        send = self._sdk.chat.completions.with_raw_response.create
        try:
            answer = read_answer(call_within(timeout, lambda: send(**request, timeout=timeout).text))
        except (TimeoutError, openai.APITimeoutError):
            raise ClientError("timeout", f"{where}: no answer within {timeout:.3g} s", again=True) from None
        except openai.APIConnectionError as error:
            said = self._clean(str(error.__cause__ or error))
            raise ClientError("unreachable", f"{where}: {said}", again=True) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (ValueError, RecursionError) as error:
            said = f"the answer of {where} is not a chat completion: {self._clean(str(error))}"
            raise ClientError("nonsense", said, again=isinstance(error, NoChoiceError)) from None
        return replace(
            answer,
            text=self._hide(answer.text),
            finish=self._hide(answer.finish),
            model=self._hide(answer.model),
            refusal=answer.refusal and self._hide(answer.refusal),
        )

    @cached_property
    def _sdk(self) -> openai.OpenAI:
        try:
            return sdk_client(self.settings.base_url, self._key)
        except ConnectionSetupError as error:
            raise ClientError("unreachable", f"{self.settings.base_url}: {error}") from None

    def _refused(self, error: openai.APIStatusError) -> ClientError:
        """The error for a status other than 2xx."""
        status, where, whole = error.status_code, self.settings.base_url, error.response.text
        message = error.body.get("message") if isinstance(error.body, dict) else None
        said = self._clean(message if isinstance(message, str) else whole)
        says = f" ({status}): {said}" if said else f" ({status})"
        if 300 <= status < 400:
            to = self._clean(error.response.headers.get("location", "nowhere"))
            said = f"{where} redirects ({status}) to {to}, which is not followed; llm.base_url may name it"
            return ClientError("request", said)
        if status == 404 or "model_not_found" in whole:
            hint = "check llm.model and llm.base_url"
            return ClientError("model", f"no model {self.settings.model!r} at {where}{says}; {hint}")
        if status == 401:  # the server's text may contain parts of the key
            return ClientError(
                "key", f"{where} {'refuses the key' if self._secret else 'wants a key'} (401); {self._give}"
            )
        if status == 403:
            return ClientError("key", f"{where} does not accept this key{says}; {self._give}")
        if status == 402 or any(word in whole for word in NO_QUOTA):
            return ClientError("quota", f"{where}: the account has no credit left{says}")
        wait = _asked_wait(error.response.headers)
        if status == 429:
            waits = "" if wait is None else f", and asks to wait {wait:.3g} s"
            return ClientError("busy", f"{where} is busy{waits}{says}", again=True, wait=wait)
        if status == 408:
            return ClientError("timeout", f"{where} timed out{says}", again=True, wait=wait)
        if status >= 500:
            return ClientError("server", f"{where} failed{says}", again=True, wait=wait)
        if status in (400, 422):
            return _RequestFormError(f"{where} refuses the question{says}", whole)
        return ClientError("request", f"{where} refuses the question{says}")

    @property
    def _secret(self) -> str:
        return self._key.get_secret_value()

    @property
    def _give(self) -> str:
        """How to give a key, for a message."""
        return how_to_give(self.settings.base_url)

    def _hide(self, text: str) -> str:
        return text.replace(self._secret, "***") if len(self._secret) >= SHORTEST_SECRET else text

    def _clean(self, said: str) -> str:
        return clean(LOOKS_SECRET.sub("***", self._hide(said)))


def _counted(failure: ClientError, retries: int) -> ClientError:
    """The failure, with the number of attempts in its message."""
    if retries:
        failure.args = (f"{failure} (asked {retries + 1} times)",)
    return failure


def _pause(messages: Sequence[Message], retries: int) -> float:
    """Seconds before the next attempt: twice as many each time, varied by the question, so that threads whose calls
    failed together do not retry together; the same in every run."""
    seed = hashlib.sha256(f"{retries} {messages[-1].text if messages else ''}".encode(errors="replace")).digest()
    return min(FIRST_PAUSE * 2.0**retries, LONGEST_PAUSE) * (0.75 + 0.5 * seed[0] / 255)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, or None; a date is compared with the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(wait):
            return max(0.0, wait)
    try:
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(headers["retry-after"]) - now).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
