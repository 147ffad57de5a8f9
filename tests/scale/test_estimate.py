"""benchmarks/estimate.py: its simulation keeps the laws of a queue, and its prices are in the pages of results."""

import importlib.util
import math
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metricloop.data.seeds import CONFIRM_SEEDS, STUDY_SEEDS
from metricloop.execution.on_ray import MOST_LOSSES
from metricloop.params import Params

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FILE = BENCHMARKS / "estimate.py"
SPEC = importlib.util.spec_from_file_location("estimate_benchmark", FILE)
estimate = sys.modules["estimate_benchmark"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(estimate)

SOURCE = re.compile(r'; (\w+\.md): "(.+)"$', re.MULTILINE)


def test_every_measured_price_names_words_of_a_page():
    named = SOURCE.findall(FILE.read_text())
    assert len(named) > 20
    missing = [(page, words) for page, words in named if words not in (BENCHMARKS / "results" / page).read_text()]
    assert missing == []


def test_the_study_is_that_of_the_parameters():
    params = Params(study={"name": "s"}, data={"source": "none", "root": "."})
    assert tuple(zip(params.looks.arms, params.looks.baseline, strict=True)) == estimate.LOOKS
    assert (params.confirm.seeds, params.confirm.baseline) == estimate.CONFIRM
    assert (params.study.budget, params.predict.folds) == (estimate.SHARE, estimate.FOLDS)
    assert len(STUDY_SEEDS) + len(CONFIRM_SEEDS) == estimate.DRAWS
    assert MOST_LOSSES == estimate.MOST_LOSSES


@given(tasks=st.integers(1, 60), slots=st.integers(1, 12), each=st.sampled_from([0.5, 1.0, 3.0]))
def test_without_losses_it_is_a_division(tasks, slots, each):
    ran = estimate.simulate(tasks, each, slots, start=2)
    assert (ran.seconds, ran.losses, ran.done) == (2 + math.ceil(tasks / slots) * each, 0, True)


@given(tasks=st.integers(1, 60), slots=st.integers(1, 12))
def test_twice_the_slots_are_never_slower(tasks, slots):
    assert estimate.simulate(tasks, 1.0, 2 * slots).seconds <= estimate.simulate(tasks, 1.0, slots).seconds


def test_the_machine_that_hands_out_tasks_is_the_limit_of_all_slots():
    for slots in (4, 40):
        assert estimate.simulate(1000, 1.0, slots, hand_out=0.5).seconds == pytest.approx(500 + 1)
    assert estimate.simulate(1000, 1.0, 4, hand_out=0.01).seconds == pytest.approx(250, rel=0.01)


def test_a_loss_costs_the_task_that_ran_and_the_start_of_another_machine():
    """A machine is lost every hour on average, so an hour of short tasks costs one start and half a task more."""
    ran = [estimate.simulate(3600, 1.0, 1, start=600, lost=1, seed=seed) for seed in range(300)]
    lost, seconds = (sum(getattr(one, name) for one in ran) / len(ran) for name in ("losses", "seconds"))
    assert lost == pytest.approx(1, abs=0.2)
    assert seconds == pytest.approx(600 + 3600 + lost * 600.5, rel=0.001)


def test_a_task_that_is_too_long_for_its_machines_ends_the_stage():
    """With a loss every hour a task of three ends in 5 % of the tries: five tries fail in 77 % of the cases."""
    ran = [estimate.simulate(1, 3 * 3600, 1, lost=1, seed=seed) for seed in range(400)]
    given_up = [one for one in ran if not one.done]
    assert len(given_up) / len(ran) == pytest.approx((1 - math.exp(-3)) ** 5, abs=0.06)
    assert {one.losses for one in given_up} == {estimate.MOST_LOSSES}


@pytest.mark.parametrize("changed", [False, True])
def test_parts_on_the_machine_of_the_study_gain_nothing_by_others(changed):
    few, many = (estimate.study(20_000, machines, machines, changed) for machines in (1, 8))
    here = [part.name for part in few if not part.paid]
    assert {"select", "hash and push", "compare"} < set(here)
    for before, after in zip(few, many, strict=True):
        if before.name in here:
            assert after == before
    assert estimate.seconds_of(many) < estimate.seconds_of(few)


def test_trials_of_the_changed_software_cost_the_same_whatever_the_pool():
    def trials(n, changed):
        return next(part for part in estimate.study(n, 1, 16, changed) if part.name == "trials")

    assert trials(10**6, True) == trials(10**8, True)
    assert trials(10**6, False).seconds < trials(10**8, False).seconds


def test_the_same_seed_gives_the_same_study():
    assert estimate.study(20_000, 2, 2) == estimate.study(20_000, 2, 2)
