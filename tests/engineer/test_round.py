"""A round: ideas are read strictly, repaired a few times, refused with the reason, and nothing is asked twice."""

import hashlib
import json
from dataclasses import replace

import pytest
from round_fixture import CODE, IDEA, REFUTED, Model, drawn, make_round, proposal

from metricloop.engineer.code_gate import CodeGate
from metricloop.engineer.ideas import ideas
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.round import run_round
from metricloop.engineer.study_view import known_ideas
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import CassetteError, Replay, cassette_of
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.llm.message import Reply
from metricloop.metrics.contract import MetricError, Spec
from metricloop.metrics.families import IDEA_FAMILIES
from metricloop.params import Screen
from metricloop.sandbox.limits import Limits
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.selection.policies import check_policy

FRAMES = drawn(12)
SPEC = Spec("wide", "object")


def judge(source, name) -> GateResult:
    """Code that holds the word `crash` breaks a rule; all other passes."""
    broken = (BrokenRule("runs", "fails: ZeroDivisionError"),) if "crash" in source.code else ()
    return GateResult(
        None if broken else Spec(name, "object", ("predictions",) if "predictions" in source.code else ()), broken
    )


def events(folder, kind: str) -> list[dict]:
    return list(Journal(folder).about(kind))


def test_an_idea_that_passes_becomes_a_file_a_batch_an_arm_and_a_block(tmp_path):
    made, said = make_round(tmp_path, Model(proposal({})), judge, FRAMES, number=2)
    addition, _ = run_round(made)
    assert addition["batches"] == {
        "round2-pool": {"code": "metrics/generated/2", "needs": "data/images.parquet", "metrics": ["wide"]}
    }
    assert addition["arms"]["wide_ones"] == {
        "role": "treatment", "metric": "wide", "a": "scores/round2-pool/wide.parquet",
        "b": "scores/round2-pool/wide.parquet", "policy": {"name": "best", "direction": "higher"}, "group": "round 2",
    }  # fmt: skip
    assert addition["blocks"] == {"wide_ones.0": {"arm": "wide_ones", "seeds": "0-2"}}
    text = (tmp_path / "metrics/generated/2/wide.py").read_text()
    assert text.startswith("# Written by stub-1 for the study s: round 2, wide_ones, 0 repairs, prompt ")
    assert text.endswith(CODE)
    (accepted,) = events(tmp_path, "accepted")
    assert accepted["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert said == ["round 2: wide_ones (geometry): passed the gate at once; wide, best"]


def test_a_metric_that_asks_predictions_waits_for_them(tmp_path):
    code = CODE.replace('level="object"', 'level="object", needs=("predictions",)')
    made, _ = make_round(tmp_path, Model(proposal({"code": code})), judge, FRAMES)
    assert run_round(made)[0]["batches"]["round1-model"]["needs"] == "data/predictions.parquet"


def test_broken_code_goes_back_with_the_rule_the_file_and_the_shapes_and_is_mended(tmp_path):
    model = Model(proposal({"code": "crash"}), json.dumps(IDEA | {"name": "other_name"}))
    made, said = make_round(tmp_path, model, judge, FRAMES)
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]  # whatever name the repair came with
    prompt = model.asked[1][-1]
    assert 'rule "runs": fails: ZeroDivisionError' in prompt
    assert "\ncrash\n```" in prompt
    assert "image 0: 160 x 120, 1 box, 1 prediction" in prompt
    assert model.asked[1][2] == proposal({"code": "crash"})  # the conversation keeps its memory
    assert "1 repair, prompt" in (tmp_path / "metrics/generated/1/wide.py").read_text()
    assert said[0] == "round 1: wide_ones broke runs: fails: ZeroDivisionError"
    assert "passed the gate after 1 repair;" in said[1]


