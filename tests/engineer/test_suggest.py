"""The step `suggest`: one round, once, and one line when it cannot run or has to stop."""

import json
from dataclasses import replace

from round_fixture import ARMS, IDEA, Model, accepting, drawn, make_round, proposal

from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.round import run_round
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.journal import Journal
from metricloop.study.plan import load_plan
from metricloop.tasks.steps import suggest

FRAMES = drawn(12)


class Step:
    """tasks.steps.suggest.main in a folder, with everything around the round replaced."""

    def __init__(self, folder, monkeypatch, model: Model, lacks=()):
        self.folder = folder
        (folder / "arms.yaml").write_text(ARMS)
        (folder / "params.yaml").write_text("study: {name: s}\ndata: {source: y}\n")
        monkeypatch.chdir(folder)
        made, _ = make_round(folder, model, lambda source, name: accepting(name), FRAMES)
        for name, value in {
            "missing": lambda: list(lacks),
            "die_with_ancestors": lambda: None,
            "hold_lock": lambda path: None,
            "tell_errors_briefly": lambda name: None,
            "read_study": lambda *_: made.study,
            "open_engineers": lambda journal, settings: [made.conversation],
            "open_round": lambda number, *_: replace(made, number=number, say=print),
        }.items():
            monkeypatch.setattr(suggest, name, value)
        monkeypatch.setattr(suggest, "Journal", lambda folder: made.conversation.journal)


def test_a_round_is_done_once_and_its_end_is_in_the_journal_last(tmp_path, monkeypatch, capsys):
    change = {"name": "again_wide", "metric": "object_count", "code": None}
    model = Model(proposal({}, change))
    Step(tmp_path, monkeypatch, model)
    suggest.main(1)
    suggest.main(1)
    assert model.lines == []
    journal = Journal(tmp_path).events
    assert journal[-1]["event"] == "suggested"
    assert (journal[-1]["accepted"], journal[-1]["refused"]) == (["wide_ones"], ["again_wide"])
    assert "wide_ones" in load_plan(tmp_path)["arms"]
    assert "round 1: 1 of 2 suggestions will be tried" in capsys.readouterr().out


def test_without_walls_a_round_is_left_out_in_one_line(tmp_path, monkeypatch, capsys):
    Step(tmp_path, monkeypatch, Model(), lacks=["seccomp: none here"])
    suggest.main(1)
    assert capsys.readouterr().out == (
        "round 1: left out, because its metrics are unread code and there is no sandbox here: seccomp: none here\n"
    )
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_limit_ends_the_rounds_in_one_line_and_a_raised_one_lets_them_go_on(tmp_path, monkeypatch, capsys):
    reached = SpentError("the limit of 9 tokens (llm.max_tokens) is reached")
    model = Model(reached, proposal({}))
    Step(tmp_path, monkeypatch, model)
    suggest.main(1)
    suggest.main(2)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "round 1: stopped: the limit of 9 tokens (llm.max_tokens) is reached; raise it in params.yaml to go on",
        "round 2: left out, because round 1 is not finished",
    ]
    assert Journal(tmp_path).last("stopped")["reason"] == str(reached)
    suggest.main(1)
    assert "wide_ones" in load_plan(tmp_path)["arms"]


def test_the_known_metrics_of_an_idea_without_code_are_those_with_scores(tmp_path):
    change = {"metric": "object_count", "code": None, "policy": {"name": "strata"}}
    made, _ = make_round(tmp_path, Model(proposal(change)), None, FRAMES)
    made.known.metrics["object_count"] = KnownMetric("image", "scores/labels/object_count.parquet")
    assert json.loads(proposal(change))["suggestions"][0]["code"] is None
    assert run_round(made)[0]["arms"]["wide_ones"]["a"] == "scores/labels/object_count.parquet"
    assert IDEA["code"] is not None


def test_a_replay_that_holds_no_more_leaves_the_round_open(tmp_path, monkeypatch, capsys):
    Step(tmp_path, monkeypatch, Model(NotRecordedError("the recording has no answer to it"), proposal({})))
    suggest.main(1)
    assert capsys.readouterr().out == "round 1: left out: the recording has no answer to it\n"
    assert Journal(tmp_path).last("suggested") is None
    suggest.main(1)  # with a model that answers
    assert "wide_ones" in load_plan(tmp_path)["arms"]
