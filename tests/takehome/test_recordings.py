"""The recorded conversations of the worked assignments, replayed: same prompts, same scorecard as in the docs.

Run this file as a program to write the scorecards into docs/takehome.md.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import pytest

from metricloop.llm.cassette import BUILT_IN, Replay, load_cassette
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.takehome.history import turns
from metricloop.takehome.memory import MEMORY, template
from metricloop.takehome.prepare import RECORDED, prepare
from metricloop.takehome.run import run
from metricloop.takehome.settings import load_settings

NAMES = sorted(name.removeprefix(RECORDED) for name in BUILT_IN if name.startswith(RECORDED))
DOC = Path(__file__).parents[2] / "docs" / "takehome.md"
REGION = re.compile(r"(<!-- scorecards -->\n).*?(<!-- /scorecards -->)", re.DOTALL)


def replayed(name: str, folder: Path):
    """Run a worked assignment with its recording; every prompt must be the recorded one."""
    prepare(folder, name, None, None, {})
    settings = load_settings(folder)
    assert settings.llm.provider == "replay"
    replay = Replay(load_cassette(settings.llm.cassette), strict=True)
    conversation = Conversation(settings.llm, Journal(folder), replay=replay, memory=MEMORY)
    return run(folder, conversation, lambda line: None), conversation.journal.events


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_belongs_to_the_present_prompts(name):
    calls = load_cassette(f"{RECORDED}{name}").calls
    assert [call.template for call in calls] == [template(call.key) for call in calls]
    assert any(call.step == "repair" for call in calls), "at least one error was met and repaired"


@pytest.mark.slow
@pytest.mark.usefixtures("walls")
@pytest.mark.parametrize("name", NAMES)
def test_the_replay_gives_the_scorecard_of_the_docs(name, tmp_path):
    card, events = replayed(name, tmp_path / name)
    assert card.limit == ""
    assert [turn.key for turn in turns(events)] == [call.key for call in load_cassette(f"{RECORDED}{name}").calls]
    assert (tmp_path / name / "scorecard.md").read_text().strip() in DOC.read_text()


if __name__ == "__main__":
    parts = []
    for name in NAMES:
        with tempfile.TemporaryDirectory() as place:
            replayed(name, Path(place) / name)
            parts.append((Path(place) / name / "scorecard.md").read_text())
    text = REGION.sub(lambda found: f"{found[1]}\n" + "\n".join(parts) + f"\n{found[2]}", DOC.read_text())
    DOC.write_text(text)
    sys.exit()
