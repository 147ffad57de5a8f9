"""Ask a language model's server which models it has: a test of address and key that costs nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from metricloop.llm.connection import ConnectionSetupError, sdk_client
from metricloop.llm.key import NoKeyError, api_key
from metricloop.text.clean import clean

SECONDS = 3.0


def check_endpoint(base_url: str, model: str, keys: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """(whether the server answers and takes the key, one line on it). The key is never a part of the line."""
    import openai

    try:
        key = api_key(base_url, keys)
        client = sdk_client(base_url, SecretStr(key or "")).with_options(timeout=SECONDS)
        names = [found.id for found in client.models.list().data]
    except (NoKeyError, ConnectionSetupError) as error:
        return False, str(error)
    except openai.APIStatusError as error:
        refused = error.status_code in (401, 403)
        why = "it refuses the key" if refused else f"it answers with status {error.status_code}"
        return not refused and error.status_code == 404, f"{clean(base_url)}: {why}"
    except openai.APIError as error:
        return False, f"{clean(base_url)} does not answer ({type(error).__name__})"
    there = "has" if model in names else "does not list"
    return model in names, f"{clean(base_url)}: {'with' if key else 'without'} a key; it {there} {clean(model)}"
