"""What a round showed: our numbers go into the journal and to the model, and its words come back as its own."""

import json
from datetime import date

import numpy as np
import pytest
from round_fixture import IDEA, Model, drawn, make_round, proposal, row

from metricloop.data.edits import EDITS
from metricloop.data.tables import write_json, write_table
from metricloop.engineer.drop_arms import without_failed_arms
from metricloop.engineer.idea_facts import histogram_text, idea_facts
from metricloop.engineer.ideas import Idea
from metricloop.engineer.prompt_text import short_text
from metricloop.engineer.reflect import grouped, journal_results, reflect
from metricloop.engineer.round import run_round
from metricloop.llm.cassette import Cassette, CassetteError, NotRecordedError, RecordedCall, Replay
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.metrics.contract import Spec
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.scores import Scores

FRAMES = drawn(8)
LESSONS = {"summary": "Width says little.", "lessons": [{"suggestion": "wide_ones", "lesson": "Drop it."}]}


def judge(source, name) -> GateResult:
    broken = (BrokenRule("runs", "fails"),) if "crash" in source.code else ()
    return GateResult(None if broken else Spec(name, "object"), broken)


@pytest.fixture
def played(tmp_path):
    """A round with an idea that was tried and one that never ran; and the conversation that goes on with more lines."""
    ideas = proposal({}, {"name": "never_ran", "code": "crash", "metric": "other", "family": "pixels"})
    model = Model(ideas)
    made, _ = make_round(tmp_path, model, judge, FRAMES, repairs=0)
    run_round(made)
    made.study.comparison["arms"].append(row("wide_ones", "treatment", IDEA["policy"], 0.031, "wide"))
    return made, model


def test_gains_are_journaled_as_they_were_measured_and_again_only_when_they_change(played):
    made, _ = played
    tried = journal_results(made.study, 1, made.journal)
    assert [(idea.name, idea.state) for idea in tried] == [("wide_ones", "measured"), ("never_ran", "refused")]
    (event,) = made.journal.about("measured")
    assert event["gain"] == {"abs": 0.031, "rel": 0.1, "ci95": pytest.approx([0.011, 0.051]), "p_holm": 0.5}
    assert (event["verdict"], event["seeds"], event["predicted_gain"]) == ("undecided", 3, 0.02)
    journal_results(made.study, 1, made.journal)
    assert len(list(made.journal.about("measured"))) == 1
    made.study.comparison["arms"][-1]["gain"]["mAP"]["abs"] = 0.04
    journal_results(made.study, 1, made.journal)
    assert len(list(made.journal.about("measured"))) == 2


def test_the_model_is_shown_what_became_of_every_idea_the_failures_too(played):
    made, model = played
    model.lines.append(json.dumps(LESSONS))
    part = row("wide", "treatment", {"name": "best"}, 0.011, "wide")
    made.study.comparison["arms"][-1]["lead_over_parts"] = {"wide": {"abs": 0.02, "ci95": [-0.005, 0.045]}}
    made.study.comparison["arms"].append(part)
    learnt = reflect(made.study, 1, made.conversation)
    prompt = model.asked[-1][-1]
    assert "(measured +0.031 (+10" in prompt
    assert (
        "Against `wide`, which uses a part of it and gains +0.011 alone: +0.020 mAP, 95 % interval \u22120.005 to "
        "+0.045." in prompt
    )
    assert "undecided; you had predicted +0.020" in prompt
    assert "## never_ran\n\nRefused: runs: fails." in prompt
    assert "one lesson for each of: wide_ones, never_ran." in prompt
    assert learnt.summary == "Width says little."
    assert model.asked[-1][2] == proposal(
        {}, {"name": "never_ran", "code": "crash", "metric": "other", "family": "pixels"}
    )


def test_an_unreadable_reflection_is_asked_for_again_and_then_done_without(played):
    made, model = played
    made.study.params.llm.__dict__["repairs"] = 1
    model.lines += ["hm", '{"summary": 3}']
    assert reflect(made.study, 1, made.conversation) is None
    assert [event["step"] for event in made.journal.about("unusable")] == ["reflect", "reflect"]


def test_a_recording_without_a_reflection_says_so(played):
    made, _ = played
    empty = Replay(Cassette(model="m", recorded=date(2026, 1, 1), calls=()))
    conversation = Conversation(made.study.params.llm, Journal(made.study.folder), replay=empty)
    with pytest.raises(NotRecordedError, match="no answer to round 1, reflect"):
        reflect(made.study, 1, conversation)


def test_a_recording_for_another_prompt_is_an_error_and_not_a_bad_answer(played):
    made, _ = played
    call = RecordedCall(round=1, step="reflect", template="old", prompt="", answer="{}", finish="stop", rung="schema",
                prompt_tokens=1, completion_tokens=1, seconds=1.0)  # fmt: skip
    other = Replay(Cassette(model="m", recorded=date(2026, 1, 1), calls=(call,)))
    conversation = Conversation(made.study.params.llm, Journal(made.study.folder), replay=other)
    with pytest.raises(CassetteError, match="another version of the prompt"):
        reflect(made.study, 1, conversation)
    assert conversation.journal.last("unusable") is None


def test_scores_are_told_by_quantiles_and_a_histogram():
    value = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 10, np.nan, np.nan])
    scores = Scores(np.arange(12), np.full(12, -1), value, ())
    assert histogram_text(scores, "it") == (
        "Scores of it: 10 images, 17\u00a0% unknown; minimum, 10, 25, 50, 75, 90 % and maximum: "
        "0, 0.9, 2.25, 4.5, 6.75, 8.2, 10; histogram of 10 equal bins: 1 1 1 1 1 1 1 1 1 1."
    )
    nothing = Scores(np.arange(2), np.full(2, -1), np.full(2, np.nan), ())
    assert histogram_text(nothing, "it") == "Scores of it: none."


