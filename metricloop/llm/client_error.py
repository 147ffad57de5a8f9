"""Why a language model did not answer: the error, and what a server's status means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from metricloop.llm.key import how_to_give
from metricloop.llm.pauses import asked_wait
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import too_large

if TYPE_CHECKING:
    import openai

NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")
SMALLER = "it is too large: show fewer pictures (llm.pictures), or lower llm.answer_tokens"


class ClientError(RuntimeError):
    """The model did not answer; the message says why in one line, and what to do if something can be done.

    kind: key, model, quota, busy, server, timeout, unreachable, request or nonsense.
    again: whether another attempt may help; wait: seconds that the server asks to wait before it.
    """

    def __init__(self, kind: str, said: str, *, again: bool = False, wait: float | None = None) -> None:
        super().__init__(said)
        self.kind, self.again, self.wait = kind, again, wait


class RequestFormError(ClientError):
    """The server refuses the form of the request, or lacks the API; `reason` is the whole text of its answer."""

    def __init__(self, kind: str, said: str, reason: str, status: int) -> None:
        super().__init__(kind, said)
        self.reason, self.status = reason, status


def refused(
    error: openai.APIStatusError, settings: LanguageModel, key: bool, cleaned: Callable[[str], str]
) -> ClientError:
    """The error for a status other than 2xx. key: whether one was sent. cleaned: makes the server's words one line."""
    status, where, whole = error.status_code, settings.base_url, error.response.text
    message = error.body.get("message") if isinstance(error.body, dict) else None
    give = how_to_give(where)
    said = cleaned(message if isinstance(message, str) else whole)
    says = f" ({status}): {said}" if said else f" ({status})"
    if 300 <= status < 400:
        to = cleaned(error.response.headers.get("location", "nowhere"))
        said = f"{where} redirects ({status}) to {to}, which is not followed; llm.base_url may name it"
        return ClientError("request", said)
    if status == 404 or "model_not_found" in whole:
        hint = "check llm.model and llm.base_url, or see what there is: metricloop doctor --llm"
        return RequestFormError("model", f"no model {settings.model!r} at {where}{says}; {hint}", whole, status)
    if status == 401:  # the server's text may contain parts of the key
        return ClientError("key", f"{where} {'refuses the key' if key else 'wants a key'} (401); {give}")
    if status == 403:
        return ClientError("key", f"{where} does not accept this key{says}; {give}")
    if status == 402 or any(word in whole for word in NO_QUOTA):
        return ClientError("quota", f"{where}: the account has no credit left{says}")
    if status in (400, 413, 422, 429) and too_large(f"{whole} {said}" if status != 413 else "too large"):
        return RequestFormError("request", f"{where} refuses the question{says}; {SMALLER}", whole, status)
    wait = asked_wait(error.response.headers)
    if status == 429:
        waits = "" if wait is None else f", and asks to wait {wait:.3g} s"
        return ClientError("busy", f"{where} is busy{waits}{says}", again=True, wait=wait)
    if status == 408:
        return ClientError("timeout", f"{where} timed out{says}", again=True, wait=wait)
    if status == 501:
        return RequestFormError("server", f"{where} failed{says}", whole, status)
    if status >= 500:
        return ClientError("server", f"{where} failed{says}", again=True, wait=wait)
    if status in (400, 405, 422):
        return RequestFormError("request", f"{where} refuses the question{says}", whole, status)
    return ClientError("request", f"{where} refuses the question{says}")