def test_repairs_are_bounded_and_what_was_never_mended_is_refused_with_the_reason(tmp_path):
    broken = json.dumps(IDEA | {"code": "crash"})
    model = Model(proposal({"code": "crash"}), broken, "no JSON", broken)
    made, _ = make_round(tmp_path, model, judge, FRAMES)
    assert run_round(made)[0] == {"batches": {}, "arms": {}, "blocks": {}}
    assert model.lines == []  # the proposal and three repairs
    assert [gate["broken"][0]["rule"] for gate in events(tmp_path, "gate")] == ["runs", "runs", "answer", "runs"]
    (refused,) = events(tmp_path, "refused")
    assert (refused["kind"], refused["reason"]) == ("gate", "runs: fails: ZeroDivisionError")
    assert not (tmp_path / "metrics").exists()


def test_a_repair_that_cannot_be_read_leaves_the_fault_to_be_told(tmp_path):
    made, _ = make_round(tmp_path, Model(proposal({"code": "crash"}), "no JSON"), judge, FRAMES, repairs=1)
    run_round(made)
    assert events(tmp_path, "refused")[0]["reason"].endswith("; it stands as it was: runs: fails: ZeroDivisionError")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "object_count"}, "a metric is called object_count already"),
        ({"metric": "box_tightness"}, "a metric is called box_tightness already"),
        ({"metric": "unheard", "code": None}, "no metric unheard is known; known: object_count"),
        ({"policy": {"name": "bset"}}, "unknown policy 'bset'; there are best, drop_worst"),
        ({"policy": {"name": "oracle"}}, "unknown policy 'oracle'"),  # reads the truth, and is on no offer
        ({"policy": {"name": "best", "keep": 0.3}}, "unknown option 'keep'"),
        ({"policy": {"name": "best", "combine": "product"}}, "combine needs a known metric as partner"),
        ({"partner": "object_count"}, "names a partner, but its policy has no `combine`"),
        (
            {"metric": "object_count", "code": None, "policy": {"name": "drop_worst"}},
            "needs a metric that scores objects",
        ),
        (
            {"partner": "object_count", "policy": {"name": "drop_worst", "combine": "veto"}},
            "drop_worst needs a metric that scores objects; object_count scores images",
        ),
        (
            {"policy": {"name": "best", "objectives": "wide, objct_count"}},
            "objectives: no metric objct_count; did you mean 'object_count'?",
        ),
        ({"policy": {"name": "best", "objectives": "wide, ../truth"}}, "'../truth' is no metric with a strength"),
        ({"policy": {"name": "best", "objectives": "wide, truth"}}, "no metric truth; known: object_count"),
        ({"policy": {"name": "best", "objectives": "object_count"}}, "wide, the idea's own metric, is not among"),
        ({"policy": {"name": "best", "objectives": "wide"}}, "objectives: name more than one metric"),
        ({"policy": {"name": "best", "veto": 0.2}}, "veto is the share of combine=veto"),
        ({"policy": {"name": "diverse"}}, "unknown policy 'diverse'"),  # this study has no embeddings
    ],
)
def test_what_cannot_be_tried_is_told_before_any_code_runs(tmp_path, change, said):
    def never(source, name):
        raise AssertionError("the code was run")

    made, _ = make_round(tmp_path, Model(proposal(change)), never, FRAMES, repairs=0)
    assert run_round(made)[0]["arms"] == {}
    assert said in events(tmp_path, "refused")[0]["reason"]


def test_a_known_metric_under_another_policy_is_an_idea_without_code(tmp_path):
    change = {"metric": "object_count", "code": None, "policy": {"name": "strata", "by": "size"}}
    made, _ = make_round(tmp_path, Model(proposal(change)), judge, FRAMES)
    addition, _ = run_round(made)
    assert addition["batches"] == {}
    assert addition["arms"]["wide_ones"]["a"] == "scores/labels/object_count.parquet"
    assert events(tmp_path, "accepted")[0]["file"] is None


def test_three_metrics_are_combined_by_their_names_and_our_code_finds_the_folders(tmp_path):
    line = "wide 2, object_count -1, sharp 0.5"
    made, _ = make_round(tmp_path, Model(proposal({"policy": {"name": "best", "objectives": line}})), judge, FRAMES)
    made.known.metrics["sharp"] = KnownMetric("image", "scores/pixels/sharp.parquet")
    arm = run_round(made)[0]["arms"]["wide_ones"]
    assert (arm["a"], arm["b"], arm["metric"]) == ("scores/round1-pool", "scores", "wide")
    assert arm["policy"] == {"name": "best", "objectives": line}
    assert check_policy(arm["policy"])[1].strengths == {"object_count": -1, "sharp": 0.5, "wide": 2}


