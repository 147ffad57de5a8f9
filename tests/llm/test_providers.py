"""The registry of providers: one module each, from which choices, messages and docs follow."""

import pytest
from pydantic import ValidationError

from metricloop.llm import providers
from metricloop.llm.client import Client
from metricloop.llm.providers import Provider, provider_names, provider_of, providers_table, replays
from metricloop.llm.settings import LanguageModel


def test_every_module_is_a_choice_and_either_connects_or_replays():
    assert provider_names() == ("azure", "openai", "record", "replay")
    for name in provider_names():
        found = provider_of(name)
        assert isinstance(found, Provider)
        assert (found.connect is None) != (found.replay is None)
        assert f"| `{name}` | {found.about} |" in providers_table()


def test_only_a_recording_costs_nothing():
    assert [name for name in (*provider_names(), "none", "gone", None) if replays(name)] == ["replay"]


@pytest.mark.parametrize("name", ["azure", "openai", "record"])
def test_a_server_is_asked_in_the_way_it_understood_last(name):
    client = provider_of(name).connect(
        LanguageModel(provider=name, base_url="https://me.openai.azure.com/openai/v1"), "k", "fenced"
    )
    assert isinstance(client, Client)
    assert client.rung == "fenced"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"provider": "opnai"}, "should be none, azure, openai, record or replay"),
        ({"provider": "azure"}, "llm.base_url: azure needs its v1 endpoint, such as https://NAME"),
        ({"provider": "azure", "base_url": "https://me.openai.azure.com/openai/deployments/m"}, "its v1 endpoint"),
        ({"provider": "replay"}, "llm.cassette: replay needs a recording"),
    ],
)
def test_settings_that_name_no_provider_or_miss_what_it_needs_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        LanguageModel(**given)


def test_a_new_module_is_a_new_choice(tmp_path, monkeypatch):
    (tmp_path / "parrot.py").write_text(
        "from metricloop.llm.providers import Provider\nPROVIDER = Provider('repeats', connect=print)\n"
    )
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    provider_names.cache_clear()
    try:
        assert LanguageModel(provider="parrot").provider == "parrot"
        assert "parrot (repeats)" in providers.choices_text()
    finally:
        monkeypatch.undo()
        provider_names.cache_clear()
