"""Which models a server has, when a model ends, and what a study is told before its first call."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from server import Answer, Server, completion, failure, model_list, script

from metricloop.llm.check_endpoint import Listed, check_endpoint, ending, instead, list_models
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal, Key
from metricloop.llm.message import Message
from metricloop.llm.settings import LanguageModel

KEY = "a-key-nobody-may-see-0123456789"
TODAY = date(2026, 11, 26)
YES = completion('{"a": 1}')
SCHEMA = {"name": "ideas", "schema": {}}


def checked(models, model="small"):
    with Server(script(YES), models) as server:
        return check_endpoint(server.base_url, model, {"METRICLOOP_API_KEY": KEY}, today=TODAY)


def test_a_model_that_is_there():
    found = checked(model_list("small", "large"))
    assert (found.state, found.warning) == ("ok", "")
    assert found.said.endswith("with a key; it has small")


def test_a_model_that_is_not_there_is_told_with_those_like_it_and_the_others():
    found = checked(model_list("gpt-6-sol", "gpt-6-luna", "other"), "gpt-6-soll")
    assert found.state == "fail"
    assert found.said.endswith("with a key; it does not list gpt-6-soll")
    assert found.warning == "did you mean gpt-6-sol or gpt-6-luna? It also has other"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "it has no model"),
        (("qqq",), "it has qqq"),
        (tuple(f"m{n}" for n in range(10)), "it has m0, m1, m2, m3, m4 and 5 more"),
    ],
)
def test_what_there_is_instead(names, said):
    assert instead("x", Listed(names, {})) == said


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (None, "does not tell which models it has, so small is not checked"),
        (Answer(b"<html>"), "to the question which models it has, it begins with '<html>'"),
        (Answer(b'{"data": 3}'), "it is no list of models"),
    ],
)
def test_a_server_that_lists_nothing_is_no_fault(models, said):
    found = checked(models)
    assert found.state == "ok"
    assert said in found.said


@pytest.mark.parametrize(
    ("answer", "said"), [(failure(401, KEY), "it refuses the key"), (failure(500), "answers with status 500")]
)
def test_a_server_that_fails_is_a_fault(answer, said):
    found = checked(answer)
    assert found.state == "fail"
    assert said in found.said
    assert KEY not in found.said


def test_a_persons_table_that_cannot_be_used_is_a_line_and_not_the_end_of_the_checks(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "metricloop").mkdir()
    (tmp_path / "metricloop" / "models.yaml").write_text("looked_up: soon")
    found = checked(model_list("small"))
    assert found.state == "fail"
    assert found.said.startswith(f"{tmp_path}/metricloop/models.yaml: looked_up: ")


def test_a_key_that_the_list_echoes_is_in_no_line():
    with Server(script(YES), model_list(KEY, "b")) as server:
        found = check_endpoint(server.base_url, "small", {"METRICLOOP_API_KEY": KEY})
    assert found.warning == "it has ***, b"
    assert KEY not in str(found)


def test_a_key_that_the_list_spells_with_escapes_is_in_no_line():
    spelt = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    listed = json.dumps({"data": [{"id": "KEY"}]}).replace("KEY", spelt)
    with Server(script(YES), Answer(listed.encode())) as server:
        found = check_endpoint(server.base_url, "small", {"METRICLOOP_API_KEY": KEY})
    assert found.warning == "it has ***"


def test_a_key_that_is_a_word_changes_no_name():
    with Server(script(YES), model_list("small")) as server:
        assert check_endpoint(server.base_url, "small", {"METRICLOOP_API_KEY": "small"}).sound


def test_the_servers_own_day_goes_before_that_of_the_table():
    found = checked(model_list("gpt-5-mini", gpt_5_mini="2026-12-20"), "gpt-5-mini")
    assert found.state == "warn"
    assert "gpt-5-mini is to be shut down on 2026-12-20, in 24 days (its server says)" in found.warning


@pytest.mark.parametrize(
    ("model", "today", "said"),
    [
        ("gpt-5-mini", TODAY, "gpt-5-mini is to be shut down on 2026-12-11, in 15 days (known since 2026-11-26); name"),
        ("o3-2025-04-16", date(2026, 12, 10), "is to be shut down on 2026-12-11, tomorrow"),
        ("o3", date(2026, 12, 12), "o3 was to be shut down on 2026-12-11"),
        ("gpt-5.1", date(2026, 11, 1), ""),  # 151 days before
        ("gpt-6.1-sol", TODAY, ""),
    ],
)
def test_models_that_end_are_known_without_a_server(model, today, said):
    assert ending(model, today=today).startswith(said) or said in ending(model, today=today)
    assert bool(ending(model, today=today)) is bool(said)


@pytest.mark.parametrize("day", [None, 5, "soon", "2026-13-01", ["2026-12-01"]])
def test_a_day_that_is_none_is_left_out(day):
    body = Answer(json.dumps({"data": [{"id": "m", "shutdown_date": day}, 3, {"id": 4}]}).encode())
    with Server(script(YES), body) as server:
        from pydantic import SecretStr

        assert list_models(server.base_url, SecretStr("")) == Listed(("m",), {})


# before the first call of a study


def ask(folder, server, attempt=0, **changes):
    told = []
    usual = {"provider": "openai", "base_url": server.base_url, "model": "gpt-5-mini", "max_tokens": 90_000}
    talk = Conversation(LanguageModel(**(usual | changes)), Journal(folder), say=told.append)
    talk.ask(Key(1, "propose", "", attempt), [Message("user", "Suggest.")], SCHEMA)
    return told, talk


def test_the_first_call_of_a_study_is_preceded_by_a_look_at_the_models_once_a_day(tmp_path):
    with Server(script(YES), model_list("gpt-5-nano", "other")) as server:
        told, talk = ask(tmp_path, server)
        assert told[0] == (
            f"warning: {server.base_url} does not list gpt-5-mini; did you mean gpt-5-nano? It also has other"
        )
        assert "gpt-5-mini" in told[1]
        assert "shut down on 2026-12-11" in told[1]
        assert [event["event"] for event in talk.journal.events] == ["asked", "checked", "answered"]
        assert ask(tmp_path, server, 1)[0] == []
        other, _ = ask(tmp_path, server, 2, model="gpt-5-nano", prices={"gpt-5-nano": (0, 0)})
        assert [line.split()[1] for line in other] == ["gpt-5-nano"]  # it is there, and ends too


def test_a_look_of_yesterday_is_repeated(tmp_path):
    with Server(script(YES), model_list("other")) as server:
        ask(tmp_path, server)
        old = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="milliseconds")
        lines = [json.loads(line) | {"at": old} for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
        (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert len(ask(tmp_path, server, 1)[0]) == 2


def test_an_unknown_price_is_a_line_where_there_is_a_limit_of_tokens(tmp_path):
    with Server(script(YES)) as server:
        told, talk = ask(tmp_path, server, model="my-own")
    assert told == [
        "warning: the price of my-own is not known, so only llm.max_tokens (90,000) is a limit; for llm.max_cost set "
        "llm.prices: {my-own: [1.0, 4.0]} (US dollars per million tokens, read and written; [0, 0] for your own server)"
    ]
    assert talk.journal.last("answered")["cost"] is None


def test_another_effort_than_the_one_set_is_told_once(tmp_path):
    answers = script(failure(400, "reasoning_effort is not supported"), YES)
    with Server(answers, model_list("m")) as server:
        told, talk = ask(tmp_path, server, model="m", prices={"m": (0, 0)}, reasoning_effort="high")
        talk.ask(Key(1, "reflect"), [Message("user", "And?")], SCHEMA)
    assert told == ["warning: asked with reasoning effort unset, not llm.reasoning_effort high"]


def test_cached_and_reasoning_tokens_are_in_the_journal_and_in_the_price(tmp_path):
    with Server(script(completion('{"a": 1}', usage=(1000, 300), cached=800, reasoning=200))) as server:
        _, talk = ask(tmp_path, server, prices={"gpt-5-mini": (1, 10, 0.1)})
    answered = talk.journal.last("answered")
    assert (answered["cached_tokens"], answered["reasoning_tokens"], answered["api"]) == (800, 200, "chat")
    assert answered["cost"] == pytest.approx((200 * 1 + 800 * 0.1 + 300 * 10) / 1e6)
