"""The way to a model's server: what may leave for it, to which host, and how much may come back."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    import httpx2
    import openai

PORTS = {"http": 80, "https": 443}
MOST_BYTES = 4_000_000  # of a server's response
SENT = {"host", "accept", "connection", "user-agent", "content-type", "content-length"}
SENT.add("x-stainless-raw-response")  # the SDK looks here whether its caller wants the response as it came

T = TypeVar("T")


def open_door(base_url: str, key: SecretStr) -> openai.OpenAI:
    """An SDK client that sends the key to base_url's host alone, follows no redirect and repeats nothing by itself.

    The SDK gets no key, so that it cannot log one, and the headers that its environment variables add
    (OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and others) are taken out again. A proxy that the environment names is used
    for https, where it cannot read along.
    """
    import httpx2
    import openai

    split = urlsplit(base_url)
    home = (split.scheme, split.hostname, split.port or PORTS[split.scheme])

    def leave(request: httpx2.Request) -> None:
        url = request.url
        if (url.scheme, url.host.lower(), url.port or PORTS[url.scheme]) != home:
            raise httpx2.UnsupportedProtocol(f"a call for {split.hostname} was led elsewhere")
        for name in set(request.headers) - SENT:
            del request.headers[name]
        request.headers["Host"] = url.netloc.decode("ascii")
        request.headers["Accept-Encoding"] = "identity"  # so that a small response cannot unfold into a huge one
        if secret := key.get_secret_value():
            request.headers["Authorization"] = f"Bearer {secret}"

    def come_back(response: httpx2.Response) -> None:
        """Read the body here, where its size and the time it takes are looked at."""
        ends = time.monotonic() + response.request.extensions["timeout"]["read"]
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("a compressed response, which was not asked for")
        body = bytearray()
        for chunk in response.stream:  # type: ignore[union-attr]
            body += chunk
            if len(body) > MOST_BYTES:
                raise ValueError(f"a response of more than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > ends:
                raise httpx2.ReadTimeout("the response came too slowly")
        response.stream.close()  # type: ignore[union-attr]
        response.stream = httpx2.ByteStream(bytes(body))

    return openai.OpenAI(
        base_url=base_url,
        api_key="none",
        organization="",
        project="",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=base_url.lower().startswith("https://"),
            event_hooks={"request": [leave], "response": [come_back]},
        ),
    )


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises. Errors: TimeoutError after `seconds`; the work is then left to a dying thread.

    A socket's own timeouts count anew with every byte, and looking up a name has none.
    """
    done: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # handed to the waiting thread
            done.put((None, error))

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    try:
        value, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
