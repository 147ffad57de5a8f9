"""The key to a language model's server: it comes from the environment alone, and goes to one server alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TextIO
from urllib.parse import urlsplit

OPENAI = "api.openai.com"
ANY_SERVER, OPENAI_ONLY = "METRICLOOP_API_KEY", "OPENAI_API_KEY"
LONGEST_LINE = 20_000  # characters of the line that hands keys over


class NoKeyError(ValueError):
    """There is no key that can be used; the message says what to set, and never holds a key."""


def api_key(base_url: str, keys: Mapping[str, str] = os.environ) -> str | None:
    """The key for the server at `base_url`; None where none is set and the server may do without.

    OPENAI_API_KEY goes to OpenAI only: a workspace made by a stranger names the server in its params.yaml, and one run
    of it would otherwise hand him the key. METRICLOOP_API_KEY is set for metricloop, for the server its user means.
    Errors: NoKeyError where OpenAI is asked without a key or over plain http, or a key cannot be one.
    """
    if key := clean_key(keys.get(ANY_SERVER, ""), ANY_SERVER):
        return key
    if not is_openai(base_url):
        return None
    if not base_url.lower().startswith("https://"):
        raise NoKeyError(
            f"llm.base_url is {base_url}: a key does not travel over plain http; write https://{OPENAI}/v1"
        )
    if key := clean_key(keys.get(OPENAI_ONLY, ""), OPENAI_ONLY):
        return key
    raise NoKeyError(f"{base_url} wants a key and none is set; give yours with: export {OPENAI_ONLY}=...")


def variable_for(base_url: str) -> str:
    """The environment variable in which a user would give the key for this server."""
    return OPENAI_ONLY if is_openai(base_url) else ANY_SERVER


def is_openai(base_url: str) -> bool:
    return urlsplit(base_url).hostname == OPENAI


def take_keys() -> dict[str, str]:
    """The keys in the environment, taken out of it, so that no process started from now on inherits them."""
    taken = {name: os.environ.pop(name, "") for name in (ANY_SERVER, OPENAI_ONLY)}
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
    return {name: keys[name] for name in (ANY_SERVER, OPENAI_ONLY) if name in keys}


def clean_key(key: str, name: str = "the key") -> str:
    """A key without the blanks around it. Errors: NoKeyError, not holding it, where no header could."""
    key = key.strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise NoKeyError(f"{name} holds blanks, line breaks or letters that no key has; copy the key again")
    return key