def test_two_metrics_are_combined_by_naming_the_partner(tmp_path):
    change = {"partner": "object_count", "policy": {"name": "best", "combine": "intersection", "direction_b": "lower"}}
    made, _ = make_round(tmp_path, Model(proposal(change)), judge, FRAMES)
    arm = run_round(made)[0]["arms"]["wide_ones"]
    assert (arm["a"], arm["b"]) == ("scores/round1-pool/wide.parquet", "scores/labels/object_count.parquet")


def test_the_same_metric_and_policy_again_is_refused_and_costs_no_repair(tmp_path):
    change = {
        "metric": "object_count",
        "code": None,
        "policy": {"name": "best", "direction": "higher", "reduce": "mean"},
    }
    model = Model(proposal(change))
    made, _ = make_round(tmp_path, model, judge, FRAMES)
    run_round(made)
    (refused,) = events(tmp_path, "refused")
    assert refused["kind"] == "repeat"
    assert refused["reason"] == (f"repeat: is counted again: object_count with the same policy, which {REFUTED}")


def test_a_copy_of_a_refuted_idea_by_its_scores_is_a_repeat_and_of_another_policy_a_fault_to_mend(tmp_path):
    def copying(source, name):
        return GateResult(SPEC, (BrokenRule("new", "ranks as object_count does", like="object_count"),))

    made, _ = make_round(tmp_path, Model(proposal({})), copying, FRAMES)
    run_round(made)
    assert events(tmp_path, "refused")[0]["kind"] == "repeat"
    other = tmp_path / "other"
    other.mkdir()
    made, _ = make_round(other, Model(proposal({"policy": {"name": "strata"}})), copying, FRAMES, repairs=0)
    run_round(made)
    assert events(other, "refused")[0]["kind"] == "gate"


def test_the_family_and_policy_of_a_refuted_idea_are_refused(tmp_path):
    made, _ = make_round(tmp_path, Model(proposal({}, {"name": "new_kind", "family": "pixels"})), judge, FRAMES)
    made.known.families["counted"], made.known.targets["counted"] = "geometry", "mixed"
    assert list(run_round(made)[0]["arms"]) == ["new_kind"]
    said = f"is of the family (geometry), target (mixed) and policy of counted, which {REFUTED}"
    assert events(tmp_path, "refused")[0]["reason"] == f"repeat: {said}"


def test_the_family_and_policy_of_a_refuted_idea_may_be_tried_against_another_kind_of_error(tmp_path):
    made, _ = make_round(
        tmp_path,
        Model(proposal({"targets": "missing"}, {"name": "new_kind", "metric": "other", "family": "pixels"})),
        judge,
        FRAMES,
    )
    made.known.families["counted"], made.known.targets["counted"] = "geometry", "mixed"
    assert "wide_ones" in run_round(made)[0]["arms"]


def test_the_family_and_policy_of_an_undecided_idea_may_be_tried_again(tmp_path):
    made, _ = make_round(
        tmp_path, Model(proposal({}, {"name": "new_kind", "metric": "other", "family": "pixels"})), judge, FRAMES
    )
    made.known.families["counted"], made.known.targets["counted"] = "geometry", "mixed"
    made.known.refuted = {}
    assert "wide_ones" in run_round(made)[0]["arms"]


def test_a_round_has_to_open_a_family(tmp_path):
    model = Model(proposal({}), proposal({}), proposal({"family": "pixels"}))
    made, _ = make_round(tmp_path, model, judge, FRAMES)
    made.known.families["counted_low"] = "geometry"
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    assert (
        "wide_ones: its family, geometry, was tried or is named twice, and 1 of 1 idea must each open a family that no "
        "idea is of yet: agreement, loss_margin, " in model.asked[1][-1]
    )
    assert len(events(tmp_path, "unusable")) == 2


def named(*families: str) -> str:
    return proposal(*({"name": f"idea_{n}", "metric": f"m_{n}", "family": f} for n, f in enumerate(families)))


