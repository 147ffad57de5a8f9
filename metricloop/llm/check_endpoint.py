"""Ask a language model's server which models it has: a test of address, key and model that costs nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from pydantic import SecretStr

from metricloop.llm.answer import parsed, word
from metricloop.llm.connection import ConnectionSetupError, call_within, on_azure, sdk_client
from metricloop.llm.key import NoKeyError, api_key
from metricloop.llm.model_table import ModelTableError, model_table, names_of
from metricloop.text.clean import clean

SECONDS = 3.0
NAMED = 5  # most models that a line names
SOON = 120  # days before the end of a model from which on it is a warning


@dataclass(frozen=True)
class Listed:
    """The models that a server names. ends: the day on which a model ends, where the server gives one."""

    names: tuple[str, ...]
    ends: Mapping[str, date]


class Endpoint(NamedTuple):
    """sound: whether the server answers, takes the key and has the model. said: one line on it. warning: what else to
    know, such as the models that there are, or "".
    """

    sound: bool
    said: str
    warning: str = ""

    @property
    def state(self) -> Literal["ok", "warn", "fail"]:
        return "fail" if not self.sound else "warn" if self.warning else "ok"


def list_models(base_url: str, key: SecretStr, key_header: str = "") -> Listed:
    """What the server answers to GET models; nothing in it contains the key.

    Errors: openai.APIError, ConnectionSetupError, TimeoutError; ValueError when it is not a list of models.
    """
    client = sdk_client(base_url, key, key_header).with_options(timeout=SECONDS)
    body: str = call_within(SECONDS, lambda: client.models.with_raw_response.list().text)
    found = parsed(body)
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, list):
        raise ValueError("it is no list of models")
    models = {name: one for one in data if isinstance(one, dict) and (name := word(one.get("id"), 200))}
    ends = {name: day for name, one in models.items() if (day := _day(one.get("shutdown_date")))}
    return Listed(tuple(models), ends)


def check_endpoint(
    base_url: str, model: str, keys: Mapping[str, str] = os.environ, key_header: str = "", today: date | None = None
) -> Endpoint:
    """Whether the server answers, takes the key and has the model. The key is never a part of a line."""
    import openai

    where = clean(base_url)
    try:
        model_table()  # without it nothing is known of a model's end
        key = api_key(base_url, keys)
        listed = list_models(base_url, SecretStr(key or ""), key_header)
    except (NoKeyError, ConnectionSetupError, ModelTableError) as error:
        return Endpoint(False, str(error))
    except openai.APIStatusError as error:
        if error.status_code in (401, 403):
            return Endpoint(False, f"{where}: it refuses the key")
        if error.status_code in (404, 405, 501):
            said = f"{where}: it does not tell which models it has, so {clean(model)} is not checked"
            return Endpoint(True, said, ending(model, today=today))
        return Endpoint(False, f"{where}: it answers with status {error.status_code}")
    except (openai.APIError, TimeoutError) as error:
        return Endpoint(False, f"{where} does not answer ({type(error).__name__})")
    except ValueError as error:
        return Endpoint(True, f"{where}: to the question which models it has, {error}", ending(model, today=today))
    begin, warning = f"{where}: {'with' if key else 'without'} a key", ending(model, listed, today)
    if model in listed.names:
        return Endpoint(True, f"{begin}; it has {clean(model)}", warning)
    if on_azure(base_url):
        said = f"{begin}; Azure names its models, not your deployments, so {clean(model)} is not checked"
        return Endpoint(True, said, warning)
    there = instead(model, listed)
    return Endpoint(False, f"{begin}; it does not list {clean(model)}", f"{there}; {warning}" if warning else there)


def instead(model: str, listed: Listed) -> str:
    """The models that a server has, the most similar first: `did you mean gpt-6-sol? It also has gpt-6-luna`"""
    near = get_close_matches(model, listed.names, n=2, cutoff=0.5)
    others = [name for name in listed.names if name not in near]
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    has = f"has {', '.join(others[:NAMED])}{more}"
    if near:
        return f"did you mean {' or '.join(near)}?" + (f" It also {has}" if others else "")
    return f"it {has}" if others else "it has no model"


def ending(model: str, listed: Listed | None = None, today: date | None = None) -> str:
    """A line when a model has ended, or ends soon; else "". The server's own date goes before that of the table."""
    now = today or date.today()
    table = model_table()
    day = (listed.ends if listed else {}).get(model)
    source = "its server says" if day else f"known since {table.looked_up}"
    day = day or next((table.shutdown[name] for name in names_of(model) if name in table.shutdown), None)
    if day is None or (left := (day - now).days) > SOON:
        return ""
    when = f"was to be shut down on {day}" if left < 0 else f"is to be shut down on {day}, {_days(left)}"
    return f"{clean(model)} {when} ({source}); name another model in llm.model"


def _days(left: int) -> str:
    return "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        return None
