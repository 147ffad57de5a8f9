"""How long a whole run will take, as a range: the stages that are out of date, what is cached, and what may follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from metricloop.params import Params
from metricloop.study.graph import kind_of
from metricloop.study.plan import Plan
from metricloop.study.run_record import kept_trials, known_seconds, last_run
from metricloop.study.screens import VARIANT_SEEDS
from metricloop.study.stage_costs import IMAGES, Costs
from metricloop.study.stage_work import trials_of
from metricloop.study.staleness import Staleness
from metricloop.study.time_left import DVC, SHOWING, More, later_trials, seconds_of

STARTING = 15.0  # seconds until Prefect and its server have started
LOAD = (0.85, 1.3)  # the load of the machine may fall, or rise: the times of twelve iterations differ by so much


@dataclass(frozen=True)
class Estimate:
    """How long a run will take. low, likely, high: seconds. more: trials that a later look may add. cached: trials that
    a stopped run has finished already."""

    low: float
    likely: float
    high: float
    more: More
    cached: int


def estimate_run(
    folder: Path,
    params: Params,
    plan: Plan,
    found: Staleness,
    timed: Mapping[str, float],
    side_by_side: int,
    *,
    new_arms: int,
    short: int,
    pictures: int,
    search_images: int = IMAGES,
) -> Estimate:
    """The seconds that a run will take.

    timed: as `time_detector` measures it, now. new_arms: arms that have no blocks yet. short: short trials that are not
    planned yet. pictures: images and boxes to embed, at the detector's inference time scaled to the size.

    The lowest value counts no arm that goes on to a further look, no stage that only waits for others, and no
    confirmation that waits for a better arm; the highest all of them, for all arms that are still open.
    """
    costs = Costs(plan, params, known_seconds(folder, params), timed, side_by_side, search_images)
    trial, start, slow = costs.trial() or 0.0, timed["start"], costs.slowness()
    more, cached = later_trials(folder, params, plan, new_arms), cached_trials(folder, params)
    embedding = pictures * timed["inference"] / 100 * (params.embed.image_size / params.train.image_size) ** 2
    brief = short * params.screen.share * trial + short / (params.screen.seeds or VARIANT_SEEDS) * (start + slow * DVC)
    further = new_arms * 2 * (start + slow * DVC) + brief - cached * trial

    def total(stages: list[str], trials: float) -> float:
        planned = seconds_of(stages, costs, {}) or 0.0
        embeds = embedding if any(kind_of(name) == "embed" for name in stages) else 0.0
        return max(planned + embeds + (further + trials * trial) / side_by_side, 0.0) + slow * (STARTING + SHOWING)

    surely = [name for name in found.to_do if name != "confirm" or params.confirm.when == "always"]
    ends = (total(surely, more.least), total(found.old, more.likely), total(found.old, more.most))
    return Estimate(ends[0] * LOAD[0], ends[1], ends[2] * LOAD[1], more, cached)


def cached_trials(folder: Path, params: Params) -> int:
    """How many trials of the last run need not be trained again; 0 if it ended, or had other settings."""
    last = last_run(folder)
    if last is None or last.alive or last.trials not in ("", trials_of(params)):
        return 0
    return kept_trials(folder, last)
