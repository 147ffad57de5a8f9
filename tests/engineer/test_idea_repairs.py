"""A repair of labels as the language model's idea: it is checked like a metric, written down, and becomes an arm."""

import json

import pytest
from round_fixture import CODE, IDEA, Model, drawn, make_round, proposal

from metricloop.data.edits import EDITS, edit_columns
from metricloop.data.tables import FAILED, write_table
from metricloop.engineer.code_gate import CodeGate
from metricloop.engineer.ideas import ideas
from metricloop.engineer.lessons import _metric
from metricloop.engineer.policy_menu import check_offered, offered_text, policy_schema, policy_text
from metricloop.engineer.round import run_round
from metricloop.engineer.study_view import known_repairs
from metricloop.engineer.suggestion import AnswerError, read_suggestion, suggestion_schema
from metricloop.llm.journal import Journal
from metricloop.mending.gate import RepairGateResult
from metricloop.metrics.contract import Spec
from metricloop.metrics.repair_contract import RepairSpec
from metricloop.sandbox.limits import Limits
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule

FRAMES = drawn(12)
CONSENSUS = {"code": "metrics/catalogue.yaml", "needs": "data/predictions.parquet"}
DROPS = """from metricloop import Edit, repair


@repair()
def drop_left(frame):
    return [Edit.drop(k, 0.8) for k in range(len(frame.boxes)) if frame.boxes[k, 0] < 30]
"""
MEND = {"repair": "drop_left", "least_confidence": 0.5}
ALONE = {"metric": None, "code": None, "repair_code": DROPS, "policy": {"name": "random", "mend": MEND}}
BOTH = {"repair_code": DROPS, "policy": {"name": "best", "mend": MEND}}


def accepting(source, name) -> GateResult:
    return GateResult(Spec(name, "object"), ())


def mending(source, name) -> RepairGateResult:
    """Code that holds the word `crash` breaks a rule; all other passes."""
    broken = (BrokenRule("runs", "fails: IndexError"),) if "crash" in source.code else ()
    return RepairGateResult(None if broken else RepairSpec(name), broken)


def never(source, name):
    raise AssertionError("code was run")


def a_round(folder, *answers, check_code=accepting, check_repair=mending, **llm):
    made, said = make_round(folder, Model(*answers), check_code, FRAMES, check_repair=check_repair, **llm)
    made.known.repairs["consensus"] = CONSENSUS
    return made, said


def events(folder, kind: str) -> list[dict]:
    return list(Journal(folder).about(kind))


def test_a_repair_alone_becomes_a_file_and_an_arm_of_random_images(tmp_path):
    made, said = a_round(tmp_path, proposal(ALONE), check_code=never)
    addition, _ = run_round(made)
    assert addition["repairs"] == {
        "drop_left": {"code": "metrics/generated/1/drop_left.py", "needs": "data/images.parquet"}
    }
    assert addition["batches"] == {}
    assert addition["arms"]["wide_ones"] == {
        "role": "treatment", "a": "data/images.parquet", "b": "edits/drop_left.parquet", "group": "round 1",
        "policy": {"name": "random", "mend": MEND},
    }  # fmt: skip
    text = (tmp_path / "metrics/generated/1/drop_left.py").read_text()
    assert text.startswith("# Written by stub-1 for the study s: round 1, wide_ones, 0 repairs, prompt ")
    assert text.endswith(DROPS)
    (accepted,) = events(tmp_path, "accepted")
    assert (accepted["metric"], accepted["repair"], accepted["file"]) == (None, "drop_left", None)
    assert accepted["repair_file"] == "metrics/generated/1/drop_left.py"
    assert said == [
        "round 1: wide_ones (geometry): passed the gate at once; random, mend drop_left (least confidence 0.5)"
    ]
    (idea,) = ideas(Journal(tmp_path).events)
    assert (idea.metric, idea.repair, idea.has_code, idea.has_repair_code) == ("", "drop_left", False, True)


def test_a_metric_and_a_repair_together_share_an_arm(tmp_path):
    made, _ = a_round(tmp_path, proposal(BOTH), number=2)
    addition, _ = run_round(made)
    arm = addition["arms"]["wide_ones"]
    assert (arm["metric"], arm["a"], arm["b"]) == ("wide", "scores/round2-pool/wide.parquet", "edits/drop_left.parquet")
    written = {file.name for file in (tmp_path / "metrics/generated/2").iterdir()}
    assert written == {"wide.py", "drop_left.py"}


