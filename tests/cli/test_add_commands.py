"""add and new-metric as typed: what they write, what they say it costs, and what they refuse."""

import subprocess
import sys

import pytest
import yaml
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.data.tables import write_json
from metricloop.study.edit_params import change_params
from metricloop.study.new_study import demo_plan, params_text, render_arms
from metricloop.study.plan import load_plan

OWN = '''
from metricloop import metric

@metric(level="image")
def left(frame):
    """Where the leftmost box begins."""
    return frame.boxes[:, 0].min() if len(frame.boxes) else float("nan")
'''


@pytest.fixture
def plain(tmp_path):
    """A new workspace of the demo with all arms; nothing has run."""
    study = demo_plan("demo", full=True)
    folder = tmp_path / "a study"
    folder.mkdir()
    (folder / "params.yaml").write_text(params_text(study))
    (folder / "arms.yaml").write_text(render_arms(study))
    return folder


@pytest.fixture
def study(tmp_path):
    """A finished study made up on disk, with a metric of the person's own beside it."""
    folder = make_study(tmp_path / "study")
    (tmp_path / "own.py").write_text(OWN)
    return folder


def added(folder, *typed: str) -> dict:
    """What a command adds to the plan, by section."""
    before = load_plan(folder)
    assert main(["add", *typed, "-C", str(folder)]) == 0
    after = load_plan(folder)
    return {
        section: new
        for section, entries in after.items()
        if (new := {name: entry for name, entry in entries.items() if name not in before[section]})
    }


def test_of_copies_one_each_is_tried_unless_a_policy_is_named(plain):
    """How often a picture is there says nothing of which of its copies should stay."""
    best = {"name": "best", "direction": "lower"}
    arm = added(plain, "near_duplicate")["arms"]["near_duplicate"]
    assert (arm["policy"], arm["b"]) == ({**best, "distinct": "looks"}, "data/embeddings.parquet")
    assert added(plain, "near_duplicate", "--policy", "best")["arms"]["near_duplicate_best"]["policy"] == best
    assert "distinct" not in added(plain, "sharpness")["arms"]["sharpness"]["policy"]


def test_one_command_adds_batch_arm_and_block(plain, capsys):
    file = "scores/mine-sharpness/sharpness.parquet"
    batch = {"code": "metrics/catalogue.yaml", "needs": "data/images.parquet", "metrics": ["sharpness"]}
    assert added(plain, "sharpness", "--policy", "among", "share=0.4") == {
        "batches": {"mine-sharpness": batch},
        "arms": {
            "sharpness": {"role": "treatment", "metric": "sharpness", "a": file, "b": file,
                          "policy": {"name": "among", "direction": "higher", "share": 0.4}}
        },
        "blocks": {"sharpness.0": {"arm": "sharpness", "seeds": "0-2"}},
    }  # fmt: skip
    out = capsys.readouterr().out
    assert "it costs: the pool is scored, 3 trials of 100 iterations; 3 more trials if it is ahead and undecided" in out
    assert out.endswith(f"next: metricloop run -C '{plain}' --arm sharpness\n")


def test_a_metric_that_is_scored_already_gets_another_arm_only(plain):
    new = added(plain, "object_confidence", "--policy", "diverse", "share=0.6")
    assert new.keys() == {"arms", "blocks"}
    assert new["arms"]["object_confidence_diverse"] | {"policy": 0} == {
        "role": "treatment", "metric": "object_confidence", "a": "scores/model/object_confidence.parquet",
        "b": "data/embeddings.parquet", "policy": 0,
    }  # fmt: skip
    assert added(plain, "box_tightness", "--policy", "inverse")["arms"]["box_tightness_inverse"]["role"] == "control"


@pytest.mark.parametrize(
    ("metric", "needs"),
    [("flip_consistency", "data/views.parquet"), ("typicality", "data/embeddings.parquet")],
)
def test_a_batch_names_the_file_that_its_metric_needs(plain, metric, needs):
    assert added(plain, metric)["batches"][f"mine-{metric}"]["needs"] == needs


