"""Asks a server that speaks the OpenAI chat-completions API."""

from metricloop.llm.client import Client
from metricloop.llm.providers import Provider
from metricloop.llm.settings import LanguageModel


def connect(settings: LanguageModel, key: str | None, rung: str) -> Client:
    """A client for the server of these settings. Errors: NoKeyError when the key cannot be one."""
    return Client(settings, key, rung=rung)


PROVIDER = Provider("asks `llm.model` at `llm.base_url`, any server that speaks OpenAI's API", connect=connect)