def test_a_catalogue_repair_is_named_without_code(tmp_path):
    policy = {"name": "best", "mend": {"repair": "consensus", "least_confidence": 0.7, "when": "after"}}
    made, _ = a_round(tmp_path, proposal({"policy": policy}), check_repair=never)
    addition, _ = run_round(made)
    assert addition["repairs"] == {"consensus": CONSENSUS}
    assert addition["arms"]["wide_ones"]["b"] == "edits/consensus.parquet"
    made.study.plan["repairs"] = {"consensus": CONSENSUS}  # arms.yaml has it already: it is not written twice
    (tmp_path / "again").mkdir()
    again, _ = a_round(tmp_path / "again", proposal({"policy": policy}))
    again.study.plan["repairs"] = {"consensus": CONSENSUS}
    assert "repairs" not in run_round(again)[0]


def test_a_broken_repair_goes_back_with_its_file_and_is_mended(tmp_path):
    made, _ = a_round(tmp_path, proposal(ALONE | {"repair_code": "crash"}), json.dumps(IDEA | ALONE))
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    prompt = made.conversation.model.asked[1][-1]
    assert 'rule "runs": the repair drop_left fails: IndexError' in prompt
    assert "Its `repair_code` was tried as this file" in prompt
    assert "\ncrash\n```" in prompt
    assert "1 repair, prompt" in (tmp_path / "metrics/generated/1/drop_left.py").read_text()


def test_faults_of_metric_and_repair_come_together(tmp_path):
    def broken(source, name):
        return GateResult(None, (BrokenRule("loads", "declares no metric"),))

    made, _ = a_round(tmp_path, proposal(BOTH | {"repair_code": "crash"}), check_code=broken, repairs=0)
    run_round(made)
    reason = events(tmp_path, "refused")[0]["reason"]
    assert reason == "loads: declares no metric; runs: the repair drop_left fails: IndexError"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": {"name": "random"}, "metric": None, "code": None}, "policy: random without `mend` is the baseline"),
        (ALONE | {"metric": "object_count"}, "policy: random reads no scores"),
        (BOTH | {"metric": None, "code": None}, "policy: best needs a metric; for a repair alone choose random"),
        ({"metric": None}, "loads: has code, but does not name the metric"),
        ({"repair_code": DROPS}, "policy: has repair_code, but its policy has no `mend`"),
        (BOTH | {"repair_code": None}, "no repair drop_left is known; known: consensus"),
        (
            ALONE | {"policy": {"name": "random", "mend": {"repair": "consensus"}}},
            "a repair is called consensus already",
        ),
        (
            ALONE | {"policy": {"name": "random", "mend": {"repair": "box_tightness"}}},
            "a metric is called box_tightness",
        ),
        (
            BOTH | {"policy": {"name": "best", "mend": {"repair": "wide"}}},
            "name: its metric and its repair are both called wide",
        ),
        ({"metric": "consensus"}, "name: a repair is called consensus already"),
        (ALONE | {"policy": {"name": "random", "mend": {"repair": "../../arms"}}}, "name of its function"),
        (ALONE | {"policy": {"name": "random", "mend": MEND | {"least_confidence": -1}}}, "least_confidence"),
        (ALONE | {"policy": {"name": "random", "mend": MEND | {"truth": 1}}}, "unknown option 'mend.truth'"),
        (ALONE | {"policy": {"name": "random", "mend": {}}}, "mend.repair"),
        (
            BOTH | {"partner": "object_count", "policy": {"name": "best", "combine": "product", "mend": MEND}},
            "input b cannot serve combine and mend",
        ),
        (ALONE | {"policy": {"name": "oracle", "mend": MEND}}, "unknown policy 'oracle'"),
        (ALONE | {"policy": {"name": "relabelled", "mend": MEND}}, "unknown policy 'relabelled'"),
    ],
)
def test_what_cannot_be_tried_is_told_before_any_code_runs(tmp_path, change, said):
    made, _ = a_round(tmp_path, proposal(change), check_code=never, check_repair=never, repairs=0)
    assert run_round(made)[0] == {"batches": {}, "arms": {}, "blocks": {}}
    assert said in events(tmp_path, "refused")[0]["reason"]
    assert not (tmp_path / "metrics").exists()


