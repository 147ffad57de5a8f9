"""The key of a language model's server: read only from the environment, and sent to one server only."""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import sys
from collections.abc import Mapping
from typing import TextIO
from urllib.parse import SplitResult, urlsplit

from metricloop.sandbox.libc import PR_SET_DUMPABLE, prctl
from metricloop.text.clean import clean

OPENAI = "api.openai.com"
ANY_SERVER, OPENAI_ONLY = "METRICLOOP_API_KEY", "OPENAI_API_KEY"
HOST = "METRICLOOP_API_HOST"  # HOST or HOST:PORT of the server that gets ANY_SERVER; not a secret
HANDED = "METRICLOOP_KEYS"  # set to "stdin" for a step that reads the keys from standard input
LONGEST_LINE = 20_000  # characters of the line with the keys


class NoKeyError(ValueError):
    """There is no usable key; the message says what to set, and never contains a key."""


def api_key(base_url: str, keys: Mapping[str, str] = os.environ) -> str | None:
    """The key for the server at `base_url`; None when no key is set and the server may work without one.

    A stranger's workspace names its server in params.yaml, and would get the key with the first run. So OPENAI_API_KEY
    is sent only to OpenAI. METRICLOOP_API_KEY is sent only to this machine and to the server that METRICLOOP_API_HOST
    names, and there it is used before OPENAI_API_KEY.
    Errors: NoKeyError when OpenAI has no key, when the key is for another server, would be sent over plain http, or
    cannot be a key.
    """
    split, own = _split(base_url), clean_key(keys.get(ANY_SERVER, ""), ANY_SERVER)
    if own and (on_loopback(base_url) or _names(keys.get(HOST, ""), split)):
        key = own
    elif is_openai(base_url) and (theirs := clean_key(keys.get(OPENAI_ONLY, ""), OPENAI_ONLY)):
        key = theirs
    elif own:
        named = clean(keys.get(HOST, ""))
        raise NoKeyError(
            f"{ANY_SERVER} is not sent to {clean(base_url)} (llm.base_url): {HOST} "
            f"{f'names {named}' if named else 'is not set'}; export {HOST}={_server(split)} "
            f"if you mean that server, or unset {ANY_SERVER} if it needs no key"
        )
    elif is_openai(base_url):
        raise NoKeyError(f"{base_url} needs a key and none is set; {how_to_give(base_url)}")
    else:
        return None
    if split.scheme != "https" and not on_loopback(base_url):
        raise NoKeyError(
            f"llm.base_url is {clean(base_url)}: a key is not sent over plain http; "
            f"write https://{clean(base_url).partition('://')[2]}"
        )
    return key


def how_to_give(base_url: str) -> str:
    """How to give a key for the server at `base_url`, for a message."""
    if is_openai(base_url):
        return f"give yours with: export {OPENAI_ONLY}=... ({ANY_SERVER} goes before it where {HOST} is {OPENAI})"
    host = "" if on_loopback(base_url) else f" {HOST}={_server(_split(base_url))}"
    return f"give yours with: export {ANY_SERVER}=...{host}"


def is_openai(base_url: str) -> bool:
    return _split(base_url).hostname == OPENAI


def on_loopback(base_url: str) -> bool:
    """Whether the server is on this machine, judged by its name; no name is looked up."""
    host = _split(base_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(base_url: str) -> SplitResult:
    """The parts of base_url. Errors: NoKeyError when it names no server."""
    try:
        split = urlsplit(base_url)
        if split.hostname and split.port != 0:  # .port raises ValueError when it is not a port
            return split
    except ValueError:
        pass
    raise NoKeyError(f"llm.base_url is {clean(base_url)}: that names no server; write https://HOST/v1")


def _names(meant: str, split: SplitResult) -> bool:
    """Whether METRICLOOP_API_HOST names this server; without a port it names every server of its host."""
    host, port = _host(split), split.port or (443 if split.scheme == "https" else 80)
    return meant.strip().lower() in (host, f"{host}:{port}")


def _server(split: SplitResult) -> str:
    """The server in the form of METRICLOOP_API_HOST, quoted for a shell, since a stranger may have written it."""
    return shlex.quote(clean(_host(split) + (f":{split.port}" if split.port else "")))


def _host(split: SplitResult) -> str:
    host = split.hostname or ""
    return f"[{host}]" if ":" in host else host


def take_keys() -> dict[str, str]:
    """Take the keys and their host out of the environment, so that no process started later inherits them."""
    taken = {name: os.environ.pop(name, "") for name in (ANY_SERVER, OPENAI_ONLY, HOST)}
    return {name: key for name, key in taken.items() if key}


def protect_memory() -> None:
    """Let no other process of the same user, debugger or core dump see this process's memory and environment.

    On Linux only; root still can. Processes that this one starts by exec are not protected.
    """
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)


def hand_over(keys: Mapping[str, str]) -> str:
    """The line to write to the standard input of the process that asks the model; `read_keys` reads it."""
    return json.dumps(dict(keys)) + "\n"


def read_keys(stream: TextIO) -> dict[str, str]:
    """The keys that the parent process wrote with `hand_over`; none from a terminal or an empty stream.

    The process is protected before it reads them, see `protect_memory`.
    Errors: NoKeyError when the line is something else.
    """
    if stream.isatty():
        return {}
    protect_memory()  # before the keys are in it
    line = stream.readline(LONGEST_LINE)
    if not line.strip():
        return {}
    try:
        keys = json.loads(line)
    except (ValueError, RecursionError):
        keys = None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise NoKeyError("the first line of standard input does not hold the keys from the parent process")
    return {name: keys[name] for name in (ANY_SERVER, OPENAI_ONLY, HOST) if name in keys}


def clean_key(key: str, name: str = "the key") -> str:
    """A key without surrounding blanks. Errors: NoKeyError, without the key, when it cannot stand in a header."""
    key = key.strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise NoKeyError(f"{name} contains blanks, line breaks or characters that no key has; copy the key again")
    return key
