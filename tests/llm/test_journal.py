"""The journal: what is added is on the disk, what a kill cut short does not count, and nothing else is ever lost."""

import json
from dataclasses import asdict

import pytest

from metricloop.llm.journal import Journal, JournalError, Key, read_journal


def test_an_event_is_on_the_disk_at_once_and_is_found_by_its_fields(tmp_path):
    journal = Journal(tmp_path)
    journal.add("asked", round=1, step="repair", suggestion="a", attempt=1)
    journal.add("asked", round=1, step="repair", suggestion="a", attempt=2)
    again = Journal(tmp_path)
    assert [event["attempt"] for event in again.about("asked", suggestion="a")] == [1, 2]
    assert again.last("asked", Key(1, "repair", "a", 1))["attempt"] == 1
    assert again.last("asked", Key(1, "repair", "b", 1)) is None
    assert again.events == journal.events


def test_once_adds_an_event_a_single_time(tmp_path):
    journal = Journal(tmp_path)
    first = journal.once("refused", {"round": 1, "suggestion": "a"}, reason="x")
    assert journal.once("refused", {"round": 1, "suggestion": "a"}, reason="y") == first
    assert len(journal.events) == 1


@pytest.mark.parametrize("torn", ['{"event": "answ', '{"event": "answered"}', "\x00\x00"])
def test_a_line_that_a_kill_cut_short_does_not_count_and_is_in_nobodys_way(tmp_path, torn):
    journal = Journal(tmp_path)
    journal.add("asked", round=1)
    with journal.path.open("a") as stream:
        stream.write(torn)
    going_on = Journal(tmp_path)
    assert [event["event"] for event in going_on.events] == ["asked"]
    going_on.add("stopped", round=1)
    assert [event["event"] for event in read_journal(journal.path)] == ["asked", "stopped"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"event": 3}', "hello"])
def test_a_line_that_is_no_event_is_an_error_that_names_it(tmp_path, line):
    (tmp_path / "journal.jsonl").write_text(json.dumps({"event": "asked"}) + f"\n{line}\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 2: not an event"):
        Journal(tmp_path)


@pytest.mark.parametrize("text", ["line\u2028separator", "half \ud800", "\x00\x85", "ünï"])
def test_any_text_that_a_model_may_send_survives(tmp_path, text):
    Journal(tmp_path).add("answered", round=1, text=text)
    assert Journal(tmp_path).events[0]["text"] == text


def test_an_engineer_sees_its_own_events_and_the_whole_journal_sees_all(tmp_path):
    journal = Journal(tmp_path)
    first, second = journal.of_engineer(1), journal.of_engineer(2)
    key = Key(1, "propose")
    first.add("asked", **asdict(key), said="one")
    second.add("asked", **asdict(key), said="two")
    journal.add("suggested", round=1)
    assert (first.last("asked", key)["said"], second.last("asked", key)["said"]) == ("one", "two")
    assert [Key.of(event).engineer for event in Journal(tmp_path).about("asked")] == [1, 2]
    assert first.events is second.events
    assert first.last("suggested", round=1) is None
    assert "engineer" not in journal.last("suggested")
    assert second.of_engineer(None).last("suggested", round=1)
    assert str(Key.of(second.last("asked"))) == "round 1, propose, attempt 0, engineer 2"
