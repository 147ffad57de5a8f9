"""New entries in arms.yaml: every old line stays as it is."""

import difflib

import pytest
import yaml
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.metrics.contract import Spec
from metricloop.study.add_arm import AppendError, append_entries, arm_name, as_yaml, entries_for, with_entries
from metricloop.study.new_study import demo_plan, render_arms
from metricloop.study.plan import load_plan

ADDITION = {
    "batches": {"mine-x": {"code": "x.py", "needs": "data/images.parquet", "metrics": ["x"]}},
    "arms": {"x": {"role": "treatment", "policy": {"name": "best"}}},
    "blocks": {"x.0": {"arm": "x", "seeds": "0-2"}},
}
FILE = """\
# mine
batches:   # scored together
  a: {code: a.py, needs: n, metrics: [a]}  # quick

# about arms
arms:
  # the baseline
  random: {role: baseline}
  a:
    role: treatment
    policy:
      name: best   # for now

# about blocks
blocks: {}  # none yet
"""
EXPECTED = """\
# mine
batches:   # scored together
  a: {code: a.py, needs: n, metrics: [a]}  # quick
  mine-x:
    code: x.py
    needs: data/images.parquet
    metrics: [x]

# about arms
arms:
  # the baseline
  random: {role: baseline}
  a:
    role: treatment
    policy:
      name: best   # for now
  x:
    role: treatment
    policy: {name: best}

# about blocks
blocks:  # none yet
  x.0: {arm: x, seeds: 0-2}
"""


def test_each_entry_goes_to_the_end_of_its_section():
    assert with_entries(FILE, ADDITION) == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arms:\nblocks:\n",
        "batches: {}\narms: {}\nblocks: {}",  # no line end
        "batches:\n    a: {metrics: [a]}\n",  # four spaces
        "arms:\n  a:\n    policy: {name: best}\n  # the last word\n",
        "arms:\n  a: >\n    folded\n    text\nblocks:\n  a.0: 1\n",
    ],
)
def test_entries_are_added_to_files_of_other_layouts(text):
    old = {name: entries or {} for name, entries in (yaml.safe_load(text) or {}).items()}
    new = yaml.safe_load(with_entries(text, ADDITION))
    assert new == {name: {**old.get(name, {}), **entries} for name, entries in ADDITION.items()}


def test_the_file_that_init_writes_keeps_every_line():
    text = render_arms(demo_plan("x", full=True))
    changes = [
        line for line in difflib.ndiff(text.splitlines(), with_entries(text, ADDITION).splitlines()) if line[0] != " "
    ]
    assert changes == [f"+ {line}" for line in as_yaml(ADDITION).splitlines() if line.startswith("  ")]


def test_a_layout_that_cannot_be_edited_is_unchanged_and_the_error_shows_the_entries(tmp_path):
    path = tmp_path / "arms.yaml"
    path.write_text("arms: {a: {role: baseline}}\n")
    with pytest.raises(AppendError, match=r"(?s)arms.yaml has an unusual layout; add this .*  x:\n    role: treatment"):
        append_entries(path, ADDITION)
    assert path.read_text() == "arms: {a: {role: baseline}}\n"


def test_a_name_that_the_file_has_is_refused():
    with pytest.raises(AppendError, match=r"arms.yaml: arms has x already"):
        with_entries("arms:\n  x: {role: control}\n", ADDITION)


PLAN = {
    "batches": {"labels": {"code": "metrics/catalogue.yaml", "needs": "n", "metrics": ["object_count"]}},
    "arms": {"random": {}, "object_count": {}, "object_count_among": {}},
    "blocks": {},
}


def test_an_arm_is_called_as_its_metric_unless_that_is_taken():
    assert arm_name(PLAN, "size", "best") == "size"
    assert arm_name(PLAN, "object_count", "best") == "object_count_best"
    assert arm_name(PLAN, "object_count", "among") == "object_count_among_2"


def test_the_entries_are_a_batch_an_arm_and_a_block():
    spec = Spec("found", "image", ("predictions",))
    made = entries_for(PLAN, spec, "mine/found.py", {"name": "best", "direction": "lower"}, "few_found", 2)
    file = "scores/mine-found/found.parquet"
    assert made == {
        "batches": {
            "mine-found": {"code": "mine/found.py", "needs": "data/predictions.parquet", "metrics": ["found"]}
        },
        "arms": {
            "few_found": {
                "role": "treatment", "metric": "found", "a": file, "b": file,
                "policy": {"name": "best", "direction": "lower"},
            }
        },
        "blocks": {"few_found.0": {"arm": "few_found", "seeds": "0-1"}},
    }  # fmt: skip


def test_a_second_arm_of_a_metric_needs_no_second_batch():
    plan = {**PLAN, "batches": {"own": {"code": "mine.py", "needs": "n", "metrics": ["size"]}}}
    made = entries_for(plan, Spec("size", "image"), "mine.py", {"name": "best"}, "size_best", 3)
    assert made["batches"] == {}
    assert made["arms"]["size_best"]["a"] == "scores/own/size.parquet"


def test_another_metric_of_the_same_name_is_refused():
    with pytest.raises(AppendError, match=r"called object_count already \(batch labels, metrics/catalogue.yaml\)"):
        entries_for(PLAN, Spec("object_count", "image"), "mine.py", {"name": "best"}, "mine", 3)


def test_the_whole_pool_joins_a_study_as_a_control_of_its_own_family(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    before = load_plan(folder)
    assert main(["add", "full", "-C", str(folder)]) == 0
    assert f"next: metricloop run -C {folder} --arm full" in capsys.readouterr().out
    made = load_plan(folder)
    assert made["arms"]["full"] == {
        "role": "control", "automatic": True, "a": "data/images.parquet", "b": "data/images.parquet",
        "policy": {"name": "full"},
    }  # fmt: skip
    assert made["blocks"]["full.0"] == {"arm": "full", "seeds": "0-2"}
    assert {name: made["arms"][name] for name in before["arms"]} == before["arms"]
    assert main(["add", "full", "-C", str(folder)]) == 1
    assert "the study has the whole pool as an arm already: full" in capsys.readouterr().err