@pytest.mark.parametrize(
    ("tried", "families", "kept"),
    [
        ((), ("pixels", "pixels", "pixels", "coverage"), [0, 1, 2, 3]),  # two of four are new
        ((), ("pixels", "pixels", "pixels", "pixels"), [0, 1]),  # one is new: one more may stay
        (("pixels",), ("pixels", "coverage", "pixels"), [0, 1]),
        (("pixels",), ("pixels", "pixels"), []),
        ([f for f in IDEA_FAMILIES if f != "coverage"], ("pixels", "coverage", "pixels"), [0, 1, 2]),  # the last one
        ([f for f in IDEA_FAMILIES if f != "coverage"], ("pixels", "pixels", "pixels"), []),
        (list(IDEA_FAMILIES), ("pixels", "pixels"), [0, 1]),  # all were tried: free
    ],
)  # fmt: skip
def test_half_of_a_round_opens_families_until_all_were_tried(tmp_path, tried, families, kept):
    """A model that does not listen loses the ideas that are too many; it was told twice."""
    model = Model(*[named(*families)] * 2)
    made, _ = make_round(tmp_path, model, judge, FRAMES, repairs=1, suggestions=4)
    made.known.families.update({f"before_{n}": family for n, family in enumerate(tried)})
    assert list(run_round(made)[0]["arms"]) == [f"idea_{n}" for n in kept]
    if len(kept) < len(families) and kept:
        assert {e["kind"] for e in events(tmp_path, "refused")} == {"unusable"}
        assert "must each open a family" in model.asked[1][-1]


def test_a_round_that_is_resumed_does_not_count_its_own_ideas_as_tried(tmp_path):
    made, _ = make_round(tmp_path, Model(named("pixels", "pixels")), judge, FRAMES, suggestions=2)
    assert len(run_round(made)[0]["arms"]) == 2
    study = replace(made.study, events=Journal(tmp_path).events)
    assert known_ideas(study, 1).families == {}
    assert known_ideas(study, 2).families == {"idea_0": "pixels", "idea_1": "pixels"}


def test_an_answer_that_is_no_proposal_is_asked_for_again_and_the_last_one_is_read_leniently(tmp_path):
    model = Model(
        "Sure! Here are my ideas.", proposal({"targets": "x"}), proposal({"name": "Bad"}, {"name": "good_one"})
    )
    made, _ = make_round(tmp_path, model, judge, FRAMES, repairs=2)
    assert list(run_round(made)[0]["arms"]) == ["good_one"]
    first, second = events(tmp_path, "unusable")
    assert "JSON" in first["said"]
    assert second["said"].startswith("suggestion 1: targets: ")
    assert events(tmp_path, "refused")[0]["suggestion"] == "suggestion 1"


@pytest.mark.parametrize(
    ("reply", "said", "calls"),
    [
        ({"finish": "refusal", "text": "", "refusal": "I cannot \x1b[2J"}, "the model refused: I cannot ?[2J", 1),
        ({"finish": "length", "text": '{"suggestions": [{"na'}, "it was cut off after 50 tokens", 2),
        ({"finish": "empty", "text": ""}, "it was empty", 2),
    ],
)
def test_refusal_cut_and_silence_are_told_apart(tmp_path, reply, said, calls):
    answer = replace(Reply("", "stub-1", "stop", "schema", 100, 50, False, 1.0), **reply)
    model = Model(answer, proposal({}))
    made, _ = make_round(tmp_path, model, judge, FRAMES)
    assert len(run_round(made)[0]["arms"]) == calls - 1
    assert events(tmp_path, "unusable")[0]["said"].startswith(said)


