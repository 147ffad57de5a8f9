"""How long a run still takes: the stages that are left, and the trials that later looks will probably ask for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.params import Params
from metricloop.study.graph import kind_of
from metricloop.study.plan import Plan, load_plan
from metricloop.study.run_record import Run, known_seconds
from metricloop.study.stage_costs import Costs, in_turn, of_this_run

SHOWING = 20.0  # seconds for the report, MLflow and the commit at the end
GOES_ON = 0.5  # share of the arms that get the seeds of the next look: half are ahead by chance, and few are decided
DVC = 2.0  # seconds of one dvc process and its bookkeeping


@dataclass(frozen=True)
class More:
    """Trials that are not planned yet: when no arm goes on, when about half of them do, and when all do."""

    least: float
    likely: float
    most: float


def later_trials(folder: Path, params: Params, plan: Plan, new_arms: int) -> More:
    """The trials of further looks, and of arms that a language model has still to suggest.

    new_arms: arms without blocks, which get the seeds of the first look. Arms that the looks so far have decided, or
    that lag behind, get no more.
    """
    looks = params.looks
    first = new_arms * looks.arms[0]
    file = folder / layout.COMPARISON
    rows = {row["name"]: row for row in read_json(file)["arms"]} if file.is_file() else {}
    trained = {block["arm"] for block in plan["blocks"].values()}
    arms = [name for name in trained if name in plan["arms"] and plan["arms"][name]["role"] != "baseline"]
    settled = [name for name in arms if name in rows and not rows[name]["goes_on"]]
    open_arms = len(arms) - len(settled) + new_arms
    likely = most = float(first)
    going = float(open_arms)
    for number in range(1, len(looks.arms)):
        seeds, baseline = (
            getattr(looks, key)[number] - getattr(looks, key)[number - 1] for key in ("arms", "baseline")
        )
        going *= GOES_ON
        likely += going * seeds + (baseline if going >= GOES_ON else 0)
        most += open_arms * seeds + (baseline if open_arms else 0)
    return More(first, likely, most)


def seconds_of(stages: Iterable[str], costs: Costs, spent: Mapping[str, float]) -> float | None:
    """Seconds for stages, blocks side by side; None while nothing is known of training. spent: on those that run."""
    dvc = DVC * costs.slowness()
    alone, chains = 0.0, dict[str, float]()
    for stage in stages:
        cost = costs.of(stage)
        if cost is None:
            return None
        cost = max(cost + dvc - spent.get(stage, 0.0), 1.0)
        kind, _, name = stage.partition("@")
        if kind in ("train", "evaluate", "screen"):
            chains[name] = chains.get(name, 0.0) + cost
        else:
            alone += cost
    return alone + in_turn(chains.values(), costs.side_by_side)


def time_left(folder: Path, params: Params, side_by_side: int, run: Run, new_arms: int = 0) -> float | None:
    """Seconds until the run ends, probably; None while nothing is known of training."""
    state, plan = run.state, load_plan(folder)
    known = of_this_run(known_seconds(folder, params), state.done)
    costs = Costs(plan, params, known, side_by_side=side_by_side, iteration=run.speed.iteration())
    left = [name for name in state.stages if name not in state.done]
    spent = {name: time.monotonic() - run.clocks[name] for name in state.now if name in run.clocks}
    planned = seconds_of(left, costs, spent)
    trial = costs.trial()
    if planned is None or trial is None:
        return None
    trained = any(kind_of(name) == "train" for name in left)
    more = later_trials(folder, params, plan, new_arms).likely if trained or new_arms else 0.0
    return planned + more * trial / side_by_side + SHOWING
