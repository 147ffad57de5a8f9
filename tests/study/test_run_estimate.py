"""The estimate of a run: a range, by hand-computed seconds; what is cached is not counted, what may follow is."""

import json
import os
import time
from dataclasses import asdict, replace

import pytest

from metricloop import layout
from metricloop.cli.dry_run import shorter, time_rows
from metricloop.params import check_params
from metricloop.study.run_estimate import LOAD, STARTING, Estimate, cached_trials, estimate_run
from metricloop.study.run_record import Run
from metricloop.study.staleness import Staleness
from metricloop.study.time_left import DVC, SHOWING, More

PARAMS = check_params(
    {
        "study": {"name": "x"},
        "data": {"source": "."},
        "train": {"iterations": 100},
        "looks": {"arms": [3, 6], "baseline": [12, 18], "alpha": [0.02, 0.03]},
        "confirm": {"seeds": 2, "baseline": 4},
    }
)
ARMS = {"random": {"role": "baseline"}, "a": {"role": "treatment"}}
BLOCKS = {"random.0": {"arm": "random", "seeds": "0-11"}, "a.0": {"arm": "a", "seeds": "0-2"}}
PLAN = {"batches": {}, "arms": ARMS, "screens": {}, "blocks": BLOCKS, "looks": {}}
TIMED = {"start": 2.0, "iteration": 0.1, "inference": 1.0}  # a trial: 10 s and 1 s
OLD = ["train@random.0", "train@a.0", "evaluate@random.0", "evaluate@a.0", "confirm"]


def estimated(folder, found, **more):
    given = {"new_arms": 0, "short": 0, "pictures": 0} | more
    return estimate_run(folder, PARAMS, PLAN, found, TIMED, 1, **given)


def test_the_range_goes_from_no_arm_that_goes_on_to_all_of_them(tmp_path):
    found = estimated(tmp_path, Staleness(OLD, OLD, []))
    blocks = 15 * 11 + 4 * (2 + DVC)  # 15 trials, four stages that start
    confirm = 8 * 11 + 2 + DVC
    fixed = STARTING + SHOWING
    assert found.low == pytest.approx(LOAD[0] * (blocks + fixed))  # nothing is better, so nothing is confirmed
    # of one open arm half a one goes on: 1.5 trials, and 6 of the baseline
    assert found.likely == pytest.approx(blocks + confirm + 7.5 * 11 + fixed)
    assert found.high == pytest.approx(LOAD[1] * (blocks + confirm + 9 * 11 + fixed))
    assert found.more == More(0, 7.5, 9)


def test_stages_that_only_wait_may_not_run_at_all(tmp_path):
    found = estimated(tmp_path, Staleness(OLD, ["train@a.0"], ["evaluate@a.0"]))
    assert found.low == pytest.approx(LOAD[0] * (3 * 10 + 2 + DVC + STARTING + SHOWING))


def test_on_a_loaded_machine_everything_takes_longer_not_only_training(tmp_path):
    slow = TIMED | {"start": 15.0}  # three times the usual one
    found = estimate_run(
        tmp_path, PARAMS, PLAN, Staleness(["compare"], ["compare"], []), slow, 1, new_arms=0, short=0, pictures=0
    )
    assert found.likely == pytest.approx(3 * (8 + DVC + STARTING + SHOWING) + 7.5 * (10 + 1))


def test_suggested_arms_and_pictures_to_embed_count(tmp_path):
    found, more = (estimated(tmp_path, Staleness(OLD, OLD, []), new_arms=count) for count in (0, 2))
    assert more.low - found.low == pytest.approx(LOAD[0] * (2 * 3 * 11 + 2 * 2 * (2 + DVC)))
    embedding = estimated(tmp_path, Staleness(["embed"], ["embed"], []), pictures=1000)
    without = estimated(tmp_path, Staleness(["embed"], ["embed"], []))
    scale = (PARAMS.embed.image_size / PARAMS.train.image_size) ** 2
    assert embedding.low - without.low == pytest.approx(LOAD[0] * 10 * scale)


def test_trials_that_a_stopped_run_had_finished_are_not_counted(tmp_path):
    run = Run(tmp_path, "run", PARAMS)
    states = tmp_path / layout.CACHE / "resume"
    for name, age in (("now", 0), ("unfinished", 0), ("long ago", 9999)):
        (states / name).mkdir(parents=True)
        file = states / name / ("state.pt" if name == "unfinished" else "final.pt")
        file.write_bytes(b"")
        os.utime(file, (time.time() + 5 - age,) * 2)
    assert cached_trials(tmp_path, PARAMS) == 0  # it still runs
    (tmp_path / layout.RUN).write_text(json.dumps(asdict(replace(run.state, pid=2**22 + 1))))
    assert cached_trials(tmp_path, PARAMS) == 1
    shorter = check_params(PARAMS.model_dump(mode="json") | {"train": {"iterations": 99}})
    assert cached_trials(tmp_path, shorter) == 0  # its trials are others
    assert cached_trials(tmp_path, check_params(PARAMS.model_dump(mode="json") | {"run": {"parallel": 1}})) == 1
    found = estimated(tmp_path, Staleness(OLD, OLD, []))
    (tmp_path / layout.RUN).unlink()
    assert estimated(tmp_path, Staleness(OLD, OLD, [])).likely - found.likely == pytest.approx(11)


def test_a_run_of_an_hour_or_more_is_told_how_it_can_be_shortened():
    params = check_params(PARAMS.model_dump(mode="json") | {"predict": {"iterations": 61}})
    estimates = [Estimate(900, likely, 9000, More(0, 0, 0), 0) for likely in (3599, 3600)]
    assert [shorter(params, one) for one in estimates] == [
        [],
        [
            (
                "shorter",
                "--set train.iterations=50 predict.iterations=30 halves most of it, and says less; or fewer arms, in "
                "arms.yaml",
            )
        ],
    ]


def test_the_range_is_told_with_what_it_rests_on():
    rows = time_rows(Estimate(300, 400, 700, More(6, 13.5, 18), 2), "83 ms an iteration", 2)
    assert rows == [
        ("time", "5 to 12 min, probably about 7 min"),
        ("", "83 ms an iteration, 2 trials side by side, timed just now on this machine as it is loaded"),
        ("", "with 8 more trials, and at most 12, for arms that a look leaves open"),
        ("", "without 2 trials that the run before had finished"),
    ]