def test_killed_anywhere_a_round_goes_on_without_asking_or_judging_twice(tmp_path):
    """Cut the journal after each of its lines: the rest is asked, no more, and the end is the same."""
    lines = [
        proposal({"code": "crash"}, {"name": "second", "metric": "wide_too", "family": "pixels"}),
        json.dumps(IDEA),
    ]
    whole, _ = make_round(tmp_path, Model(*lines), judge, FRAMES)
    addition, _ = run_round(whole)
    journal = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    kinds = [json.loads(line)["event"] for line in journal]
    assert kinds.count("asked") == kinds.count("answered") == 2
    for cut in range(len(journal) + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(journal[:cut]) + '{"torn')
        answered = kinds[:cut].count("answered")
        model, judged = Model(*lines[answered:]), []

        def counting(source, name, judged=judged):
            judged.append(source)
            return judge(source, name)

        again, _ = make_round(folder, model, counting, FRAMES)
        assert run_round(again)[0] == addition
        assert model.lines == []
        assert len(judged) == 3 - kinds[:cut].count("gate")
        assert (folder / "metrics/generated/1/wide.py").read_text() == (
            tmp_path / "metrics/generated/1/wide.py"
        ).read_text()
        ends = [event["event"] for event in Journal(folder).events]
        assert ends.count("accepted") == 2
        assert ends.count("proposed") == 2


def test_a_limit_in_the_middle_keeps_what_was_paid_for_and_a_raised_one_lets_the_idea_go_on(tmp_path):
    ideas = proposal({"code": "crash"}, {"name": "second", "metric": "wide_too", "family": "pixels"})
    reached = SpentError("the limit of 9,000 tokens (llm.max_tokens) is reached")
    made, said = make_round(tmp_path, Model(ideas, reached), judge, FRAMES)
    addition, limit = run_round(made)
    assert (list(addition["arms"]), limit) == (["second"], reached)
    assert "round 1: wide_ones waits for its repair" in said
    assert events(tmp_path, "refused") == []
    again, _ = make_round(tmp_path, Model(json.dumps(IDEA)), judge, FRAMES)
    addition, limit = run_round(again)
    assert (list(addition["arms"]), limit) == (["wide_ones", "second"], None)


def test_what_was_proposed_stays_so_whatever_repairs_are_allowed_by_now(tmp_path):
    model = Model(proposal({"targets": "x"}, {"name": "good_one"}))
    first, _ = make_round(tmp_path, model, judge, FRAMES, repairs=0)
    assert list(run_round(first)[0]["arms"]) == ["good_one"]
    again, _ = make_round(tmp_path, Model(), judge, FRAMES, repairs=3)
    assert list(run_round(again)[0]["arms"]) == ["good_one"]


def test_a_repair_that_was_paid_for_is_used_when_fewer_are_allowed_by_now(tmp_path):
    lines = [proposal({"code": "crash"}), json.dumps(IDEA | {"code": "crash"}), json.dumps(IDEA)]
    first, _ = make_round(tmp_path, Model(*lines), judge, FRAMES, repairs=2)
    assert list(run_round(first)[0]["arms"]) == ["wide_ones"]
    journal = tmp_path / "journal.jsonl"
    kept = [line for line in journal.read_text().splitlines(keepends=True) if '"accepted"' not in line]
    journal.write_text("".join(kept))
    again, _ = make_round(tmp_path, Model(), judge, FRAMES, repairs=0)
    assert list(run_round(again)[0]["arms"]) == ["wide_ones"]


def test_a_repair_stays_in_its_family(tmp_path):
    mended = json.dumps(IDEA | {"family": "tried_before", "parent": "somebody"})
    made, _ = make_round(tmp_path, Model(proposal({"code": "crash"}), mended), judge, FRAMES)
    run_round(made)
    idea = events(tmp_path, "gate")[-1]["idea"]
    assert (idea["family"], idea["parent"]) == ("geometry", None)


def test_a_policy_that_differs_by_a_hair_is_the_same(tmp_path):
    share = {"name": "among", "share": 0.45}
    made, _ = make_round(tmp_path, Model(proposal({"policy": share | {"share": 0.4501}})), judge, FRAMES)
    made.known.arms["counted"] = made.known.arms["counted"] | {"metric": "wide", "policy": share}
    run_round(made)
    assert events(tmp_path, "refused")[0]["kind"] == "repeat"


