"""The way to a model's server: what may leave for it, to which host, and how much may come back."""

from __future__ import annotations

import contextvars
import os
import queue
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from metricloop.text.clean import clean

if TYPE_CHECKING:
    import httpx2
    import openai

PORTS = {"http": 80, "https": 443}
MOST_BYTES = 4_000_000  # of a server's response
SENT = {"host", "accept", "connection", "user-agent", "content-type", "content-length"}
SENT.add("x-stainless-raw-response")  # the SDK looks here whether its caller wants the response as it came

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")

T = TypeVar("T")


class DoorError(RuntimeError):
    """What the environment says about the way to a server cannot be used; the message names the variables."""


def open_door(base_url: str, key: SecretStr) -> openai.OpenAI:
    """An SDK client that sends the key to base_url's host alone, follows no redirect and repeats nothing by itself.

    The SDK gets no key, so that it cannot log one, and the headers that its environment variables add
    (OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and others) are taken out again. A proxy that the environment names is used
    for https, where it cannot read along, and so are its certificates.
    Errors: DoorError.
    """
    import httpx2
    import openai

    split = urlsplit(base_url)
    secure = split.scheme == "https"
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

    try:
        client = openai.DefaultHttpxClient(
            verify=_trusted() if secure else True,
            follow_redirects=False,
            trust_env=secure,
            event_hooks={"request": [leave], "response": [come_back]},
        )
    except OSError as error:
        said = f"the certificates that {', '.join(CERTIFICATES)} may name cannot be read: {clean(str(error))}"
        raise DoorError(said) from None
    except (ValueError, httpx2.InvalidURL):  # whose words hold the proxy's password
        raise DoorError("a proxy that the environment names (HTTPS_PROXY, ALL_PROXY) is no address") from None
    return openai.OpenAI(
        base_url=base_url, api_key="none", organization="", project="", max_retries=0, http_client=client
    )


def _trusted() -> ssl.SSLContext | bool:
    """The certificates of REQUESTS_CA_BUNDLE, which httpx does not know, unless a variable that it knows is set."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if not bundle or any(os.environ.get(name) for name in CERTIFICATES[:2]):
        return True
    return ssl.create_default_context(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})  # type: ignore[arg-type]


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