def test_a_study_that_screens_gives_short_trials_first(plain, capsys):
    change_params(plain / "params.yaml", ["screen.seeds=2"])
    new = added(plain, "sharpness")
    assert new["screens"] == {
        "random": {"arm": "random", "seeds": "34-39"}, "sharpness": {"arm": "sharpness", "seeds": "38-39"}
    }  # fmt: skip
    assert "blocks" not in new
    assert "8 short trials first" in capsys.readouterr().out


def test_the_time_of_a_new_arm_is_that_of_its_whole_run(plain, capsys):
    """A block of 6 trials took 605 and 11 s, 5 s of them to start. So 3 trials take 300 and 3 s, their block
    2 x (5 + 2) s to start, compare 2 + 2 s, and Prefect, report, MLflow and commit 35 s: 356 s; .75 and 1.5 times
    as much are told.
    """
    took = {"select@random": 1.0, "compare": 2.0, "train@random.0": 605.0, "evaluate@random.0": 11.0}
    write_json(plain / ".metricloop/rates/seconds.json", took)
    added(plain, "sharpness")
    assert "3 trials of 100 iterations, 4 to 9 min with all that goes with it; 3 more" in capsys.readouterr().out


def test_controls_need_no_metric(plain):
    assert added(plain, "random_by_group")["arms"]["random_by_group"] == {
        "role": "control", "a": "data/images.parquet", "b": "data/images.parquet", "policy": {"name": "random_by_group"}
    }  # fmt: skip
    plan = yaml.safe_load((plain / "arms.yaml").read_text())
    for section, name in (("arms", "oracle"), ("blocks", "oracle.0")):
        del plan[section][name]
    (plain / "arms.yaml").write_text(yaml.safe_dump(plan))
    assert added(plain, "oracle")["arms"]["oracle"]["a"] == "data/truth.parquet"


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        (["sharpnes"], 1, "did you mean 'sharpness'?"),
        (["oracl"], 1, "did you mean 'oracle'?"),
        (["oracle"], 1, "has the arm oracle already"),
        (["object_count"], 1, "the arm object_count is this already"),
        (["gone.py"], 1, "gone.py does not exist; to write a metric of your own: metricloop new-metric NAME"),
        (["sharpness", "--policy", "amung"], 1, "unknown policy 'amung'; did you mean 'among'?"),
        (["sharpness", "--policy", "among", "shere=0.4"], 1, "unknown option 'shere'; did you mean 'share'?"),
        (["sharpness", "--policy", "random"], 1, "policy random does not select by scores; policies that do: best,"),
        (["sharpness", "--policy", "drop_worst"], 1, "needs a metric of objects; sharpness scores images"),
        (
            ["sharpness", "--policy", "best", "combine=product"],
            1,
            "a policy of several metrics is written into arms.yaml",
        ),
        (["sharpness", "--truth", "second"], 2, "'--truth': it goes with --relabel only"),
        (["full", "--policy", "best"], 2, "full is a control"),
        (["sharpness", "--metric", "x"], 2, "'--metric': it goes with a file of metrics only"),
    ],
)
def test_what_cannot_be_added_is_told_and_the_plan_stays(plain, capsys, typed, status, told):
    before = (plain / "arms.yaml").read_text()
    assert main(["add", *typed, "-C", str(plain)]) == status
    assert told in capsys.readouterr().err
    assert (plain / "arms.yaml").read_text() == before


def test_a_control_that_knows_the_truth_needs_one(plain, capsys):
    change_params(plain / "params.yaml", ["data.corrupt.preset=none"])
    (plain / "arms.yaml").write_text(render_arms(demo_plan("demo", corrupt="none")))
    assert main(["add", "oracle", "-C", str(plain)]) == 1
    assert "oracle needs labels that are right: name a second labelling" in capsys.readouterr().err