def test_an_arm_whose_scores_failed_is_dropped_with_its_blocks_and_the_reason():
    rounds = {
        "batches": {"round1-pool": {}},
        "arms": {"a": {"a": "scores/x/m.parquet", "b": "scores/x/m.parquet"},
                 "b": {"a": "scores/x/n.parquet", "b": "scores/x/m.parquet"},
                 "c": {"a": "scores/x/n.parquet", "b": "scores/x/n.parquet"}},
        "blocks": {"a.0": {"arm": "a"}, "b.0": {"arm": "b"}, "c.0": {"arm": "c"}},
    }  # fmt: skip
    left, lost = without_failed_arms(rounds, {"scores/x/m.parquet": "MemoryError"})
    assert (list(left["arms"]), list(left["blocks"]), list(left["batches"])) == (["c"], ["c.0"], ["round1-pool"])
    assert lost == {"a": "MemoryError", "b": "MemoryError"}


def test_an_idea_that_short_trials_stopped_is_journaled_once_and_told(played):
    made, model = played
    made.study.comparison["arms"].pop()
    made.study.comparison["screened"] = [{"name": "wide_ones", "mAP": 0.17, "baseline": 0.2}]
    for _ in range(2):
        tried = journal_results(made.study, 1, made.journal)
    assert [(idea.name, idea.state) for idea in tried] == [("wide_ones", "screened"), ("never_ran", "refused")]
    (event,) = made.journal.about("screened")
    assert (event["mAP"], event["baseline"]) == (0.17, 0.2)
    model.lines.append(json.dumps(LESSONS))
    reflect(made.study, 1, made.conversation)
    told = "stopped after short trials: mAP 0.170 against 0.200 of random. You had predicted +0.020."
    assert told in model.asked[-1][-1]


@pytest.fixture
def edited(played):
    """A study with the edits of the repair `mine`, of which one failed."""
    study = played[0].study
    edits = {"image_id": [0, 0, 1, 2, 3], "kind": ["drop", "move", "drop", "add", None]}
    edits |= {"confidence": [0.7, 0.9, 0.6, 0.5, None], "error": [None] * 4 + ["it failed"]}
    blank = {name: [None] * 5 for name in EDITS.names}
    write_table(study.folder / "edits/mine.parquet", EDITS, blank | edits)
    study.plan["repairs"] = {"mine": {"code": "x", "needs": "y"}}
    return study


def edits_told(study, state="measured", **mend) -> str:
    idea = Idea("mended", 1, state=state, policy={"name": "random", "mend": {"repair": "mine", **mend}})
    return "".join(line for line in idea_facts(study, idea, []).splitlines() if line.startswith("Edits of"))


def test_what_a_repair_changed_in_the_pool_is_counted(edited):
    assert edits_told(edited) == (
        "Edits of `mine` in the pool, from a confidence of 0.6 on: drop 2, move 1, relabel 0, add 0, on 2 of 8 images."
    )
    assert edits_told(edited, least_confidence=0.95).endswith("drop 0, move 0, relabel 0, add 0, on 0 of 8 images.")
    assert edits_told(edited, kinds="add, move", least_confidence=0.5).endswith("move 1, add 1, on 2 of 8 images.")


@pytest.mark.parametrize(
    "mend", [{"least_confidence": 7}, {"strength": 0.5}, {"when": "never"}, {"repair": "../data/x"}]
)
def test_nothing_is_read_for_an_idea_that_was_refused(edited, mend):
    assert edits_told(edited, "refused", **mend) == ""


def test_other_measures_are_held_against_the_seeds_of_the_same_look(played):
    made, _ = played
    arms = {arm["name"]: arm for arm in made.study.comparison["arms"]}
    arms["random"]["mAP50"] = {"mean": 0.9, "sd": 0.1, "per_seed": [0.5, 0.6, 0.9, 0.9]}
    arms["wide_ones"] |= {"baseline_seeds": 2, "mAP50": {"mean": 0.7, "sd": 0.1, "per_seed": [0.7]}}
    said = idea_facts(made.study, Idea("wide_ones", 1, state="measured"), [])
    assert "In mAP at IoU 0.5 +0.150, in mAR +0.031." in said


def test_the_short_trials_of_the_variant_that_went_on_are_told_too(played):
    made, model = played
    for arm, values in (("random", (0.2, 0.22)), ("wide_ones", (0.25, 0.29))):
        made.study.plan.setdefault("screens", {})[arm] = {"arm": arm, "seeds": "38-39"}
        numbers = {str(38 + place): {"mAP": value} for place, value in enumerate(values)}
        write_json(made.study.folder / f"screening/{arm}.json", {"seeds": numbers})
    model.lines.append(json.dumps(LESSONS))
    reflect(made.study, 1, made.conversation)
    assert (
        "standard deviation over the seeds of each: random 0.210 ± 0.014, wide_ones 0.270 ± 0.028.\n"
        in (model.asked[-1][-1])
    )


def test_variants_stand_below_their_idea_and_short_trials_are_explained():
    told = [
        Idea("a", 1),
        Idea("b", 1),
        Idea("a_v2", 1, variant_of="a", state="screened"),
        Idea("b_v2", 1, variant_of="b"),
    ]
    assert [idea.name for idea in grouped(told)] == ["a", "a_v2", "b", "b_v2"]
    assert short_text(told, 0.4) == (
        "Short trials train for 40\u00a0% of the iterations: their mAP compares with that of random beside it, and not "
        "with the mAP of full trials."
    )
    assert short_text(told[:2], 0.4) == ""
