"""How long things take in a workspace, read from what its stages took when they last ran."""

from __future__ import annotations

from pathlib import Path

from metricloop.comparison.pace import Pace
from metricloop.params import Params
from metricloop.study.graph import kind_of
from metricloop.study.plan import Plan
from metricloop.study.run_estimate import STARTING
from metricloop.study.run_record import known_seconds
from metricloop.study.stage_costs import Costs
from metricloop.study.stage_work import WITH_DETECTOR
from metricloop.study.time_left import DVC, SHOWING
from metricloop.training.parallel import parallel_jobs

BY_TRIALS = {*WITH_DETECTOR} - {"predict"}  # their time follows from the number of trials


def read_pace(folder: Path, params: Params, plan: Plan) -> Pace | None:
    """The pace of a study; None before it has trained anything."""
    costs = Costs(plan, params, known_seconds(folder, params), side_by_side=parallel_jobs(params, with_torch=False))
    training, evaluation = costs.training(), costs.evaluation()
    if training is None or evaluation is None:
        return None
    kinds: dict[str, float] = {}
    for name, seconds in costs.seconds.items():  # in the order in which they first ran, which is that of the study
        kind = kind_of(name)
        if kind not in BY_TRIALS:
            kinds[kind] = kinds.get(kind, DVC) + seconds  # one dvc process for all of a kind
    return Pace(training, evaluation, costs.side_by_side, 2 * (costs.start() + DVC), kinds, STARTING + SHOWING)
