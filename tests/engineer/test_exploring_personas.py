"""A capable, a clumsy and a hostile model explore over a real server: every question gets an answer, none gets out."""

from pathlib import Path

import pytest
from personas import capable, clumsy, hostile
from round_fixture import drawn, make_round
from server import Server

from metricloop.engineer.explore import explore
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal

FRAMES = drawn(12)


@pytest.fixture
def explored(tmp_path, walls):
    """A function: persona -> the answers to its questions in one round of two calls, and the messages to go on from."""

    def play(persona):
        with Server(persona) as server:
            llm = {"base_url": server.base_url, "explore": 2, "max_cost": None}
            made, _ = make_round(tmp_path, None, None, FRAMES, **llm)
            conversation = Conversation(made.study.params.llm, Journal(tmp_path), "sk-test-0123456789")
            messages = explore(made.study, 1, conversation, lambda text: None)
        assert server.errors == []
        events = list(Journal(tmp_path).about("explored"))
        return [one for event in events for one in event["questions"]], messages, events

    return play


def test_a_capable_model_gets_answers_and_ends_when_it_knows_enough(explored):
    found, messages, events = explored(capable)
    assert [(one["id"], one["kind"]) for one in found] == [("Q1.1", "show"), ("Q1.2", "analyse"), ("Q1.3", "preview")]
    assert found[0]["said"].startswith("24 objects fit.")
    assert found[1]["said"] == "~~~\nboxes | 24\n~~~"
    assert found[2]["said"].startswith("Scores of width_1: 24 objects")
    assert events[1]["notes"] == "Round 1: wide boxes are whole."
    assert [message.text for message in messages] == ["You have no more questions."]


def test_a_clumsy_model_is_told_what_is_wrong_with_each_question(explored):
    found, messages, _ = explored(clumsy)
    assert [one["kind"] for one in found] == ["analyse", "unreadable"] * 2
    assert "has no attribute 'pandas'" in found[0]["said"]
    assert "why: Field required" in found[1]["said"]
    assert "This question cannot be used" in messages[-1].text


def test_a_hostile_model_learns_nothing_and_gives_no_orders(explored):
    found, messages, events = explored(hostile)
    assert len(found) == 2 * 4  # of two dozen questions in each call
    assert all(one["said"].startswith(("Not answered", "It failed")) for one in found)
    told = messages[-1].text + str(events)
    assert "\x1b" not in told
    assert "\n## Results so far" not in told
    assert all(len(event["notes"]) <= 4000 for event in events)
    assert not Path("/tmp/metricloop_escaped").exists()