def test_unread_code_is_not_written_through_a_link(tmp_path):
    (tmp_path / "metrics/generated").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "metrics/generated/1").symlink_to(tmp_path / "elsewhere")
    made, _ = make_round(tmp_path, Model(proposal({})), judge, FRAMES)
    with pytest.raises(MetricError, match=r"metrics/generated/1/wide\.py is a link, or lies behind one"):
        run_round(made)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_recording_plays_back_word_for_word_and_a_changed_past_is_shown(tmp_path):
    ideas = [proposal({"code": "crash"}), json.dumps(IDEA)]
    first, _ = make_round(tmp_path, Model(*ideas), judge, FRAMES)
    addition, _ = run_round(first)
    player = Replay(cassette_of(first.journal.events), strict=True)
    (tmp_path / "again").mkdir()
    again, _ = make_round(tmp_path / "again", Model(), judge, FRAMES)
    again.conversation = Conversation(again.study.params.llm, Journal(tmp_path / "again"), replay=player)
    assert run_round(again)[0] == addition
    (tmp_path / "other").mkdir()
    other, _ = make_round(tmp_path / "other", Model(), judge, FRAMES)
    other.study.comparison["arms"][1]["gain"]["mAP"]["ci95"] = [0.4, 0.6]
    other.conversation = Conversation(other.study.params.llm, Journal(tmp_path / "other"), replay=player)
    with pytest.raises(CassetteError, match=r"-\| counted .*\S0\.010.*\n(.*\n)*\+\| counted .*\+0\.400"):
        run_round(other)


def test_a_copy_of_an_idea_of_the_same_round_does_not_pass(tmp_path, walls):
    copy = CODE.replace("def wide", "def wide_too").replace("frame.boxes[:, 0]", "frame.boxes[:, 0] + 1")
    ideas = proposal(
        {}, {"name": "second", "metric": "wide_too", "code": copy, "family": "pixels", "policy": {"name": "strata"}}
    )
    made, _ = make_round(tmp_path, Model(ideas), None, FRAMES, repairs=0)
    earlier = {"object_count": [frame.boxes[:0, 0] for frame in FRAMES]}
    gate = CodeGate(tmp_path, 1, made.known, FRAMES, Limits(), earlier, patience=60.0)
    made.check_code = gate.check
    assert list(run_round(made)[0]["arms"]) == ["wide_ones"]
    assert "ranks as wide does: Spearman's rho 1.00" in events(tmp_path, "refused")[0]["reason"]


def test_in_a_study_that_screens_an_idea_begins_with_short_trials(tmp_path):
    made, _ = make_round(tmp_path, Model(proposal({})), judge, FRAMES)
    made.study.params.__dict__["screen"] = Screen(seeds=2)
    addition, _ = run_round(made)
    assert addition["blocks"] == {}
    assert addition["screens"] == {
        "random": {"arm": "random", "seeds": "34-39"}, "wide_ones": {"arm": "wide_ones", "seeds": "38-39"}
    }  # fmt: skip


STRATA = {"policy": {"name": "strata", "by": "size"}, "partner": None}
INTERSECTION = {"policy": {"name": "best", "combine": "intersection"}, "partner": "object_count"}


def test_the_variants_of_an_idea_become_arms_and_short_trials_decide_between_them(tmp_path):
    made, said = make_round(tmp_path, Model(proposal({"variants": [STRATA, INTERSECTION]})), judge, FRAMES)
    addition, _ = run_round(made)
    assert list(addition["arms"]) == ["wide_ones", "wide_ones_v2", "wide_ones_v3"]
    second, third = addition["arms"]["wide_ones_v2"], addition["arms"]["wide_ones_v3"]
    assert (second["variant_of"], second["policy"]) == ("wide_ones", {"name": "strata", "by": "size"})
    assert (third["a"], third["b"]) == ("scores/round1-pool/wide.parquet", "scores/labels/object_count.parquet")
    assert "variant_of" not in addition["arms"]["wide_ones"]
    assert addition["batches"]["round1-pool"]["metrics"] == ["wide"]
    assert addition["blocks"] == {}
    assert {name: entry["seeds"] for name, entry in addition["screens"].items()} == {
        "random": "34-39", "wide_ones": "38-39", "wide_ones_v2": "38-39", "wide_ones_v3": "38-39",
    }  # fmt: skip
    assert "round 1: wide_ones_v2: a variant of wide_ones; strata, by size" in said
    known = {idea.name: idea.variant_of for idea in ideas(Journal(tmp_path).events)}
    assert known == {"wide_ones": None, "wide_ones_v2": "wide_ones", "wide_ones_v3": "wide_ones"}