def test_a_confidence_that_is_no_number_is_no_json(tmp_path):
    change = ALONE | {"policy": {"name": "random", "mend": MEND | {"least_confidence": float("nan")}}}
    made, _ = a_round(tmp_path, proposal(change), check_code=never, check_repair=never, repairs=0)
    assert run_round(made)[0]["arms"] == {}
    assert "NaN" in events(tmp_path, "unusable")[0]["said"]


def test_the_same_repair_with_nearly_the_same_threshold_is_a_repeat(tmp_path):
    again = {"name": "again", "family": "pixels", "repair_code": None}
    hair = {"policy": {"name": "random", "mend": MEND | {"least_confidence": 0.5001}}}
    made, _ = a_round(tmp_path, proposal(ALONE, ALONE | again | hair))
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    assert events(tmp_path, "refused")[0]["reason"] == (
        "repeat: is wide_ones again: the repair drop_left with the same policy"
    )


def test_variants_vary_the_strength_and_tell_selection_and_repair_apart(tmp_path):
    variants = [
        {"policy": {"name": "best", "mend": MEND | {"least_confidence": 0.9, "when": "after"}}},
        {"policy": {"name": "random", "mend": MEND}},
        {"policy": {"name": "best"}},
    ]
    for first, name in ((0, "two"), (1, "three")):
        (tmp_path / name).mkdir()
        made, _ = a_round(tmp_path / name, proposal(BOTH | {"variants": variants[first : first + 2]}))
        arms = run_round(made)[0]["arms"]
        assert list(arms) == ["wide_ones", "wide_ones_v2", "wide_ones_v3"]
    alone, without = arms["wide_ones_v2"], arms["wide_ones_v3"]
    assert ("metric" in alone, alone["a"], alone["b"]) == (False, "data/images.parquet", "edits/drop_left.parquet")
    assert without["b"] == "scores/round1-pool/wide.parquet"
    # only one file of each: variants bring no code
    assert {file.name for file in (tmp_path / "two/metrics/generated/1").iterdir()} == {"wide.py", "drop_left.py"}


def test_the_opposite_of_a_repair_alone_is_no_control(tmp_path):
    made, said = a_round(tmp_path, proposal(ALONE | {"control": "inverse"}))
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    assert said[-1] == "round 1: wide_ones: no control, since a repair without a metric has no opposite"


def test_killed_anywhere_a_round_with_repairs_ends_the_same(tmp_path):
    varied = BOTH | {"variants": [{"policy": {"name": "random", "mend": MEND}}]}
    lines = [proposal(varied | {"repair_code": "crash"}), json.dumps(IDEA | varied)]
    whole, _ = a_round(tmp_path, *lines)
    addition, _ = run_round(whole)
    journal = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    for cut in range(len(journal) + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(journal[:cut]))
        again, _ = a_round(folder, *lines[sum('"answered"' in line for line in journal[:cut]) :])
        assert run_round(again)[0] == addition
        ends = [event["event"] for event in Journal(folder).events]
        assert (ends.count("accepted"), ends.count("gate")) == (2, 3)


def test_a_repair_that_failed_on_the_pool_is_not_offered_and_its_name_stays_taken(tmp_path):
    made, _ = a_round(tmp_path, proposal({}))
    study = made.study
    study.plan["repairs"] = {"mine": {"code": "mine.py", "needs": "data/images.parquet"}}
    assert {"consensus", "tighten", "drop_unsupported", "mine"} == set(known_repairs(study))
    write_table(tmp_path / "edits/mine.parquet", EDITS, edit_columns(study.pool, {}, {}), {FAILED: "too slow"})
    assert "mine" not in known_repairs(study)


