"""How long is left: by what stages took, in proportion to their work, side by side, with trials that may follow."""

import pytest

from metricloop.data.tables import write_json
from metricloop.params import check_params
from metricloop.study.run_record import Run, known_seconds, remember_seconds
from metricloop.study.speed import Speed
from metricloop.study.stage_costs import Costs, in_turn, of_this_run
from metricloop.study.time_left import DVC, SHOWING, later_trials, seconds_of, time_left

PARAMS = check_params(
    {
        "study": {"name": "x"},
        "data": {"source": "."},
        "train": {"iterations": 100},
        "predict": {"folds": 2, "iterations": 50},
        "looks": {"arms": [3, 6], "baseline": [12, 18], "alpha": [0.02, 0.03]},
    }
)
ARMS = {"random": {"role": "baseline"}, "a": {"role": "treatment"}, "b": {"role": "treatment"}}
BLOCKS = {"random.0": {"arm": "random", "seeds": "0-11"}, "a.0": {"arm": "a", "seeds": "0-2"},
          "b.0": {"arm": "b", "seeds": "0-2"}}  # fmt: skip
PLAN = {"batches": {}, "arms": ARMS, "screens": {}, "blocks": BLOCKS, "looks": {}}


def test_a_stage_costs_what_its_like_took_in_proportion_to_its_trials():
    costs = Costs(PLAN, PARAMS, {"train@a.0": 30.0, "evaluate@a.0": 6.0, "score@x": 3.0})
    assert costs.start() == 3  # no stage that does not train was quicker
    assert costs.of("train@random.0") == pytest.approx(3 + 12 * 9)  # a.0 trained three trials in 27 s
    assert costs.of("evaluate@random.0") == pytest.approx(3 + 12 * 1)
    assert costs.of("score@x") == 3
    assert costs.trial() == pytest.approx(10)


def test_the_start_of_a_process_is_counted_once_a_stage_and_not_by_the_trial():
    """Of the demo, two trials at once: .9 s for the quickest stage, 6 trials in 36 and 9 s, 3 in 21 and 7 s."""
    seconds = {"compare": 0.9, "train@random.0": 36.0, "train@a.0": 21.0, "evaluate@random.0": 9.0, "evaluate@a.0": 7.0}
    plan = PLAN | {"blocks": BLOCKS | {"random.0": {"arm": "random", "seeds": "0-5"}}}
    costs = Costs(plan, PARAMS, seconds, side_by_side=2)
    assert costs.start() == 3.5  # half of the 7 s; by the quickest stage it would be 4.5
    assert costs.trial() == pytest.approx((36 + 21 - 7) / 9 + (9 + 7 - 7) / 9)
    assert costs.of("confirm") == pytest.approx(3.5 + 24 * costs.trial() / 2)  # 12 + 2 x 6 trials, two at once
    assert Costs(plan, PARAMS, {"compare": 0.9, "confirm": 84.5}, side_by_side=2).of("train@a.0") == pytest.approx(
        4.5 + 80 * 2 / 24 * 3  # confirm evaluates, too: its trials are a little long
    )


def test_training_costs_what_the_out_of_fold_models_took_before_anything_else_has_trained():
    costs = Costs(PLAN, PARAMS, {"predict": 10.0})  # 100 iterations
    assert costs.of("train@a.0") == pytest.approx(30)
    assert costs.of("evaluate@a.0") == pytest.approx(7.5)  # a quarter
    assert costs.trial() == pytest.approx(12.5)
    assert Costs(PLAN, PARAMS, {}).of("train@a.0") is None
    assert Costs(PLAN, PARAMS, {}).of("evaluate@a.0") is None
    assert Costs(PLAN, PARAMS, {}).trial() is None
    assert Costs(PLAN, PARAMS, {"train@gone.0": 99.0}).of("train@a.0") is None  # its trials are not known


