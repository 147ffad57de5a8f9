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
from metricloop.llm.door import DoorError, open_door, within
from metricloop.llm.key import clean_key, how_to_give
from metricloop.llm.message import Message, Reply
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import RUNGS, Answer, Manner, NoChoiceError, estimate_tokens, read_answer, tokens_in
from metricloop.text.clean import clean

if TYPE_CHECKING:
    import openai


FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts, where the server names none
SHORTEST_SECRET = 8  # a shorter key is a word for a server of one's own, and may well occur in an answer
LOOKS_SECRET = re.compile(r"\bsk-[\w*.-]{8,}")  # OpenAI repeats a refused key with its middle blotted out
NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")


class ClientError(RuntimeError):
    """No answer can be had; the message says why in one line, and what to do where something can be done.

    kind: key, model, quota, busy, server, timeout, unreachable, request or nonsense.
    again: whether asking again may help; wait: seconds that the server asks to wait before.
    """

    def __init__(self, kind: str, said: str, *, again: bool = False, wait: float | None = None) -> None:
        super().__init__(said)
        self.kind, self.again, self.wait = kind, again, wait


class _NotLikeThatError(ClientError):
    """The server refuses the question as it stands; `reason` is all that it says."""

    def __init__(self, said: str, reason: str) -> None:
        super().__init__("request", said)
        self.reason = reason


class Client:
    """The language model `settings.model` at `settings.base_url`. Threads may share one.

    It remembers how the server wants to be asked. The key goes to that server alone; no error, answer or log has it.
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
        """rung: how to ask for structured output at first, where that is known of the server.

        sleep, clock: stand-ins for pauses between attempts and the time they are measured by, both in seconds.

        Errors: NoKeyError where the key cannot be one.
        """
        self.settings = settings
        self._key = SecretStr(clean_key(key or ""))
        self._manner = Manner(rung, temperature=settings.temperature)
        self._sleep, self._clock = sleep, clock

    def __repr__(self) -> str:
        return f"Client({self.settings.model} at {self.settings.base_url})"

    @property
    def rung(self) -> str:
        """How structured output is asked for: schema, json or fenced."""
        return self._manner.rung

    def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any], *, most_tokens: int, seconds: float
    ) -> Reply:
        """The model's answer, as JSON that fits the schema if it does as it is told (see `llm.extract`).

        schema: {"name": ..., "schema": JSON schema}. most_tokens: of the answer, hidden thoughts included,
        and of all that asking again takes, prompts too; an answer gets llm.answer_tokens of them at most.
        seconds: wall time that all attempts and the pauses between them may take together.
        The reply's tokens are those of all attempts that were answered, with nothing or with something.
        Errors: ClientError.
        """
        began = self._clock()
        ends = began + seconds
        left = most_tokens
        manner, retries, counted = self._manner, 0, True
        bills: list[tuple[int, int]] = []
        while True:
            answer, failure = None, None
            most = min(left, self.settings.answer_tokens)
            try:
                answer = self._attempt(manner.request(self.settings.model, messages, schema, most), ends)
            except ClientError as error:
                if isinstance(error, _NotLikeThatError) and (other := manner.after(error.reason)):
                    manner = other
                    continue
                failure = error
            pause = _pause(messages, retries) if failure is None or failure.wait is None else failure.wait
            last = retries >= self.settings.retries or self._clock() + pause >= ends
            if failure and (last or not failure.again):
                raise _counted(failure, retries)
            if answer:
                self._manner = manner
                counted = counted and answer.tokens is not None
                asked = estimate_tokens(manner.messages(messages, schema))
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
            rung=manner.rung,
            prompt_tokens=sum(read for read, _ in bills),
            completion_tokens=sum(written for _, written in bills),
            estimated=not counted,
            seconds=self._clock() - began,
            retries=retries,
            refusal=answer.refusal,
        )

    def _attempt(self, request: Mapping[str, Any], ends: float) -> Answer:
        """One call, over by `ends`. Errors: ClientError."""
        import openai

        where, left = self.settings.base_url, ends - self._clock()
        if left <= 0:
            raise ClientError("timeout", f"{where}: the time that was left for this call is over")
        timeout = min(self.settings.call_seconds, left)
        send = self._door.chat.completions.with_raw_response.create
        try:
            answer = read_answer(within(timeout, lambda: send(**request, timeout=timeout).text))
        except (TimeoutError, openai.APITimeoutError):
            raise ClientError("timeout", f"{where}: no answer within {timeout:.3g} s", again=True) from None
        except openai.APIConnectionError as error:
            said = self._clean(str(error.__cause__ or error))
            raise ClientError("unreachable", f"{where}: {said}", again=True) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (ValueError, RecursionError) as error:
            said = f"what {where} sent is no chat completion: {self._clean(str(error))}"
            raise ClientError("nonsense", said, again=isinstance(error, NoChoiceError)) from None
        return replace(
            answer,
            text=self._hide(answer.text),
            finish=self._hide(answer.finish),
            model=self._hide(answer.model),
            refusal=answer.refusal and self._hide(answer.refusal),
        )

    @cached_property
    def _door(self) -> openai.OpenAI:
        try:
            return open_door(self.settings.base_url, self._key)
        except DoorError as error:
            raise ClientError("unreachable", f"{self.settings.base_url}: {error}") from None

    def _refused(self, error: openai.APIStatusError) -> ClientError:
        """What a status other than 2xx means."""
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
        if status == 401:  # whose words tend to hold parts of the key
            return ClientError(
                "key", f"{where} {'refuses the key' if self._secret else 'wants a key'} (401); {self._give}"
            )
        if status == 403:
            return ClientError("key", f"{where} does not let this key in{says}; {self._give}")
        if status == 402 or any(word in whole for word in NO_QUOTA):
            return ClientError("quota", f"{where}: the account has no credit left{says}")
        wait = _asked_wait(error.response.headers)
        if status == 429:
            waits = "" if wait is None else f", and asks to wait {wait:.3g} s"
            return ClientError("busy", f"{where} takes no more calls just now{waits}{says}", again=True, wait=wait)
        if status == 408:
            return ClientError("timeout", f"{where} gave up waiting{says}", again=True, wait=wait)
        if status >= 500:
            return ClientError("server", f"{where} failed{says}", again=True, wait=wait)
        if status in (400, 422):
            return _NotLikeThatError(f"{where} refuses the question{says}", whole)
        return ClientError("request", f"{where} refuses the question{says}")

    @property
    def _secret(self) -> str:
        return self._key.get_secret_value()

    @property
    def _give(self) -> str:
        """What to do about a key."""
        return how_to_give(self.settings.base_url)

    def _hide(self, text: str) -> str:
        return text.replace(self._secret, "***") if len(self._secret) >= SHORTEST_SECRET else text

    def _clean(self, said: str) -> str:
        return clean(LOOKS_SECRET.sub("***", self._hide(said)))


def _counted(failure: ClientError, retries: int) -> ClientError:
    """The failure, saying how often the question was asked."""
    if retries:
        failure.args = (f"{failure} (asked {retries + 1} times)",)
    return failure


def _pause(messages: Sequence[Message], retries: int) -> float:
    """Seconds before the next attempt: twice as many each time, and spread by the question, so that threads whose
    calls failed together do not all come back together; the same in every run."""
    seed = hashlib.sha256(f"{retries} {messages[-1].text if messages else ''}".encode(errors="replace")).digest()
    return min(FIRST_PAUSE * 2.0**retries, LONGEST_PAUSE) * (0.75 + 0.5 * seed[0] / 255)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds a server asks to wait; a date counts by the server's own clock."""
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
