"""Which round is next, which ideas wait, and the plan as it was before a round that was killed."""

import json

import pytest
from round_fixture import ARMS, Model, accepting, drawn, make_round, proposal

from metricloop.engineer.progress import next_round, plan_before, untried
from metricloop.engineer.round import run_round
from metricloop.llm.journal import Journal
from metricloop.study.plan import PlanError, load_plan, write_rounds

FRAMES = drawn(12)


def test_a_journal_that_was_lost_is_asked_for_where_rounds_yaml_was_kept(tmp_path):
    (tmp_path / "arms.yaml").write_text(ARMS)
    made, _ = make_round(tmp_path, Model(proposal({})), lambda source, name: accepting(name), FRAMES)
    write_rounds(run_round(made)[0], tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    with pytest.raises(PlanError, match=r"metrics or repairs of round 1 \(wide\) that journal\.jsonl does not know"):
        plan_before(1, Journal(tmp_path), tmp_path)


def test_ideas_that_wait_for_their_experiment_are_named(tmp_path):
    (tmp_path / "comparison.json").write_text(
        json.dumps({"arms": [{"name": "tried"}], "screened": [{"name": "stopped"}]})
    )
    events = [
        {"event": "accepted", "round": 1, "suggestion": "tried"},
        {"event": "accepted", "round": 1, "suggestion": "stopped"},
        {"event": "accepted", "round": 1, "suggestion": "waiting"},
        {"event": "accepted", "round": 1, "suggestion": "lost"},
        {"event": "dropped", "round": 1, "suggestion": "lost"},
        {"event": "suggested", "round": 1},
        {"event": "accepted", "round": 2, "suggestion": "of_the_round_under_way"},
    ]
    assert untried(events, tmp_path) == ["waiting"]


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
