"""Asks as `openai` does, and writes every answer to cassette.yaml in the workspace."""

from metricloop.llm.providers import Provider
from metricloop.llm.providers.openai import connect

PROVIDER = Provider("the same as `openai`, and writes `cassette.yaml`", connect=connect, records=True)
