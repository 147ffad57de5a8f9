"""suggest and scorecard as typed."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from journal_fixture import write_journal
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.data.tables import write_json
from metricloop.llm.journal import Journal
from metricloop.study import processes


def test_scorecard_is_of_the_folders_named_or_of_this_one(monkeypatch, tmp_path):
    seen = []
    fake = ModuleType("metricloop.engineer.scorecard_table")
    fake.print_scorecards = seen.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "metricloop.engineer.scorecard_table", fake)
    monkeypatch.chdir(tmp_path)
    assert main(["scorecard"]) == 0
    assert main(["scorecard", "a", "/b"]) == 0
    assert seen == [[tmp_path], [tmp_path / "a", Path("/b")]]


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list:
    """A workspace that has been compared; every step that would talk with a model, instead of the talk."""
    called = []
    monkeypatch.setattr(processes, "call_model_step", lambda *arguments: called.append(arguments))
    (tmp_path / "params.yaml").write_text("study: {name: s}\ndata: {source: y}\nllm: {rounds: 2}\n")
    (tmp_path / "comparison.json").write_text('{"arms": [{"name": "tried"}]}')
    return called


def test_suggest_goes_on_after_the_last_round_that_is_complete(asked, tmp_path):
    assert main(["suggest", "-C", str(tmp_path)]) == 0
    journal = Journal(tmp_path)
    journal.add("accepted", round=1, suggestion="tried")
    journal.add("suggested", round=1, accepted=["tried"], refused=[])
    journal.add("accepted", round=2, suggestion="x")  # cut short
    assert main(["suggest", "-C", str(tmp_path)]) == 0
    assert asked == [(tmp_path, "metricloop.tasks.steps.suggest", 1), (tmp_path, "metricloop.tasks.steps.suggest", 2)]


def test_suggest_waits_for_experiments_and_keeps_to_the_rounds_allowed(asked, tmp_path, capsys):
    journal = Journal(tmp_path)
    journal.add("accepted", round=1, suggestion="waiting")
    journal.add("suggested", round=1, accepted=["waiting"], refused=[])
    assert main(["suggest", "-C", str(tmp_path)]) == 1
    assert "waiting of the last round must be run first: metricloop run" in capsys.readouterr().err
    journal.add("suggested", round=2, accepted=[], refused=[])
    assert main(["suggest", "-C", str(tmp_path)]) == 1
    assert "this would be round 3, but llm.rounds is 2; raise llm.rounds first" in capsys.readouterr().err
    assert asked == []


def test_scorecards_as_json(tmp_path, capsys):
    folder = tmp_path / "my study"
    folder.mkdir()
    write_journal(folder)
    (folder / "params.yaml").write_text("study: {name: pandas}\n")
    assert main(["scorecard", str(folder), str(folder), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second
    assert (first["study"], first["folder"]) == ("pandas", str(folder))
    events = Journal(folder).events
    proposed = [event for event in events if event["event"] == "proposed"]
    answers = [event for event in events if event["event"] == "answered"]
    assert first["card"]["proposed"] == len(proposed)
    assert first["card"]["calls"] == len(answers)
    assert set(first["card"]["never"]) == {"k", "n"}


def test_a_workspace_without_a_journal_is_named(tmp_path, capsys):
    (tmp_path / "params.yaml").write_text("study: {name: none}\n")
    assert main(["scorecard", str(tmp_path), "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"metricloop scorecard: {tmp_path}: no journal.jsonl")


def test_learn_writes_a_page_and_over_no_file(tmp_path, capsys):
    study = make_study(tmp_path / "study")
    pool = {"images": 40, "boxes": 60, "crowd": 0, "images_without_boxes": 4, "per_class": {"x": 60}}
    write_json(study / "data/summary.json", {"splits": {"pool": pool}, "classes": 1})
    page = tmp_path / "lessons.md"
    assert main(["learn", str(study), "--out", str(page)]) == 0
    assert "give it to a study with --set llm.lessons=" in capsys.readouterr().out
    written = page.read_text()
    assert main(["learn", str(study)]) == 0
    assert capsys.readouterr().out == written
    assert main(["learn", str(study), "--out", str(page)]) != 0
    assert "add --force to write over it" in capsys.readouterr().err
    assert main(["learn", str(tmp_path)]) != 0
    assert "this is not a workspace" in capsys.readouterr().err
    (study / "comparison.json").unlink()
    assert main(["learn", str(study)]) != 0
    assert "run the study first" in capsys.readouterr().err