def test_a_file_of_ones_own_is_checked_copied_and_added(study, walls, capsys):
    own = study.parent / "own.py"
    assert added(study, str(own)) == {
        "batches": {"mine-left": {"code": "metrics/mine/left.py", "needs": "data/images.parquet", "metrics": ["left"]}},
        "arms": {"left": {"role": "treatment", "metric": "left", "a": "scores/mine-left/left.parquet",
                          "b": "scores/mine-left/left.parquet", "policy": {"name": "best", "direction": "higher"}}},
        "blocks": {"left.0": {"arm": "left", "seeds": "0-2"}},
    }  # fmt: skip
    assert (study / "metrics/mine/left.py").read_text() == OWN
    out = capsys.readouterr().out
    assert "held       deterministic    gives the same numbers when asked again" in out
    assert f"copied to {study}/metrics/mine/left.py, which the study scores with: edit it there" in out
    assert "it runs in the sandbox, and costs: the pool is scored, 3 trials" in out
    # another arm of the same scores, from the file in the workspace
    assert added(study, "metrics/mine/left.py", "--policy", "strata")["arms"].keys() == {"left_strata"}


def test_a_file_that_the_gate_refuses_adds_nothing(study, walls, capsys):
    (study.parent / "own.py").write_text(OWN.replace("frame.boxes[:, 0].min()", "1.0"))
    before = (study / "arms.yaml").read_text()
    assert main(["add", str(study.parent / "own.py"), "-C", str(study)]) == 1
    assert "left: not accepted" in capsys.readouterr().out
    assert (study / "arms.yaml").read_text() == before
    assert not (study / "metrics").exists()


def test_a_copy_does_not_take_the_place_of_another_file(study, walls, capsys):
    (study / "metrics/mine").mkdir(parents=True)
    (study / "metrics/mine/left.py").write_text("# another\n")
    before = (study / "arms.yaml").read_text()
    assert main(["add", str(study.parent / "own.py"), "-C", str(study)]) == 1
    assert "metrics/mine/left.py exists with other content" in capsys.readouterr().err
    assert (study / "arms.yaml").read_text() == before


def test_git_is_told_of_a_file_that_run_does_not_commit(study, walls, capsys):
    (study / "own.py").write_text(OWN)
    assert added(study, str(study / "own.py"))["batches"]["mine-left"]["code"] == "own.py"
    assert f"git -C {study} add own.py" in capsys.readouterr().out


@pytest.mark.parametrize("level", ["object", "image"])
def test_the_template_tests_itself_and_passes_the_gate(study, walls, capsys, level):
    assert main(["new-metric", "glare", "--level", level, "-C", str(study)]) == 0
    file = study / "metrics/mine/glare.py"
    assert f"test it:          python {file}\n" in capsys.readouterr().out
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == "glare: its test holds\n"
    assert main(["try", str(file), "-C", str(study)]) == 0
    assert "glare: accepted" in capsys.readouterr().out
    file.write_text(file.read_text().replace("/ 255", "/ 200"))
    assert subprocess.run([sys.executable, str(file)], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("3d", "'3d' cannot be the name of a metric: take letters, digits and _, such as glare"),
        ("sharpness", "a metric is called sharpness already (the catalogue); take another name"),
        ("object_count", "a metric is called object_count already (metrics/catalogue.yaml); take another name"),
        ("class", "'class' means something else in Python; take another name, such as class_score"),
        ("numpy", "'numpy' means something else in Python; take another name, such as numpy_score"),
        ("mine", "metrics/mine/mine.py exists already; edit it, or take another name"),
    ],
)
def test_a_name_that_cannot_be_taken(plain, capsys, name, told):
    new_metric = ["new-metric", name, "-C", str(plain)]
    (plain / "metrics/mine").mkdir(parents=True)
    (plain / "metrics/mine/mine.py").write_text("")
    assert main(new_metric) == 1
    assert told in capsys.readouterr().err
