"""How long stages take: by what they took before, by what their like took, or by a few timed iterations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metricloop.data.seeds import parse_seeds
from metricloop.params import Params
from metricloop.study.graph import kind_of
from metricloop.study.plan import Plan

TRAINED = ("predict", "screen", "train", "confirm")  # stages that train; their unit is an iteration
# Seconds of a stage of which nothing is known yet: a Python process that reads tables and writes some.
UNKNOWN = {"draw": 5.0, "ingest": 8.0, "score": 8.0, "compare": 8.0}
PROCESS = 4.0
USUAL_START = 5.0  # seconds until a process has loaded torch and built the detector, two at once on two free cores
EVALUATED = 0.25  # of the seconds that training took: evaluating a trial, when none has been evaluated


@dataclass(frozen=True)
class Costs:
    """seconds: of stages that have run. start, iteration, inference: as `time_detector` measures them; None if not."""

    plan: Plan
    params: Params
    seconds: Mapping[str, float]
    timed: Mapping[str, float] = field(default_factory=dict)

    def of(self, stage: str) -> float | None:
        """Seconds that a stage will probably take; None for one that trains, when nothing is known of training."""
        kind, units = kind_of(stage), self.units(stage)
        if self.timed and kind in (*TRAINED, "evaluate"):
            return self._from_timing(kind, stage)
        if stage in self.seconds and kind not in (*TRAINED, "evaluate"):
            return self.seconds[stage]
        rate = self._rate([kind])
        if rate is None and kind in TRAINED:
            rate = self._rate(TRAINED)
        if rate is None and kind == "evaluate":
            training = self._rate(TRAINED)
            rate = None if training is None else EVALUATED * training * self.params.train.iterations
        if rate is None:
            return None if kind in (*TRAINED, "evaluate") else UNKNOWN.get(kind, PROCESS) * self.slowness()
        return (self.start() if kind in (*TRAINED, "evaluate") else 0.0) + rate * units

    def units(self, stage: str) -> float:
        """The amount of work of a stage: iterations where it trains, trials where it evaluates, else 1."""
        kind, _, name = stage.partition("@")
        params, plan = self.params, self.plan
        if kind == "predict":
            return params.predict.folds * params.predict.iterations
        if kind == "confirm":
            return (params.confirm.baseline + 2 * params.confirm.seeds) * params.train.iterations
        if kind == "screen" and name in plan["screens"]:
            seeds = len(parse_seeds(plan["screens"][name]["seeds"]))
            return seeds * params.screen.share * params.train.iterations
        if kind in ("train", "evaluate") and name in plan["blocks"]:
            seeds = len(parse_seeds(plan["blocks"][name]["seeds"]))
            return seeds * (params.train.iterations if kind == "train" else 1)
        return 1

    def slowness(self) -> float:
        """How much slower than usual processes start now, on this machine as it is loaded; at least 1."""
        return max(self.timed["start"] / USUAL_START, 1.0) if self.timed else 1.0

    def trial(self) -> float | None:
        """Seconds of one further trial, trained and evaluated; None when nothing is known of training."""
        if self.timed:
            return self.params.train.iterations * self.timed["iteration"] + self.timed["inference"]
        rate = self._rate(["train"]) or self._rate(TRAINED)
        if rate is None:
            return None
        seconds = rate * self.params.train.iterations
        evaluated = self._rate(["evaluate"])
        return seconds + (EVALUATED * seconds if evaluated is None else evaluated)

    def start(self) -> float:
        """Seconds until a stage that trains gets to work: what the quickest stage took from begin to end."""
        quick = [took for name, took in self.seconds.items() if kind_of(name) not in (*TRAINED, "evaluate")]
        return min(quick, default=0.0)

    def _rate(self, kinds: Iterable[str]) -> float | None:
        """Seconds per unit, without the start, of the stages of these kinds that ran and are still in the plan."""
        kinds = set(kinds)
        ran = [name for name in self.seconds if kind_of(name) in kinds and self._is_planned(name)]
        units = sum(self.units(name) for name in ran)
        start = self.start() if kinds & {*TRAINED, "evaluate"} else 0.0
        return sum(max(self.seconds[name] - start, 0.0) for name in ran) / units if units else None

    def _is_planned(self, stage: str) -> bool:
        kind, _, name = stage.partition("@")
        sections = {"screen": "screens", "train": "blocks", "evaluate": "blocks"}
        return kind not in sections or name in self.plan[sections[kind]]

    def _from_timing(self, kind: str, stage: str) -> float:
        start, iteration, inference = (self.timed[name] for name in ("start", "iteration", "inference"))
        seconds = start + self.units(stage) * (inference if kind == "evaluate" else iteration)
        trials = self.units(stage) / self.params.train.iterations
        return seconds + (inference * trials if kind == "confirm" else 0)


def of_this_run(seconds: Mapping[str, float], done: Iterable[str]) -> dict[str, float]:
    """Of each kind of stage those that ran in this run, where there are any: they felt the load of the moment."""
    recent = {name for name in done if name in seconds}
    kinds = {kind_of(name) for name in recent}
    return {name: took for name, took in seconds.items() if name in recent or kind_of(name) not in kinds}


def in_turn(seconds: Iterable[float], side_by_side: int) -> float:
    """How long work takes that runs in so many places at once, each piece in the first place that is free.

    >>> in_turn([3, 3, 3], 2)
    6.0
    """
    busy = [0.0] * side_by_side
    for piece in seconds:
        busy[busy.index(min(busy))] += piece
    return max(busy)
