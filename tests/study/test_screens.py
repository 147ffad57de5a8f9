"""The first trials of an arm: full ones, or short ones in a study that screens."""

import yaml

from metricloop.params import Looks, Screen, check_params
from metricloop.study.new_study import NewStudy, render_arms
from metricloop.study.plan import load_plan
from metricloop.study.screens import first_trials, screen_seeds, short_trials

PLAN = {
    "arms": {
        "random": {"role": "baseline"},
        "oracle": {"role": "control"},
        "count": {"role": "treatment"},
    }
}


def study(**changes):
    return NewStudy(name="x", source="/y", root="/y", **changes)


def test_without_screening_every_arm_begins_with_the_seeds_of_the_first_look():
    off = study(looks=Looks(arms=(7, 14), baseline=(12, 18)))
    assert first_trials("count", PLAN, off) == {
        "blocks": {"count.0": {"arm": "count", "seeds": "0-5"}, "count.1": {"arm": "count", "seeds": "6-6"}}
    }
    assert [block["seeds"] for block in first_trials("random", PLAN, off)["blocks"].values()] == ["0-5", "6-11"]


def test_with_screening_a_treatment_begins_with_short_trials_and_so_does_the_baseline_once():
    on = study(screen=Screen(seeds=2, baseline=6))
    short = {"arm": "count", "seeds": "38-39"}
    assert first_trials("count", PLAN, on) == {
        "screens": {"random": {"arm": "random", "seeds": "34-39"}, "count": short}
    }
    known = PLAN | {"screens": {"random": {"arm": "random", "seeds": "34-39"}}}
    assert first_trials("count", known, on) == {"screens": {"count": short}}
    idea = first_trials("an_idea_of_the_model", known, on)  # not in the plan yet
    assert idea == {"screens": {"an_idea_of_the_model": {"arm": "an_idea_of_the_model", "seeds": "38-39"}}}
    assert set(first_trials("oracle", PLAN, on)) == set(first_trials("random", PLAN, on)) == {"blocks"}


def test_short_trials_take_the_last_seeds():
    assert [screen_seeds(number) for number in (1, 2, 10)] == ["39-39", "38-39", "30-39"]


def test_a_new_study_that_screens_has_full_trials_of_the_baseline_and_the_controls_only(tmp_path):
    (tmp_path / "arms.yaml").write_text(render_arms(study(corrupt="article", screen=Screen(seeds=2))))
    plan = load_plan(tmp_path)
    assert list(plan["blocks"]) == ["random.0", "random.1", "oracle.0", "full.0"]
    treatments = {name for name, arm in plan["arms"].items() if arm["role"] == "treatment"}
    assert set(plan["screens"]) == {"random", *treatments}
    assert "screens" not in yaml.safe_load(render_arms(study()))


def test_variants_get_short_trials_in_any_study_and_the_estimate_counts_them():
    assert first_trials("count", PLAN, study(), variant=True) == {
        "screens": {"random": {"arm": "random", "seeds": "34-39"}, "count": {"arm": "count", "seeds": "38-39"}}
    }
    params = check_params({"study": {"name": "s"}, "data": {"source": "y"}})
    counts = {
        (seeds, variants): short_trials(
            params.model_copy(
                update={
                    "screen": Screen(seeds=seeds),
                    "llm": params.llm.model_copy(update={"variants": variants}),
                }
            )
        )
        for seeds in (0, 3) for variants in (1, 3)
    }  # fmt: skip
    assert counts == {(0, 1): 0, (0, 3): 6, (3, 1): 3, (3, 3): 9}
