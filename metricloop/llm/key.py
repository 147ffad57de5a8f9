"""The key to a language model's server: it comes from the environment alone, and goes to one server alone."""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
from collections.abc import Mapping
from typing import TextIO
from urllib.parse import SplitResult, urlsplit

from metricloop.text.clean import clean

OPENAI = "api.openai.com"
ANY_SERVER, OPENAI_ONLY = "METRICLOOP_API_KEY", "OPENAI_API_KEY"
HOST = "METRICLOOP_API_HOST"  # HOST or HOST:PORT of the server that ANY_SERVER is for; no secret
HANDED = "METRICLOOP_KEYS"  # variable of a step; "stdin": its parent hands the keys over there, not in its environment
LONGEST_LINE = 20_000  # characters of the line that hands keys over


class NoKeyError(ValueError):
    """There is no key that can be used; the message says what to set, and never holds a key."""


def api_key(base_url: str, keys: Mapping[str, str] = os.environ) -> str | None:
    """The key for the server at `base_url`; None where none is set and the server may do without.

    A workspace made by a stranger names the server in its params.yaml, and one run of it would otherwise hand him the
    key. So OPENAI_API_KEY goes to OpenAI only, and METRICLOOP_API_KEY, which goes before it, to the server that
    METRICLOOP_API_HOST names and to this machine.
    Errors: NoKeyError where OpenAI is asked without a key, a key is set and not for this server, would travel over
    plain http, or cannot be one.
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
            f"if that is the server you mean, or unset {ANY_SERVER} if it wants no key"
        )
    elif is_openai(base_url):
        raise NoKeyError(f"{base_url} wants a key and none is set; {how_to_give(base_url)}")
    else:
        return None
    if split.scheme != "https" and not on_loopback(base_url):
        raise NoKeyError(
            f"llm.base_url is {clean(base_url)}: a key does not travel over plain http; "
            f"write https://{clean(base_url).partition('://')[2]}"
        )
    return key


def how_to_give(base_url: str) -> str:
    """What to do so that the server at `base_url` gets a key."""
    if is_openai(base_url):
        return f"give yours with: export {OPENAI_ONLY}=... ({ANY_SERVER} goes before it where {HOST} is {OPENAI})"
    host = "" if on_loopback(base_url) else f" {HOST}={_server(_split(base_url))}"
    return f"give yours with: export {ANY_SERVER}=...{host}"


def is_openai(base_url: str) -> bool:
    return _split(base_url).hostname == OPENAI


def on_loopback(base_url: str) -> bool:
    """Whether the server is on this machine, by its name alone; nothing is looked up."""
    host = _split(base_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(base_url: str) -> SplitResult:
    """Errors: NoKeyError where no server can be read from base_url."""
    try:
        split = urlsplit(base_url)
        if split.hostname and split.port != 0:  # a port that is none raises ValueError
            return split
    except ValueError:
        pass
    raise NoKeyError(f"llm.base_url is {clean(base_url)}: that names no server; write https://HOST/v1")


def _names(meant: str, split: SplitResult) -> bool:
    """Whether METRICLOOP_API_HOST is this server; without a port it is every server of that host."""
    host, port = _host(split), split.port or (443 if split.scheme == "https" else 80)
    return meant.strip().lower() in (host, f"{host}:{port}")


def _server(split: SplitResult) -> str:
    """The server as METRICLOOP_API_HOST names it, fit for a shell: a stranger wrote it."""
    return shlex.quote(clean(_host(split) + (f":{split.port}" if split.port else "")))


def _host(split: SplitResult) -> str:
    host = split.hostname or ""
    return f"[{host}]" if ":" in host else host


def take_keys() -> dict[str, str]:
    """The keys in the environment, and whom they are for, taken out of it: no process started later inherits them."""
    taken = {name: os.environ.pop(name, "") for name in (ANY_SERVER, OPENAI_ONLY, HOST)}
    return {name: key for name, key in taken.items() if key}


def hand_over(keys: Mapping[str, str]) -> str:
    """What to write to the standard input of the one process that may ask the model; `read_keys` reads it there."""
    return json.dumps(dict(keys)) + "\n"


def read_keys(stream: TextIO) -> dict[str, str]:
    """The keys that the parent process wrote with `hand_over`; none from a terminal or a stream without a line.

    Errors: NoKeyError when the line holds something else.
    """
    line = "" if stream.isatty() else stream.readline(LONGEST_LINE)
    if not line.strip():
        return {}
    try:
        keys = json.loads(line)
    except (ValueError, RecursionError):
        keys = None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise NoKeyError("the first line of standard input is not the keys that a parent process hands over")
    return {name: keys[name] for name in (ANY_SERVER, OPENAI_ONLY, HOST) if name in keys}


def clean_key(key: str, name: str = "the key") -> str:
    """A key without the blanks around it. Errors: NoKeyError, not holding it, where no header could."""
    key = key.strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise NoKeyError(f"{name} holds blanks, line breaks or letters that no key has; copy the key again")
    return key