def test_a_first_stage_that_read_cold_pictures_does_not_make_the_whole_run_long():
    """As in a run of 13 minutes on a busy machine: two out-of-fold models of 50 iterations took 110 s, most of it the
    start and pictures that were read for the first time, and then told an iteration in .15 s."""
    blind = Costs(PLAN, PARAMS, {"predict": 110.0, "score@x": 1.0}, side_by_side=2)
    seeing = Costs(PLAN, PARAMS, {"predict": 110.0, "score@x": 1.0}, side_by_side=2, iteration=0.15)
    assert blind.training() == pytest.approx((110 - 5) * 2 / 100 * 100)  # 3.5 minutes a trial
    assert seeing.training() == pytest.approx(15)
    assert seeing.of("train@a.0") == pytest.approx(5 + 3 * 15)
    assert seeing.of("evaluate@a.0") == pytest.approx(5 + 3 * 15 / 4)
    assert seeing.trial() == pytest.approx(15 + 15 / 4)
    trained = Costs(PLAN, PARAMS, {"train@a.0": 65.0, "score@x": 1.0}, iteration=0.15)
    assert trained.training() == pytest.approx(20)  # a stage of the kind has run: it counts


def test_the_speed_is_that_of_the_later_half_of_each_trial():
    speed = Speed()
    assert speed.iteration() is None
    speed.saw("a", 4, 60.0)
    assert speed.iteration() is None
    speed.saw("a", 20, 76.0)
    assert speed.iteration() == pytest.approx(1.0)  # all there is
    speed.saw("a", 60, 86.0)
    assert speed.iteration() == pytest.approx(0.25)
    speed.saw("a", 100, 90.0)
    assert speed.iteration() == pytest.approx(0.1)  # from 60 on
    speed.saw("b", 50, 0.0)
    speed.saw("b", 52, 8.0)  # too few to tell
    assert speed.iteration() == pytest.approx(0.1)
    speed.saw("a", 10, 200.0)  # the next of this name
    speed.saw("a", 20, 203.0)
    assert speed.iteration() == pytest.approx(0.3)


def test_a_run_tells_the_time_left_while_its_first_stage_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("metricloop.study.time_left.load_plan", lambda folder: PLAN)
    run = Run(tmp_path, "run")
    run.left = lambda run: time_left(tmp_path, PARAMS, 2, run)
    run.plan(["predict", "train@a.0", "compare"])
    run.begin("predict")
    assert run.state.until is None
    monkeypatch.setattr("time.monotonic", lambda: run.clocks["predict"] + 100)
    run.saw("out-of-fold model 1 of 2", 10)
    monkeypatch.setattr("time.monotonic", lambda: run.clocks["predict"] + 102)
    run.saw("out-of-fold model 1 of 2", 20)  # .2 s an iteration
    trials = 3 * 20 + DVC + 9 * 25 / 2  # of a, then those that may follow
    assert time_left(tmp_path, PARAMS, 2, run) == pytest.approx(1 + trials + 8 + DVC + SHOWING)


def test_timed_iterations_count_more_than_what_stages_took_at_another_time():
    timed = {"start": 2.0, "iteration": 0.1, "inference": 1.0}
    costs = Costs(PLAN, PARAMS, {"train@a.0": 300.0, "score@x": 7.0}, timed)
    assert costs.of("train@a.0") == pytest.approx(2 + 3 * 100 * 0.1)
    assert costs.of("evaluate@a.0") == pytest.approx(2 + 3)
    assert costs.of("predict") == pytest.approx(2 + 100 * 0.1)
    assert costs.of("score@x") == 7
    assert costs.trial() == pytest.approx(11)


def test_of_a_kind_that_ran_in_this_run_older_times_do_not_count():
    seconds = {"train@a.0": 30.0, "train@b.0": 90.0, "ingest": 5.0}
    assert of_this_run(seconds, ["train@b.0"]) == {"train@b.0": 90.0, "ingest": 5.0}
    assert of_this_run(seconds, []) == seconds