def test_a_faulty_variant_is_left_out_and_the_idea_goes_on_without_it(tmp_path):
    same, unknown = {"policy": IDEA["policy"], "partner": None}, {"policy": {"name": "oracle"}, "partner": None}
    made, _ = make_round(tmp_path, Model(proposal({"variants": [same, unknown]})), judge, FRAMES)
    addition, _ = run_round(made)
    assert list(addition["arms"]) == ["wide_ones"]
    assert addition["blocks"] == {"wide_ones.0": {"arm": "wide_ones", "seeds": "0-2"}}  # nothing to choose from
    copy, truth = events(tmp_path, "refused")
    assert copy["reason"] == "repeat: is wide_ones again: wide with the same policy"
    assert truth["reason"].startswith("policy: unknown policy 'oracle'")


def test_variants_use_the_metric_as_it_is_after_a_repair(tmp_path):
    mended = json.dumps(IDEA | {"metric": "wider", "variants": [STRATA]})
    model = Model(proposal({"code": "crash", "variants": [INTERSECTION]}), mended)
    made, _ = make_round(tmp_path, model, judge, FRAMES)
    arms = run_round(made)[0]["arms"]
    assert {name: arm["metric"] for name, arm in arms.items()} == {"wide_ones": "wider", "wide_ones_v2": "wider"}
    assert arms["wide_ones_v2"]["policy"]["name"] == "strata"


def test_more_variants_than_are_allowed_are_refused(tmp_path):
    made, _ = make_round(tmp_path, Model(proposal({"variants": [STRATA, INTERSECTION]})), judge, FRAMES, variants=2)
    assert list(run_round(made)[0]["arms"]) == ["wide_ones", "wide_ones_v2"]
    assert "2 of an idea are allowed" in events(tmp_path, "refused")[0]["reason"]


def test_killed_anywhere_a_round_with_variants_ends_the_same(tmp_path):
    line = proposal({"variants": [STRATA, {"policy": {"name": "oracle"}, "partner": None}]})
    whole, _ = make_round(tmp_path, Model("Which pandas?", line), judge, FRAMES)  # the second try is used
    addition, _ = run_round(whole)
    journal = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    for cut in range(len(journal) + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(journal[:cut]))
        answers = ["Which pandas?", line][sum('"answered"' in entry for entry in journal[:cut]) :]
        again, _ = make_round(folder, Model(*answers), judge, FRAMES)
        assert run_round(again)[0] == addition
        ends = [event["event"] for event in Journal(folder).events]
        assert (ends.count("proposed"), ends.count("accepted"), ends.count("gate")) == (3, 2, 3)


def several(folder, *models, **llm):
    """A round of as many engineers as there are models, and the conversations of the further ones."""
    made, said = make_round(folder, models[0], judge, FRAMES, **llm)
    journal = made.journal
    views = [Conversation(made.study.params.llm, journal.of_engineer(k), model=m) for k, m in enumerate(models, 1)]
    made.conversation = views[0]
    return made, views[1:], said


SECOND = {"family": "pixels", "metric": "other", "policy": {"name": "strata"}}


def test_the_ideas_of_several_engineers_are_pooled_and_the_journal_says_who_said_what(tmp_path):
    first, second = Model(proposal({})), Model(proposal(SECOND, SECOND | {"name": "free", "metric": "third"}))
    made, others, said = several(tmp_path, first, second)
    addition, _ = run_round(made, *others)
    assert list(addition["arms"]) == ["wide_ones", "wide_ones_e2", "free"]  # the same name is no copy
    journal = Journal(tmp_path)
    who = {(e["event"], e["suggestion"]): e["engineer"] for e in journal.events if e.get("suggestion")}
    assert who["proposed", "wide_ones"] == who["accepted", "wide_ones"] == 1
    assert who["proposed", "wide_ones_e2"] == who["gate", "free"] == who["accepted", "free"] == 2
    assert [event["engineer"] for event in journal.about("answered")] == [1, 2]
    assert all("wide_ones" not in text for text in second.asked[0][1:2])  # asked before the first one's were pooled
    assert "round 1, engineer 2: free (pixels): passed the gate at once; third, strata" in said


