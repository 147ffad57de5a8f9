"""What a round is told of the study beside data and results, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from round_fixture import drawn, row, study_view

from metricloop.data.tables import SCORES, write_table
from metricloop.engineer.desk import Desk
from metricloop.engineer.ideas import Idea
from metricloop.engineer.study_facts import alike_text, children_text, code_text, facts, measured_text

FRAMES = drawn(12)


def test_a_child_is_compared_with_its_parent_over_the_seeds_of_both():
    arms = [row("mother", "treatment", {"name": "best"}, 0.01), row("child", "treatment", {"name": "best"}, 0.03)]
    ideas = [Idea("mother", 1), Idea("child", 2, parent="mother"), Idea("orphan", 2, parent="nobody")]
    # sd .01 over 3 seeds each: 1.96 * sqrt(2 * .01**2 / 3) = .016
    assert children_text(ideas, {"arms": arms}) == (
        "- `child` minus `mother`: +0.020 mAP, 95 % interval +0.004 to +0.036 over 3 and 3 seeds"
    )


def test_seeds_and_the_gain_that_can_be_seen_are_told_and_the_ceiling_without_the_truth():
    looks = [{"arms": 3, "baseline": 12, "alpha": 0.02}, {"arms": 6, "baseline": 18, "alpha": 0.03}]
    told = measured_text(
        {
            "looks": looks, "family": {"treatment": 6}, "search_images": 288,
            "noise": {"arm": 0.008, "baseline": 0.009, "image": 0.07},
            "arms": [row("full", "control", {"name": "full"}, 0.05), row("a", "treatment", {"name": "best"}, 0.02)],
        }
    )  # fmt: skip
    assert "3 of an arm and 12 of random, then 6 of an arm and 18 of random" in told
    assert "a true gain of +0.02" in told
    assert "the whole pool, equally long trained, gives 0.350." in told
    assert "The ceiling: unknown." in measured_text({"arms": []})


def test_an_undecided_arm_above_zero_is_explained_where_there_is_one():
    quiet, above = row("quiet", "treatment", {"name": "best"}, 0.01), row("high", "treatment", {"name": "best"}, 0.03)
    assert quiet["gain"]["mAP"]["ci95"] == pytest.approx([-0.01, 0.03])
    assert "though the interval lies above zero" not in measured_text({"arms": [quiet]})
    assert "- Undecided, though the interval lies above zero: `high`; a 95" in measured_text({"arms": [quiet, above]})


def test_metrics_that_rank_alike_are_told_strongest_first(tmp_path):
    study = study_view(tmp_path, FRAMES)
    batch = {"code": "metrics/catalogue", "needs": "x", "metrics": ["up", "down", "flat"]}
    for name, values in (("up", np.arange(12.0)), ("down", -np.arange(12.0)), ("flat", np.ones(12))):
        columns = {"image_id": range(12), "box_id": [None] * 12, "score": values, "error": [None] * 12}
        write_table(tmp_path / f"scores/labels/{name}.parquet", SCORES, columns)
    assert alike_text(Desk(replace(study, plan=study.plan | {"batches": {"labels": batch}}))) == (
        "down and up \u22121.00"
    )


def test_earlier_code_is_shown_once_and_only_as_far_as_it_fits(tmp_path):
    study = study_view(tmp_path, FRAMES)
    ideas, events = [], []
    for name, text in (("old", "y = 1\n" * 3000), ("new", "x = 1\n"), ("again", "x = 1\n")):
        file = f"metrics/generated/1/{'new' if name == 'again' else name}.py"
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
        ideas.append(Idea(name, 1, metric=name))
        events.append({"event": "accepted", "round": 1, "suggestion": name, "file": file})
    told = code_text(replace(study, events=events), ideas)
    left_out = "Left out, as this is long enough: 1 file."
    assert told == f"`again` of `again`:\n\n```python\nx = 1\n```\n\n{left_out}"


def test_the_code_of_the_best_ideas_comes_first(tmp_path):
    """An idea whose variant had the full trials counts with the gain of that."""
    study = study_view(tmp_path, FRAMES)
    gains = {"lost": -0.02, "weak": 0.01, "waiting": None, "best": None, "latest": None, "long": 0.04}
    events = []
    for name in gains:
        file = tmp_path / f"metrics/generated/1/{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("z = 1\n" * 3000 if name == "long" else f"{name} = 1\n")  # which leaves the others room
        events.append({"event": "accepted", "round": 1, "suggestion": name, "file": f"metrics/generated/1/{name}.py"})
    ideas = [Idea(name, 1, metric=name, expected=gain) for name, gain in gains.items()]
    ideas.append(Idea("best_v2", 1, metric="best", variant_of="best", expected=0.05))
    told = code_text(replace(study, events=events), ideas)
    assert [line[1:].split("`")[0] for line in told.splitlines() if line.startswith("`") and " of " in line] == [
        "best", "weak", "latest", "waiting", "lost"
    ]  # fmt: skip
    assert told.endswith("Left out, as this is long enough: 1 file.")


def test_a_study_without_anything_says_nothing(tmp_path):
    told = facts(Desk(study_view(tmp_path, FRAMES)), [])
    assert {name for name, text in told.items() if text} == {"measured"}
