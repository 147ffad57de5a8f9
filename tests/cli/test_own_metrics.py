"""try, adopt, suggest and scorecard as typed: what they print, what they ask, and what they leave behind."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import make_tiny
from study_fixture import make_study

from metricloop.cli import ask
from metricloop.cli.main import main
from metricloop.llm.journal import Journal
from metricloop.study import processes
from metricloop.study.plan import load_plan

OWN = '''
from metricloop.metrics.contract import metric

@metric(level="image")
def left(frame):
    """Where the leftmost box begins."""
    return frame.boxes[:, 0].min() if len(frame.boxes) else float("nan")

@metric(level="image")
def same(frame):
    return 1.0
'''


@pytest.fixture
def study(tmp_path):
    """A finished study made up on disk, with a metric of the person's own beside it."""
    folder = make_study(tmp_path / "study")
    (tmp_path / "own.py").write_text(OWN)
    return folder


@pytest.fixture
def terminal(monkeypatch):
    """A terminal at which somebody answers: terminal("y")."""

    def sits(answer: str) -> list[str]:
        asked: list[str] = []
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
        return asked

    return sits


def tried(study, *arguments: str, file: str = "../own.py") -> int:
    return main(["try", str(study / file), "-C", str(study), *arguments])


def test_try_tells_rule_by_rule_scores_and_offers_an_arm(study, walls, capsys):
    before = (study / "arms.yaml").read_text()
    assert tried(study, "--metric", "left", "--policy", "among", "share=0.4") == 0
    said = capsys.readouterr().out
    assert "held       deterministic    gives the same numbers when asked again" in said
    assert "left: accepted, and scored on all 32 images of the pool" in said
    assert f"page: {study}/try/left.html (git ignores it)" in said
    assert "      policy: {name: among, direction: higher, share: 0.4}\n" in said
    assert f"it is copied to {study}/metrics/mine/left.py" in said
    assert (study / "arms.yaml").read_text() == before
    assert not (study / "metrics").exists()


def test_try_ends_with_1_when_one_of_a_files_metrics_is_refused(study, walls, capsys):
    assert tried(study) == 1
    said = capsys.readouterr().out
    assert "left: accepted" in said
    assert "broke      varies           says 1 for everything" in said
    assert "same: not accepted" in said
    assert not (study / "try/same.html").exists()


def test_add_asks_copies_the_file_and_writes_the_arm(study, walls, terminal):
    asked = terminal("y")
    assert tried(study, "--metric", "left", "--add") == 0
    assert asked == ["add it? [y/N] "]
    assert (study / "metrics/mine/left.py").read_text() == OWN
    plan = load_plan(study)
    assert plan["batches"]["mine-left"] == {
        "code": "metrics/mine/left.py", "needs": "data/images.parquet", "metrics": ["left"]
    }  # fmt: skip
    assert plan["blocks"]["left.0"] == {"arm": "left", "seeds": "0-2"}
    assert tried(study, "--metric", "left", "--add", "--policy", "strata") == 0  # another arm of the same scores
    assert load_plan(study)["arms"]["left_strata"]["a"] == "scores/mine-left/left.parquet"


def test_a_no_leaves_everything_as_it_was(study, walls, terminal):
    before = (study / "arms.yaml").read_text()
    terminal("n")
    assert tried(study, "--metric", "left", "--add") == 0
    assert (study / "arms.yaml").read_text() == before
    assert not (study / "metrics").exists()


def test_a_file_within_the_workspace_is_named_where_it_is(study, walls, capsys):
    (study / "own.py").write_text(OWN)
    assert tried(study, "--metric", "left", "--add", "--yes", file="own.py") == 0
    assert load_plan(study)["batches"]["mine-left"]["code"] == "own.py"
    assert not (study / "metrics").exists()
    assert f"git -C {study} add own.py" in capsys.readouterr().out


