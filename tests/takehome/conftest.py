"""What the tests of the take-home share: the tiny assignment, and courses over it with or without the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_takehome import Candidate, write_tiny

from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.takehome.assignment import Assignment, read_assignment
from metricloop.takehome.bench import Bench
from metricloop.takehome.memory import MEMORY
from metricloop.takehome.settings import TakeHome, save_settings

LLM = {"provider": "record", "model": "stub", "prices": {"stub": [1, 1]}, "repairs": 2}


@pytest.fixture
def proven_once(monkeypatch):
    """The self-test of the sandbox is for another file; each run still has walls of its own."""
    monkeypatch.setattr("metricloop.sandbox.supervisor.prove", lambda sandbox: None)


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A folder with the tiny assignment and its settings."""
    folder = tmp_path / "takehome"
    folder.mkdir()
    write_tiny(folder)
    save_settings(folder, {"llm": LLM})
    return folder


@pytest.fixture
def assignment(tiny) -> Assignment:
    return read_assignment(tiny)


@pytest.fixture
def bench(assignment, walls, proven_once):
    """Gives a bench for an application."""
    opened = []

    def make(files) -> Bench:
        opened.append(Bench(dict(files), assignment, TakeHome()).__enter__())
        return opened[-1]

    yield make
    for one in opened:
        one.__exit__()


@pytest.fixture
def talk():
    """Gives the conversation of a folder with a candidate."""

    def make(folder: Path, candidate: Candidate, **changes) -> Conversation:
        settings = save_settings(folder, {"llm": LLM | changes}).llm
        return Conversation(settings, Journal(folder), model=candidate, memory=MEMORY)

    return make
