"""What an import of labels changes: scores and subsets are made again, and only what differs is named."""

import sys

import pytest

from metricloop.data.tables import SCORES, SUBSET, write_table
from metricloop.study import follow_labels as module
from metricloop.study.follow_labels import Effects, follow_labels, quick_stages, read_anew
from metricloop.study.processes import StageError, call, hushed
from metricloop.study.staleness import Staleness

GRAPH = {
    "ingest": set(), "predict": {"ingest"}, "score@labels": {"ingest"}, "score@model": {"predict"},
    "select@random": {"ingest"}, "select@count": {"score@labels"}, "select@trust": {"score@model"},
    "train@random.0": {"select@random"},
}  # fmt: skip
PLAN = {"blocks": {"random.0": {"arm": "random", "seeds": "0-2"}, "count.0": {"arm": "count", "seeds": "0-2"}}}


def test_stages_behind_a_training_or_out_of_date_before_are_left_alone():
    assert quick_stages(GRAPH, list(GRAPH)) == ["score@labels", "select@random", "select@count"]
    assert quick_stages(GRAPH, ["ingest", "score@labels"]) == ["score@labels"]


def write(folder, x2, score=1.0):
    """Scores of one image, and a subset with draws 0 to 2, of which draw 1 holds a box that ends at x2."""
    scores = {"image_id": [1], "box_id": [None], "score": [score], "error": [None]}
    write_table(folder / "scores/labels/count.parquet", SCORES, scores)
    for arm, ends in (("random", (5.0, x2, 5.0)), ("count", (5.0, 5.0, 5.0))):
        rows = {"draw": [0, 1, 2], "image_id": [1, 2, 1], "box_id": [7, 8, 7], "x2": ends, "label": [0] * 3}
        rows |= {name: [0.0] * 3 for name in ("x1", "y1", "y2")} | {"use": ["keep"] * 3}
        write_table(folder / f"subsets/{arm}.parquet", SUBSET, rows)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A workspace whose stages are made up; running them writes other tables. Returns (folder, commands run)."""
    write(tmp_path, 5.0)
    ran: list[list[str]] = []

    def run_stages(folder, names, label, **options):
        ran.append(list(names))
        if label != "ingest":
            write(folder, 4.0)

    monkeypatch.setattr(module, "run_stages", run_stages)
    monkeypatch.setattr(module, "load_plan", lambda folder: PLAN)
    monkeypatch.setattr(module, "stages_of", lambda folder, plan: GRAPH)
    behind = ["score@model", "select@trust"]
    monkeypatch.setattr(
        module, "staleness", lambda folder: Staleness(list(GRAPH), ["predict", "train@random.0"], behind)
    )
    return tmp_path, ran


def test_only_what_differs_is_named(made):
    folder, ran = made
    found = follow_labels(folder, Staleness(list(GRAPH), [], []))
    assert ran == [["ingest"], ["score@labels", "select@random", "select@count"]]
    assert found == Effects(
        scores=[],
        same_scores=["labels/count"],
        arms=["random"],
        same_arms=["count"],
        trials={"random": (1, 3)},
        later=["predict", "score@model", "select@trust", "train@random.0"],
        waiting=2,
    )


def test_what_was_out_of_date_before_is_no_effect(made):
    folder, _ = made
    found = follow_labels(folder, Staleness(list(GRAPH), ["predict"], ["score@model", "select@trust"]))
    assert found.later == ["train@random.0"]


def test_what_marks_change_is_read_anew_and_the_rest_is_told_not_run(made, capsys):
    folder, ran = made
    found = read_anew(folder, Staleness(list(GRAPH), [], []))
    assert ran == [["ingest"]]
    assert found == Effects(later=["predict", "score@model", "select@trust", "train@random.0"], waiting=2)


def test_while_hushed_no_line_of_a_command_is_passed_on_but_a_failure_tells_them(tmp_path, capsys):
    command = [sys.executable, "-c", "print('a line of a stage'); raise SystemExit(3)"]
    with hushed(), pytest.raises(StageError, match="a line of a stage"):
        call(tmp_path, command, "ingest")
    assert capsys.readouterr().out == ""
    with pytest.raises(StageError):
        call(tmp_path, command, "ingest")
    assert "a line of a stage" in capsys.readouterr().out


def test_a_score_that_fails_is_told_and_the_rest_stands(made, monkeypatch):
    folder, _ = made

    def fail(folder, names, label, **options):
        if label != "ingest":
            raise StageError("score@labels failed")

    monkeypatch.setattr(module, "run_stages", fail)
    found = follow_labels(folder, Staleness(list(GRAPH), [], []))
    assert found.failed == "score@labels failed"
    assert found.same_arms == ["count", "random"]