def test_a_copy_does_not_take_the_place_of_another_file(study, walls, capsys):
    (study / "metrics/mine").mkdir(parents=True)
    (study / "metrics/mine/left.py").write_text("# another\n")
    before = (study / "arms.yaml").read_text()
    assert tried(study, "--metric", "left", "--add", "--yes") == 1
    assert "metrics/mine/left.py exists, and holds something else" in capsys.readouterr().err
    assert (study / "arms.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--add"], "there is no terminal to ask at; to say yes, type --yes"),
        (["--policy", "amung"], "unknown policy 'amung'; did you mean 'among'?"),
        (["--policy", "among", "0.4"], "--policy takes NAME OPTION=VALUE ..., found '0.4'"),
        (["--policy", "among", "share=["], "--policy among: 'share=[' has no value that can be read"),
    ],
)
def test_what_was_typed_wrongly_is_told_before_anything_is_tried(study, capsys, arguments, said):
    assert tried(study, *arguments) == 1
    assert said in capsys.readouterr().err
    assert not (study / "try").exists()


@pytest.fixture
def suggested(study):
    """The study with a generated metric, box_width, in round 1."""
    (study / "metrics/generated/1").mkdir(parents=True)
    (study / "metrics/generated/1/box_width.py").write_text("import os\n")
    (study / "rounds.yaml").write_text(
        "batches:\n  round1: {code: metrics/generated/1, needs: data/images.parquet, metrics: [box_width]}\n"
    )
    return study


def test_adopt_shows_asks_and_moves(suggested, terminal, capsys):
    asked = terminal("yes")
    assert main(["adopt", "box_width", "-C", str(suggested)]) == 0
    assert asked == ["adopt it? it will run without the sandbox from now on [y/N] "]
    assert "   1  import os\n" in capsys.readouterr().out
    assert (suggested / "metrics/adopted/box_width.py").read_text() == "import os\n"


@pytest.mark.parametrize("answer", ["", "n", "maybe"])
def test_adopt_moves_nothing_without_a_yes(suggested, terminal, answer):
    terminal(answer)
    assert main(["adopt", "box_width", "-C", str(suggested)]) == 0
    assert not (suggested / "metrics/adopted").exists()


def test_adopt_needs_somebody_to_ask(suggested, capsys):
    assert main(["adopt", "box_width", "-C", str(suggested)]) == 1
    assert "there is no terminal" in capsys.readouterr().err
    assert (suggested / "metrics/generated/1/box_width.py").exists()


def test_adopt_shows_the_very_text_it_moves(suggested, terminal, monkeypatch, capsys):
    terminal("y")

    def slow_person(question, yes):
        (suggested / "metrics/generated/1/box_width.py").write_text("import evil\n")
        return True

    monkeypatch.setattr(ask, "agrees", slow_person)
    assert main(["adopt", "box_width", "-C", str(suggested)]) == 1
    assert "has changed since it was shown" in capsys.readouterr().err
    assert not (suggested / "metrics/adopted").exists()


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
    monkeypatch.setattr(processes, "converse", lambda *arguments: called.append(arguments))
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
    assert asked == [(tmp_path, "metricloop.tasks.suggest", 1), (tmp_path, "metricloop.tasks.suggest", 2)]


def test_suggest_waits_for_experiments_and_keeps_to_the_rounds_allowed(asked, tmp_path, capsys):
    journal = Journal(tmp_path)
    journal.add("accepted", round=1, suggestion="waiting")
    journal.add("suggested", round=1, accepted=["waiting"], refused=[])
    assert main(["suggest", "-C", str(tmp_path)]) == 1
    assert "waiting of the last round first: metricloop run" in capsys.readouterr().err
    journal.add("suggested", round=2, accepted=[], refused=[])
    assert main(["suggest", "-C", str(tmp_path)]) == 1
    assert "round 3 would be one more than llm.rounds (2) allows" in capsys.readouterr().err
    assert asked == []


def test_init_writes_a_brief_and_commits_it(tmp_path):
    folder = make_tiny(tmp_path / "tiny")
    assert "Giant pandas" in (folder / "brief.md").read_text()
    listed = subprocess.run(["git", "ls-files", "brief.md"], cwd=folder, capture_output=True, text=True, check=True)
    assert listed.stdout == "brief.md\n"
