"""Adoption: the code that was shown moves, the plan names it, and a killed adoption can be finished."""

import hashlib
import os

import pytest

from metricloop.data.tables import read_yaml
from metricloop.llm.journal import Journal, read_journal
from metricloop.study import adopt as step
from metricloop.study.adopt import AdoptError, adopt, generated_metrics, read_generated, text_to_review
from metricloop.study.plan import load_plan

CODE = '"""Area."""\nfrom metricloop.metrics.contract import metric\n'
OTHER = "from metricloop.metrics.contract import metric\n"
ARMS = """\
arms:
  # chance
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
"""
MINE = (
    "  mine: {role: treatment, a: scores/round2-pool/area.parquet, b: data/images.parquet, policy: {name: best}}  # m\n"
)
ROUNDS = """\
# Written by the rounds.
batches:
  round2-pool:
    code: metrics/generated/2
    needs: data/images.parquet
    metrics:
    - area
    - shade
  round2-model:
    code: metrics/generated/2
    needs: data/predictions.parquet
    metrics: [agreement]
arms:
  large: {role: treatment, metric: area, a: scores/round2-pool/area.parquet, b: scores/round2-pool/area.parquet,
    policy: {name: best}}
  both: {role: treatment, metric: shade, a: scores/round2-pool/shade.parquet, b: scores/round2-pool/area.parquet,
    policy: {name: best, combine: product}}
  agreed: {role: treatment, metric: agreement, a: scores/round2-model/agreement.parquet,
    b: scores/round2-model/agreement.parquet, policy: {name: best}}
blocks:
  large.0: {arm: large, seeds: "0-1"}
"""


@pytest.fixture
def study(tmp_path):
    """A plan with three generated metrics in two batches of round 2, and an accepted suggestion in the journal."""
    folder = tmp_path / "study"
    (folder / "metrics/generated/2").mkdir(parents=True)
    (folder / "metrics/generated/2/area.py").write_text(CODE)
    for name in ("shade", "agreement"):
        (folder / f"metrics/generated/2/{name}.py").write_text(OTHER)
    (folder / "arms.yaml").write_text(ARMS)
    (folder / "rounds.yaml").write_text(ROUNDS)
    journal = Journal(folder)
    journal.add("accepted", round=2, suggestion="large", metric="area", file="metrics/generated/2/area.py")
    journal.add("accepted", round=3, suggestion="large_again", metric="area", file=None)
    return folder


STEPS = ["write_new_file", "update_arms_file", "update_rounds_file", "add_to_journal", "delete_old_file"]


def is_adopted(folder) -> None:
    """Check everything that must hold after the adoption of the metric `area`, interrupted or not."""
    plan = load_plan(folder)
    new = "scores/adopted-area/area.parquet"
    assert plan["batches"]["adopted-area"] == {
        "code": "metrics/adopted/area.py", "needs": "data/images.parquet", "metrics": ["area"]
    }  # fmt: skip
    assert plan["batches"]["round2-pool"]["metrics"] == ["shade"]
    assert (plan["arms"]["large"]["a"], plan["arms"]["large"]["b"]) == (new, new)
    assert (plan["arms"]["both"]["a"], plan["arms"]["both"]["b"]) == ("scores/round2-pool/shade.parquet", new)
    assert (folder / "metrics/adopted/area.py").read_text() == CODE
    assert not (folder / "metrics/generated/2/area.py").exists()
    (event,) = (event for event in read_journal(folder / "journal.jsonl") if event["event"] == "adopted")
    assert event.items() >= {
        "round": 2, "suggestion": "large", "metric": "area", "file": "metrics/adopted/area.py"
    }.items()  # fmt: skip
    assert list(generated_metrics(folder)) == ["shade", "agreement"]


def test_the_file_moves_and_the_plan_follows(study):
    adopt(study, read_generated(study, "area"))
    is_adopted(study)
    assert (study / "rounds.yaml").read_text().startswith("# Written by metricloop: ")
    assert (study / "arms.yaml").read_text() == ARMS  # names nothing of it: untouched


def test_an_arm_in_arms_yaml_reads_the_new_scores_and_keeps_its_comments(study):
    (study / "arms.yaml").write_text(ARMS + MINE)
    adopt(study, read_generated(study, "area"))
    assert (study / "arms.yaml").read_text() == ARMS + MINE.replace("round2-pool", "adopted-area")


def test_after_the_last_metric_its_batch_and_its_folder_are_removed(study):
    for name in ("agreement", "shade", "area"):
        adopt(study, read_generated(study, name))
    rounds = read_yaml(study / "rounds.yaml")
    assert list(rounds["batches"]) == ["adopted-agreement", "adopted-shade", "adopted-area"]
    assert rounds["batches"]["adopted-agreement"]["needs"] == "data/predictions.parquet"
    assert not (study / "metrics/generated/2").exists()


