"""Plays a recording in place of a language model; nothing is sent."""

from metricloop.llm.cassette import Replay, load_cassette
from metricloop.llm.providers import Provider
from metricloop.llm.settings import LanguageModel


def _replay(settings: LanguageModel) -> Replay:
    """The recording that `llm.cassette` names. Errors: CassetteError."""
    return Replay(load_cassette(settings.cassette))


def _fault(settings: LanguageModel) -> str:
    return "" if settings.cassette else "llm.cassette: replay needs a recording: demo, or the path of a cassette"


PROVIDER = Provider("plays the recording `llm.cassette`; nothing is sent", replay=_replay, fault=_fault)
