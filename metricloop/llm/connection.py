"""The connection to a model's server: which headers are sent, to which host, and how large an answer may be."""

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

from metricloop.llm.mask import mask_logs, masked
from metricloop.text.clean import clean

if TYPE_CHECKING:
    import httpx2
    import openai

PORTS = {"http": 80, "https": 443}
BEARER, AZURE_HEADER = "Authorization", "api-key"  # headers with the key
AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
MOST_BYTES = 4_000_000  # of a server's response
SENT = {"host", "accept", "connection", "user-agent", "content-type", "content-length"}
SENT.add("x-stainless-raw-response")  # tells the SDK that its caller wants the raw response

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")

T = TypeVar("T")


class ConnectionSetupError(RuntimeError):
    """The environment's proxy or certificates cannot be used; the message names the variables."""


def sdk_client(base_url: str, key: SecretStr, key_header: str = "") -> openai.OpenAI:
    """An OpenAI SDK client that sends the key only to base_url's host, follows no redirect and does not retry.

    In what the server answers, body and headers, the key is masked (`llm.mask`).

    key_header: the header with the key; "" for `api-key` at Azure's hosts, and `Authorization: Bearer` elsewhere.
    The SDK never gets the key, so it cannot log it. Headers that the SDK adds from environment variables
    (OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and others) are removed. The environment's proxy and certificates are used for
    https only, where a proxy cannot read the traffic.
    Errors: ConnectionSetupError.
    """
    import httpx2
    import openai

    mask_logs(key.get_secret_value())
    split = urlsplit(base_url)
    secure = split.scheme == "https"
    header = key_header or (AZURE_HEADER if on_azure(base_url) else BEARER)
    home = (split.scheme, split.hostname, split.port or PORTS[split.scheme])

    def check_request(request: httpx2.Request) -> None:
        url = request.url
        if (url.scheme, url.host.lower(), url.port or PORTS[url.scheme]) != home:
            raise httpx2.UnsupportedProtocol(f"a call for {split.hostname} would go to another server")
        for name in set(request.headers) - SENT:
            del request.headers[name]
        request.headers["Host"] = url.netloc.decode("ascii")
        request.headers["Accept-Encoding"] = "identity"  # so that a small response cannot decompress into a huge one
        if secret := key.get_secret_value():
            request.headers[header] = f"Bearer {secret}" if header == BEARER else secret

    def read_response(response: httpx2.Response) -> None:
        """Read the body here, with limits on its size and time."""
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
        # As JSON always is; a server may name any codec, also one that makes no text. The key is masked before anything
        # reads, cuts or logs what came.
        said, secret = bytes(body).decode("utf-8", errors="replace"), key.get_secret_value()
        response.stream = httpx2.ByteStream(masked(said, secret).encode())
        response.encoding = "utf-8"
        response.headers = httpx2.Headers(
            [(name, masked(told, secret)) for name, told in response.headers.multi_items()]
        )

    try:
        client = openai.DefaultHttpxClient(
            verify=_trusted() if secure else True,
            follow_redirects=False,
            trust_env=secure,
            event_hooks={"request": [check_request], "response": [read_response]},
        )
    except OSError as error:
        said = f"the certificates that {', '.join(CERTIFICATES)} may name cannot be read: {clean(str(error))}"
        raise ConnectionSetupError(said) from None
    except (ValueError, httpx2.InvalidURL):  # its message contains the proxy's password
        raise ConnectionSetupError("the proxy in HTTPS_PROXY or ALL_PROXY is not a valid address") from None
    return openai.OpenAI(
        base_url=base_url, api_key="none", organization="", project="", max_retries=0, http_client=client
    )


def on_azure(base_url: str) -> bool:
    """Whether the server is one of Azure's, judged by its name."""
    return (urlsplit(base_url).hostname or "").endswith(AZURE)


def _trusted() -> ssl.SSLContext | bool:
    """The certificates of REQUESTS_CA_BUNDLE, which httpx ignores, unless a variable that httpx reads is set."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if not bundle or any(os.environ.get(name) for name in CERTIFICATES[:2]):
        return True
    return ssl.create_default_context(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})  # type: ignore[arg-type]


def call_within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises. Errors: TimeoutError after `seconds`; the work then goes on in a daemon thread.

    Needed because a socket's timeout starts again with every byte, and a name lookup has no timeout.
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