@pytest.mark.parametrize("killed", STEPS)
def test_after_a_kill_adopting_again_finishes_the_job(study, monkeypatch, killed):
    (study / "arms.yaml").write_text(ARMS + MINE)

    class Killed(BaseException):
        pass

    def dies(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(step, killed, dies)
        with pytest.raises(Killed):
            adopt(study, read_generated(study, "area"))
    found = read_generated(study, "area")
    assert found.interrupted == (
        killed in ("add_to_journal", "delete_old_file")
    )  # from rounds.yaml on there is nothing left to ask
    adopt(study, found)
    is_adopted(study)
    assert load_plan(study)["arms"]["mine"]["a"] == "scores/adopted-area/area.parquet"


def test_a_metric_cannot_be_adopted_twice(study):
    adopt(study, read_generated(study, "area"))
    with pytest.raises(AdoptError, match=r"^area has been adopted already; you can adopt: agreement, shade$"):
        read_generated(study, "area")


@pytest.mark.parametrize("name", ["nothing", "../../arms", "object_count", ""])
def test_the_error_for_an_unknown_metric_lists_the_known_ones(study, name):
    with pytest.raises(AdoptError, match=r"no generated metric .*; you can adopt: agreement, area, shade$"):
        read_generated(study, name)


def test_no_metric_of_an_unfinished_round_is_adopted(study):
    journal = Journal(study)
    journal.add("proposed", round=2, suggestion="large", idea={})
    with pytest.raises(AdoptError, match=r"round 2 is not complete"):
        read_generated(study, "area")
    journal.add("suggested", round=2, accepted=["large"], refused=[])
    assert read_generated(study, "area").round == 2


def test_a_file_that_changed_after_it_was_shown_stays_where_it_is(study):
    found = read_generated(study, "area")
    (study / "metrics/generated/2/area.py").write_text(CODE + "import os\n")
    with pytest.raises(AdoptError, match="has changed since it was shown"):
        adopt(study, found)
    assert not (study / "metrics/adopted").exists()
    assert (study / "rounds.yaml").read_text() == ROUNDS


@pytest.mark.parametrize("link", ["metrics/generated/2/area.py", "metrics/generated/2", "metrics/generated"])
def test_a_link_is_not_adopted(study, link):
    real = study / "real"
    (study / link).rename(real)
    (study / link).symlink_to(real)
    with pytest.raises(AdoptError, match=r"metrics/generated/2/area.py is a link, or is in a linked folder"):
        read_generated(study, "area")


def test_nothing_is_written_through_a_link(study, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (study / "metrics/adopted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AdoptError, match=r"metrics/adopted/area.py is a link, or is in a linked folder"):
        adopt(study, read_generated(study, "area"))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_another_adopted_metric_of_that_name_is_not_overwritten(study):
    (study / "metrics/adopted").mkdir()
    (study / "metrics/adopted/area.py").write_text("mine\n")
    with pytest.raises(AdoptError, match=r"metrics/adopted/area.py exists and holds another metric"):
        adopt(study, read_generated(study, "area"))
    assert (study / "rounds.yaml").read_text() == ROUNDS


def test_control_characters_of_the_file_are_shown_and_not_executed(study):
    code = 'x = 1\n\x1b[2Ay = "\u202e"  # \u0430\n'
    (study / "metrics/generated/2/area.py").write_text(code)
    digest = hashlib.sha256(code.encode()).hexdigest()
    assert text_to_review(read_generated(study, "area")).split("\n") == [
        f"metrics/generated/2/area.py, {len(code.encode())} bytes, sha256 {digest}",
        "   1  x = 1",
        '   2  ?[2Ay = "?"  # \u0430',
        "2 control characters are shown as ?",
        "2 characters are not ASCII and may look like other characters",
    ]


REPAIRS = """\
repairs:
  straighten: {code: metrics/generated/2/straighten.py, needs: data/images.parquet}
"""


def has_adopted_the_repair(folder) -> None:
    plan = load_plan(folder)
    assert plan["repairs"]["straighten"] == {"code": "metrics/adopted/straighten.py", "needs": "data/images.parquet"}
    assert plan["arms"]["mended"]["b"] == "edits/straighten.parquet"  # the edits keep their place
    assert plan["batches"]["round2-pool"]["metrics"] == ["area", "shade"]
    assert (folder / "metrics/adopted/straighten.py").read_text() == OTHER
    assert not (folder / "metrics/generated/2/straighten.py").exists()
    (event,) = (event for event in read_journal(folder / "journal.jsonl") if event["event"] == "adopted")
    assert (event["suggestion"], event["metric"]) == ("mended", "straighten")


@pytest.fixture
def mended(study):
    """The study with a generated repair, which the arm of an accepted idea uses."""
    arm = "  mended: {role: treatment, a: data/images.parquet, b: edits/straighten.parquet, policy: {name: random, mend: {repair: straighten}}}\n"  # noqa: E501
    (study / "rounds.yaml").write_text(ROUNDS.replace("blocks:\n", f"{arm}blocks:\n") + REPAIRS)
    (study / "metrics/generated/2/straighten.py").write_text(OTHER)
    Journal(study).add("accepted", round=2, suggestion="mended", metric=None, file=None, repair="straighten",
                       repair_file="metrics/generated/2/straighten.py")  # fmt: skip
    return study


@pytest.mark.parametrize("killed", [None, *STEPS])
def test_a_repair_is_adopted_also_when_it_was_interrupted(mended, monkeypatch, killed):
    if killed:
        with monkeypatch.context() as patched:
            patched.setattr(step, killed, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                adopt(mended, read_generated(mended, "straighten"))
    adopt(mended, read_generated(mended, "straighten"))
    has_adopted_the_repair(mended)
    with pytest.raises(AdoptError, match="straighten has been adopted already"):
        read_generated(mended, "straighten")
