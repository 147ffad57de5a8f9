"""Asks a deployment at Azure's v1 endpoint, or at a gateway before it; the key goes into the header api-key."""

from urllib.parse import urlsplit

from metricloop.llm.client import Client
from metricloop.llm.connection import AZURE_HEADER, on_azure
from metricloop.llm.key import is_openai
from metricloop.llm.providers import Provider
from metricloop.llm.settings import LanguageModel

LIKE = "https://NAME.openai.azure.com/openai/v1"


def connect(settings: LanguageModel, key: str | None, rung: str) -> Client:
    """A client for the server of these settings. Errors: NoKeyError when the key cannot be one."""
    return Client(settings, key, rung=rung, key_header=AZURE_HEADER)


def _fault(settings: LanguageModel) -> str:
    v1 = urlsplit(settings.base_url).path.rstrip("/").endswith("/openai/v1")
    if is_openai(settings.base_url) or (on_azure(settings.base_url) and not v1):
        return f"llm.base_url: azure needs its v1 endpoint, such as {LIKE}; llm.model is the name of your deployment"
    return ""


PROVIDER = Provider(
    "asks your deployment `llm.model` at Azure's v1 endpoint, with the header `api-key`",
    connect=connect, key_header=AZURE_HEADER, fault=_fault,
)  # fmt: skip
