"""score, try and adopt as typed: what they print, what they ask, and what they leave behind."""

import json
import re

import pytest
from study_fixture import make_study

from metricloop.cli import confirm_prompt
from metricloop.cli.main import main

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
    added = f"metricloop add {study.parent}/own.py --metric left --policy among share=0.4 -C {study}"
    assert f"to put it to the test: {added}\n" in said
    assert (study / "arms.yaml").read_text() == before
    assert not (study / "metrics").exists()


def test_try_ends_with_1_when_one_of_a_files_metrics_is_refused(study, walls, capsys):
    assert tried(study) == 1
    said = capsys.readouterr().out
    assert "left: accepted" in said
    assert "broke      varies           says 1 for everything" in said
    assert "same: not accepted" in said
    assert not (study / "try/same.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
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

    monkeypatch.setattr(confirm_prompt, "agrees", slow_person)
    assert main(["adopt", "box_width", "-C", str(suggested)]) == 1
    assert "has changed since it was shown" in capsys.readouterr().err
    assert not (suggested / "metrics/adopted").exists()


def test_the_catalogue_as_json(capsys):
    assert main(["score", "--list"]) == 0
    table = capsys.readouterr().out
    assert main(["score", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert f"{len(listed)} metrics" in table
    by_name = {entry["name"]: entry for entry in listed}
    assert list(by_name) == re.findall(r"^  (\w+) ", table, re.MULTILINE)
    assert by_name["object_count"] == {
        "name": "object_count", "family": "labels", "level": "image", "higher_is": "better", "needs": [],
        "summary": by_name["object_count"]["summary"],
    }  # fmt: skip
    assert by_name["object_count"]["summary"] in table
    assert by_name["sharpness"]["needs"] == ["image"]