def test_what_a_stage_took_with_other_iterations_counts_in_proportion(tmp_path):
    took = {"train@a.0": 20.0, "evaluate@a.0": 6.0, "predict": 10.0, "confirm": 80.0, "compare": 3.0}
    for stage, seconds in took.items():
        remember_seconds(tmp_path, stage, seconds, PARAMS)
    remember_seconds(tmp_path, "train@b.0", 7)  # by a version that did not keep the settings
    assert known_seconds(tmp_path, PARAMS) == took | {"train@b.0": 7}
    content = PARAMS.model_dump(mode="json")
    train, confirm = content["train"] | {"iterations": 400}, {"seeds": 1, "baseline": 4}
    longer = check_params(content | {"train": train, "confirm": confirm})
    assert longer.predict == PARAMS.predict
    more = {"train@a.0": 80.0, "confirm": 80.0}  # 24 trials of 100 before, 6 of 400 now
    assert known_seconds(tmp_path, longer) == took | {"train@b.0": 7} | more
    larger = check_params(content | {"train": train | {"image_size": 448}})
    assert known_seconds(tmp_path, larger) == {"compare": 3, "train@b.0": 7}
    assert known_seconds(tmp_path) == took | {"train@b.0": 7}


def test_work_side_by_side_takes_the_first_free_place():
    assert in_turn([12, 3, 3, 3], 2) == 12
    assert in_turn([3, 3, 3], 2) == 6
    assert in_turn([], 2) == 0


def test_later_looks_ask_for_trials_of_the_arms_that_are_still_open(tmp_path):
    more = later_trials(tmp_path, PARAMS, PLAN, 0)
    # of two open arms one goes on: 3 seeds, and 6 of the baseline; at most both do
    assert (more.least, more.likely, more.most) == (0, 9, 12)
    more = later_trials(tmp_path, PARAMS, PLAN, 2)
    assert (more.least, more.likely, more.most) == (6, 6 + 2 * 3 + 6, 6 + 4 * 3 + 6)
    rows = [{"name": "random", "goes_on": False}, {"name": "a", "goes_on": False}, {"name": "b", "goes_on": False}]
    write_json(tmp_path / "comparison.json", {"arms": rows})
    assert later_trials(tmp_path, PARAMS, PLAN, 0).most == 0


def test_the_time_left_is_that_of_the_stages_and_of_the_trials_that_may_follow(tmp_path):
    (tmp_path / "arms.yaml").write_text("{}")
    costs = Costs(PLAN, PARAMS, {"train@a.0": 30.0, "evaluate@a.0": 6.0, "compare": 3.0}, side_by_side=2)
    stages = ["train@random.0", "evaluate@random.0", "train@b.0", "evaluate@b.0", "compare"]
    known = seconds_of(stages, costs, {"train@random.0": 20.0})
    assert known == pytest.approx(111 + DVC - 20 + 15 + DVC + 3 + DVC)  # the longer chain, then compare
    assert seconds_of(["train@a.0"], Costs(PLAN, PARAMS, {}), {}) is None


def test_nothing_is_said_while_nothing_is_known_of_training(tmp_path, monkeypatch):
    monkeypatch.setattr("metricloop.study.time_left.load_plan", lambda folder: PLAN)
    run = Run(tmp_path, "run")
    run.plan(["predict", "train@a.0", "compare"])
    assert time_left(tmp_path, PARAMS, 2, run) is None
    run.begin("predict")
    run.clocks["predict"] -= 10
    run.end("predict")
    found = time_left(tmp_path, PARAMS, 2, run)
    # two folds of 50 iterations at once in 10 s: .2 s an iteration, 25 s a trial; then 9 more trials, two at a time
    trained, compared = 3 * 100 * 0.2 + DVC, 8 + DVC
    assert found == pytest.approx(trained + compared + 9 * 25 / 2 + SHOWING, abs=0.5)
