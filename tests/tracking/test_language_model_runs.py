"""The calls of a study as its journal tells them: threads, times, what an answer cost, and what a round was about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from journal_fixture import EDGES, TIGHTNESS, answered, asked, event, journal, round_one, write_journal
from study_fixture import comparison

from metricloop.tracking.language_model_calls import calls
from metricloop.tracking.language_model_runs import NOTE, language_model_runs, origins, round_runs
from metricloop.tracking.records import ModelCall

SECOND = 1_000_000_000


def by_name(events: list[dict]) -> dict[str, ModelCall]:
    return {call.name: call for call in calls(events)}


def test_every_call_once_in_the_order_of_their_ends() -> None:
    assert [(call.name, call.answer is not None) for call in calls(journal())] == [
        ("round 1: propose", True),
        ("round 1: repair tightness (1)", True),
        ("round 1: repair edges (1)", True),
        ("round 1: repair edges (2)", False),
        ("round 1: repair edges (2)", True),
        ("round 1: reflect", True),
        ("round 2: propose", True),
        ("round 2: reflect", True),
    ]


def test_a_proposal_is_the_whole_prompt_with_pictures_by_title() -> None:
    assert by_name(journal())["round 1: propose"].messages == (
        ("system", "You are a data-centric engineer."),
        ("user", "600 images of pandas.\n\n[picture: 24 images at random]"),
    )


def test_a_repair_holds_the_thread_of_its_own_suggestion() -> None:
    call = by_name(journal())["round 1: repair edges (2)"]
    assert [role for role, _ in call.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [text for _, text in call.messages[3:]] == ["edges broke runs.", "no JSON at all", "edges broke answer."]
    assert not any("tightness broke" in text for _, text in call.messages)
    assert call.answer == json.dumps(EDGES)


def test_a_round_knows_nothing_of_the_calls_of_another() -> None:
    texts = [text for _, text in by_name(journal())["round 2: propose"].messages]
    assert texts == ["You are a data-centric engineer.", "Round 1 gave +0.070."]


def test_times_tokens_and_cost() -> None:
    call = by_name(journal())["round 1: repair tightness (1)"]
    assert call.end - call.start == 30 * SECOND
    assert call.end == 1795345590 * SECOND  # 2026-11-22 11:06:30 UTC
    assert (call.prompt_tokens, call.completion_tokens, call.cost) == (400, 200, pytest.approx(0.0006))
    assert (call.model, call.provider, call.rung, call.recorded) == ("gpt-5-mini", "record", "schema", None)
    assert by_name(journal())["round 2: reflect"].recorded == "2026-11-20"


def test_a_call_without_an_answer_says_why_and_how_long_it_took() -> None:
    lost = next(call for call in calls(journal()) if call.answer is None)
    assert lost.error == "timeout: no answer in 300 s"
    assert lost.end - lost.start == 60 * SECOND  # asked at 11:11:30, given up at 11:12:30
    assert (lost.prompt_tokens, lost.cost, lost.model) == (0, None, "gpt-5-mini")
    assert lost.messages[-1] == ("user", "edges broke answer.")


def test_a_question_that_was_never_answered_is_no_call() -> None:
    """The study was killed while it waited, and asked again when it went on."""
    question = asked(1, "propose", 0, ("user", "Well?"))
    again = asked(1, "propose", 5, ("user", "Well?"))
    (call,) = calls([question, again, answered(1, "propose", 6, "yes", (1, 1))])
    assert call.messages == (("user", "Well?"),)
    assert calls([question]) == []


def test_what_a_round_run_holds() -> None:
    first, second = round_runs(journal())
    assert (first.name, first.tags["kind"], first.tags["round"]) == ("round 1", "round", "1")
    assert first.metrics == {
        "proposed": 3, "accepted": 2, "repaired": 1, "refused": 1, "prompt_tokens": 4100, "completion_tokens": 1700,
        "seconds": 150, "cost": 0.0058,
    }  # fmt: skip
    assert first.texts["code/tightness.py"] == TIGHTNESS["code"]
    assert set(first.texts) == {
        "proposal.md", "reflection.md", "gate.json", "code/object_count.py", "code/tightness.py", "code/edges.py"
    }  # fmt: skip
    assert [(row["suggestion"], row["attempt"]) for row in json.loads(first.texts["gate.json"])] == [
        ("object_count", 0), ("tightness", 0), ("tightness", 1), ("edges", 0), ("edges", 2)
    ]  # fmt: skip
    assert "- predicted gain: +0.050" in first.texts["proposal.md"]
    assert "- builds on: object_count" in second.texts["proposal.md"]
    assert second.texts["reflection.md"].startswith("Recorded on 2026-11-20, with the numbers of that time.")
    assert "Recorded" not in first.texts["reflection.md"]


def test_a_call_changes_the_key_of_its_round_only() -> None:
    before = [run.key for run in round_runs(journal())]
    events = journal()
    events[-2]["text"] = "another answer"
    after = [run.key for run in round_runs(events)]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_an_unknown_price_is_no_zero() -> None:
    events = round_one()
    events[1]["cost"] = None
    assert "cost" not in round_runs(events)[0].metrics


def test_a_reflection_that_never_came_leaves_no_file() -> None:
    events = [*round_one()[:-3], event("reflected", 1, 52, summary="", lessons=[], recorded=None)]
    assert "reflection.md" not in round_runs(events)[0].texts


def test_the_model_has_a_run_above_its_rounds(tmp_path: Path) -> None:
    write_journal(tmp_path)
    (tmp_path / "comparison.json").write_text(json.dumps(comparison()))
    ((model, rounds),) = language_model_runs(tmp_path)
    assert model.tags["kind"] == "model"
    assert "object_count (round 1, counting): ran the first time, +0.070 (better)" in model.tags["mlflow.note.content"]
    assert [run.name for run in rounds] == ["round 1", "round 2"]


def test_no_journal_and_a_journal_without_ideas_show_nothing(tmp_path: Path) -> None:
    assert language_model_runs(tmp_path) == []
    write_journal(tmp_path, [event("stopped", 1, 0, reason="max_cost")])
    assert language_model_runs(tmp_path) == []


def test_arms_come_from_ideas_that_ran() -> None:
    assert origins(journal()) == {"object_count": 1, "tightness": 1, "crowded": 2, "late": 2}


def test_words_of_the_model_stay_words() -> None:
    """A picture in Markdown would be fetched by whoever looks at the run; a fence could be left."""
    events = round_one()
    evil = "![x](http://example.com/a.png)\n```\n# out"
    for one in events:
        if one["event"] in ("proposed", "gate"):
            one["idea"] = one["idea"] | {"hypothesis": evil}
        if one["event"] == "refused":
            one["reason"] = evil
    run = round_runs(events)[0]
    assert "![" not in run.texts["proposal.md"].replace(r"\!\[", "")
    assert run.tags["mlflow.note.content"].count("```") == 2


def test_a_long_tree_keeps_its_latest_ideas() -> None:
    events = [event("proposed", 1, 2, suggestion=f"idea_{n}", idea={"family": "f" * 40}) for n in range(200)]
    note = round_runs(events)[0].tags["mlflow.note.content"]
    assert len(note) < NOTE + 20
    assert note.startswith("```\n...\nidea_")
    assert "idea_199" in note