def test_an_idea_with_the_name_that_another_ones_variant_would_get_keeps_it(tmp_path):
    """Also where its engineer is another one. A round would else take the one for the other."""
    named, varied = SECOND | {"name": "wide_ones_v2"}, {"variants": [STRATA, INTERSECTION]}
    cases = [[proposal(varied, named)], [proposal(named, varied)], [proposal(varied), proposal(named)]]
    for place, answers in enumerate(cases):
        (tmp_path / str(place)).mkdir()
        made, others, said = several(tmp_path / str(place), *map(Model, answers))
        arms = run_round(made, *others)[0]["arms"]
        metrics = {name: arm["metric"] for name, arm in arms.items()}
        assert metrics == {"wide_ones": "wide", "wide_ones_v2": "other", "wide_ones_v3": "wide"}
        assert "wide_ones_v2: this variant of wide_ones is left out, since another idea has its name" in str(said)


def test_a_new_name_for_an_idea_is_none_that_its_engineer_has_given(tmp_path):
    second = proposal(SECOND, SECOND | {"name": "wide_ones_e2", "metric": "third"})
    made, others, _ = several(tmp_path, Model(proposal({})), Model(second))
    addition, _ = run_round(made, *others)
    metrics = {name: arm["metric"] for name, arm in addition["arms"].items()}
    assert metrics == {"wide_ones": "wide", "wide_ones_e2_2": "other", "wide_ones_e2": "third"}
    assert addition["batches"]["round1-pool"]["metrics"] == ["wide", "other", "third"]


def test_a_copy_among_the_ideas_of_several_engineers_is_refused(tmp_path):
    known = {"metric": "object_count", "code": None, "policy": {"name": "strata", "by": "size"}}
    made, others, _ = several(tmp_path, Model(proposal(known)), Model(proposal(known | {"name": "mine"})))
    assert list(run_round(made, *others)[0]["arms"]) == ["wide_ones"]
    (refused,) = events(tmp_path, "refused")
    assert (refused["engineer"], refused["kind"]) == (2, "repeat")
    assert "is wide_ones again" in refused["reason"]


def test_engineers_repair_in_their_own_conversations(tmp_path):
    fixed = json.dumps(IDEA | SECOND)
    first, second = Model(proposal({})), Model(proposal(SECOND | {"code": "crash"}), fixed)
    made, others, _ = several(tmp_path, first, second)
    assert list(run_round(made, *others)[0]["arms"]) == ["wide_ones", "wide_ones_e2"]
    assert (len(first.asked), len(second.asked)) == (1, 2)
    assert second.asked[1][2] == proposal(SECOND | {"code": "crash"})  # its own answer, not that of the first


def test_a_recording_of_several_engineers_is_replayed_and_a_killed_round_ends_the_same(tmp_path):
    lines = [proposal({}), proposal(SECOND, SECOND | {"name": "free", "metric": "third", "code": "crash"})]
    mended = json.dumps(IDEA | SECOND | {"metric": "third"})
    made, others, _ = several(tmp_path, Model(lines[0]), Model(lines[1], mended))
    addition, _ = run_round(made, *others)
    cassette = cassette_of(made.journal.events)
    assert [(call.step, call.engineer) for call in cassette.calls] == [("propose", 1), ("propose", 2), ("repair", 2)]
    journal = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    for cut in range(len(journal) + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(journal[:cut]))
        again, more, _ = several(folder, Model(), Model())
        for view in (again.conversation, *more):
            view.replay = Replay(cassette, strict=True)
        assert run_round(again, *more)[0] == addition


def test_the_limits_are_shared_by_all_engineers(tmp_path):
    large = Reply(proposal({}), "stub-1", "stop", "schema", 9_000, 50, False, 1.0)
    made, others, said = several(tmp_path, Model(large), Model(proposal(SECOND)), max_tokens=10_000)
    addition, limit = run_round(made, *others)
    assert list(addition["arms"]) == ["wide_ones"]
    assert "llm.max_tokens" in str(limit)
    assert "round 1, engineer 2: waits for its proposal" in said