HOSTILE = {
    "another image": ("[Edit.drop(99, 0.9)]", "runs", "its box must be a row of the"),
    "out of the image": ("[Edit.add([0, 0, 10**9, 5], 0, 0.9)]", "runs", "must lie inside the image"),
    "thousands of edits": ("[Edit.add([k, 0, k + 2, 5], 0, 0.9) for k in range(9000)]", "runs", "9000 edits"),
    "a confidence of nan": ("[Edit.drop(0, float('nan'))]", "runs", "confidence must be between 0 and 1"),
    "the truth": ("open('TRUTH').read() and []", "runs", "PermissionError"),
    "a class that is not there": ("[Edit.relabel(0, 7, 0.9)]", "runs", "its label must be one of 1"),
    "not edits": ("[('drop', 0)]", "runs", "make it with Edit.drop"),
    "nothing": ("[]", "acts", "changes no label"),
    "chance": ("[Edit.drop(0, float(__import__('os').urandom(1)[0]) / 255)]", "deterministic", "other edits"),
}


@pytest.mark.parametrize("door", HOSTILE)
def test_a_hostile_repair_breaks_a_rule_in_the_sandbox(tmp_path, walls, door):
    body, rule, said = HOSTILE[door]
    (tmp_path / "truth.parquet").write_text("what was planted")
    body = body.replace("TRUTH", str(tmp_path / "truth.parquet"))
    code = f"from metricloop import Edit, repair\n\n@repair()\ndef drop_left(frame):\n    return {body}\n"
    made, _ = a_round(tmp_path, proposal(ALONE | {"repair_code": code}), repairs=0)
    made.check_repair = CodeGate(tmp_path, 1, made.known, FRAMES, Limits(frame_seconds=2), {}, 60.0).check_repair
    assert run_round(made)[0]["arms"] == {}
    (refused,) = events(tmp_path, "refused")
    assert f"{rule}: the repair drop_left" in refused["reason"]
    assert said in refused["reason"]


def test_a_file_that_declares_the_name_of_another_one_is_not_taken_for_it(tmp_path, walls):
    """The function is looked up by the name that the policy says; a second one in the file is never run."""
    code = DROPS.replace("def drop_left", "def consensus")
    made, _ = a_round(tmp_path, proposal(ALONE | {"repair_code": code}), repairs=0)
    made.check_repair = CodeGate(tmp_path, 1, made.known, FRAMES, Limits(), {}, 60.0).check_repair
    run_round(made)
    assert "declares no repair 'drop_left', but consensus" in events(tmp_path, "refused")[0]["reason"]


def test_a_copy_of_a_repair_of_the_same_round_does_not_pass(tmp_path, walls):
    copy = {"name": "second", "family": "pixels", "repair_code": DROPS.replace("drop_left", "drop_west")}
    copy["policy"] = {"name": "random", "mend": MEND | {"repair": "drop_west", "least_confidence": 0.6}}
    made, _ = a_round(tmp_path, proposal(ALONE, ALONE | copy), repairs=0)
    made.check_repair = CodeGate(tmp_path, 1, made.known, FRAMES, Limits(), {}, 60.0).check_repair
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    assert "new: the repair drop_west makes the edits of drop_left" in events(tmp_path, "refused")[0]["reason"]


def test_the_menu_offers_mend_and_random_only_with_it():
    schema = policy_schema()["properties"]
    assert schema["name"]["enum"][-1] == "random"
    kinds = {kind.get("type") for kind in schema["mend"]["anyOf"]}
    assert kinds == {"object", "null"}
    mend = suggestion_schema(policy_schema())["schema"]["properties"]["policy"]["properties"]["mend"]["anyOf"][0]
    assert mend["required"] == ["repair", "least_confidence", "when", "kinds"]
    assert "- `random`: draw at random. For a repair alone" in policy_text()
    assert check_offered(ALONE["policy"]).mend.when == "before"


def test_lessons_for_other_studies_name_only_repairs_of_the_catalogue():
    assert offered_text({"name": "random", "mend": {"repair": "consensus"}}) == (
        "random, labels mended by `consensus` from 0.6 on"
    )
    assert offered_text(ALONE["policy"]) == "random, labels mended by a repair of its own from 0.5 on"


def test_an_idea_without_a_metric_is_told_so_to_other_studies():
    assert _metric("") == "none"
    assert _metric("object_count") == "`object_count`"
    assert _metric("mine") == "a metric of its own"


def test_half_a_letter_in_the_code_of_a_repair_is_a_fault():
    with pytest.raises(AnswerError, match="repair_code: "):
        read_suggestion(IDEA | {"repair_code": "x = '\ud800'"})
    assert read_suggestion(IDEA | {"code": CODE, "repair_code": " \n"}).repair_code is None
