"""The step that plays a round: what it is held against, where it goes on, and what it does without walls or money."""

import json
from dataclasses import replace

import pytest
from round_fixture import CODE, IDEA, Model, drawn, make_round, proposal, row, study_view

from metricloop.engineer.code_gate import CodeGate, load_without_sandbox
from metricloop.engineer.progress import next_round, plan_before, untried
from metricloop.engineer.round import run_round
from metricloop.engineer.rules import KnownIdeas, KnownMetric
from metricloop.engineer.study_view import known_ideas
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.journal import Journal
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import Source
from metricloop.study.plan import PlanError, load_plan, write_rounds
from metricloop.tasks import suggest

FRAMES = drawn(12)
ARMS = """
batches:
  labels: {code: metrics/catalogue.yaml, needs: data/images.parquet, metrics: [object_count]}
arms:
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
blocks:
  random.0: {arm: random, seeds: "0-1"}
"""


def code_gate(folder, **changes) -> CodeGate:
    usual = {"folder": folder, "number": 1, "known": KnownIdeas({}, {}), "frames": FRAMES, "limits": Limits(),
             "scores_by_metric": {}, "patience": 60.0}  # fmt: skip
    return CodeGate(**(usual | changes))


@pytest.mark.parametrize(
    ("code", "rule", "said"),
    [
        ("1 / 0", "loads", "metrics/generated/1/wide.py: ZeroDivisionError: division by zero (line 1: 1 / 0)"),
        ("x = 1", "loads", "declares no metric 'wide', but none"),
        ("import socket\nsocket.socket()", "loads", "the sandbox forbids it"),
        (
            CODE.replace("frame.boxes[:, 2] - frame.boxes[:, 0]", "frame.boxes[:, 0] * 0"),
            "varies",
            "says 0 for everything",
        ),
    ],
)
def test_code_is_judged_within_the_walls_and_says_what_broke(tmp_path, walls, code, rule, said):
    gate_result = code_gate(tmp_path).check(Source(code, "metrics/generated/1/wide.py"), "wide")
    assert [broken_rule.rule for broken_rule in gate_result.broken] == [rule]
    assert said in gate_result.broken[0].said


def test_a_metric_too_slow_for_the_pool_is_told_so(tmp_path, walls):
    slow = CODE.replace("    return", "    import time\n    time.sleep(0.02)\n    return")
    gate_result = code_gate(tmp_path, patience=0.005).check(Source(slow, "metrics/generated/1/wide.py"), "wide")
    assert [broken_rule.rule for broken_rule in gate_result.broken] == ["fast"]
    assert gate_result.broken[0].said.endswith("the pool's size leaves 0.005 s")


def test_unsafe_executes_here_what_it_is_given(tmp_path):
    assert load_without_sandbox(Source(CODE, "wide.py"), "wide").spec.level == "object"
    assert "ZeroDivisionError" in load_without_sandbox(Source("1 / 0", "wide.py"), "wide").broken[0].said
    assert load_without_sandbox(Source(CODE, "wide.py"), "other").broken[0].rule == "loads"


def test_names_of_the_catalogue_and_of_metrics_without_scores_are_reserved(tmp_path):
    made = study_view(tmp_path, FRAMES)
    known = known_ideas(made)
    assert known.metrics == {}  # nothing has been scored in this folder
    assert {"object_count", "label_agreement"} <= known.reserved


def test_what_did_not_beat_random_by_now_is_refuted_and_its_family_stays_tried(tmp_path):
    """By the comparison as it is, not as it was when the idea was measured."""
    made, _ = make_round(tmp_path, Model(proposal({})), lambda source, name: accepting(name), FRAMES)
    run_round(made)
    journal = Journal(tmp_path)
    journal.add("measured", round=1, suggestion="wide_ones", gain={"abs": 0.01, "rel": None}, verdict="undecided")
    later = replace(made.study, events=journal.events)
    assert known_ideas(later).refuted == {}
    later.comparison["arms"].append(row("wide_ones", "treatment", IDEA["policy"], -0.01, "wide"))
    known = known_ideas(later)
    assert known.families == {"wide_ones": "geometry"}
    assert known.refuted == {"wide_ones": "did not beat random: \u22120.010 mAP"}


def test_a_journal_that_was_lost_is_asked_for_where_rounds_yaml_was_kept(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    made, _ = make_round(tmp_path, Model(proposal({})), lambda source, name: accepting(name), FRAMES)
    write_rounds(run_round(made)[0], tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    with pytest.raises(PlanError, match=r"metrics of round 1 \(wide\) that journal\.jsonl does not know"):
        plan_before(1, Journal(tmp_path), tmp_path)


def test_ideas_that_wait_for_their_experiment_are_named(tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps({"arms": [{"name": "tried"}]}))
    events = [
        {"event": "accepted", "round": 1, "suggestion": "tried"},
        {"event": "accepted", "round": 1, "suggestion": "waiting"},
        {"event": "accepted", "round": 1, "suggestion": "lost"},
        {"event": "dropped", "round": 1, "suggestion": "lost"},
        {"event": "suggested", "round": 1},
        {"event": "accepted", "round": 2, "suggestion": "of_the_round_under_way"},
    ]
    assert untried(events, tmp_path) == ["waiting"]


def accepting(name):
    from metricloop.metrics.contract import Spec
    from metricloop.scoring.gate import GateResult

    return GateResult(Spec(name, "object"), ())


def test_a_round_killed_between_its_two_files_is_played_on_against_the_plan_before_it(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    made, _ = make_round(tmp_path, Model(proposal({})), lambda source, name: accepting(name), FRAMES)
    write_rounds(run_round(made)[0], tmp_path)
    assert "wide_ones" in load_plan(tmp_path)["arms"]
    before = plan_before(1, Journal(tmp_path), tmp_path)
    assert (list(before["arms"]), list(before["batches"]), list(before["blocks"])) == (
        ["random"],
        ["labels"],
        ["random.0"],
    )
    assert "wide_ones" in plan_before(2, Journal(tmp_path), tmp_path)["arms"]


@pytest.mark.parametrize(("done", "number"), [([], 1), ([1], 2), ([1, 2], 3)])
def test_the_next_round_is_the_one_after_the_last_that_was_suggested(done, number):
    events = [{"event": "asked", "round": 9}, *({"event": "suggested", "round": n} for n in done)]
    assert next_round(events) == number


class Step:
    """tasks.suggest.main in a folder, with everything around the round replaced."""

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
            "open_conversation": lambda journal, settings: made.conversation,
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
    assert "round 1: 1 of 2 suggestions go on trial" in capsys.readouterr().out


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
