"""How long stages take: by what they took before, by what their like took, or by a few timed iterations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metricloop.data.seeds import parse_seeds
from metricloop.params import Params
from metricloop.study.graph import kind_of
from metricloop.study.plan import Plan
from metricloop.study.stage_work import TRAINED, WITH_DETECTOR, work_of

# Seconds of a stage of which nothing is known yet: a Python process that reads tables and writes some.
UNKNOWN = {"draw": 5.0, "ingest": 8.0, "score": 8.0, "compare": 8.0}
PROCESS = 4.0
SECTIONS = {"screen": "screens", "train": "blocks", "evaluate": "blocks"}  # of the plan, with the seeds of a stage
USUAL_START = 5.0  # seconds until a process has loaded torch and built the detector, two at once on two free cores
USUAL_QUICK = 1.0  # seconds of the quickest stage there, which does next to nothing
EVALUATED = 0.25  # of the seconds that training took: evaluating a trial, when none has been evaluated
IMAGES = 100  # search images, as long as their number is not known


@dataclass(frozen=True)
class Costs:
    """What is known of the seconds of a study's stages; every estimate of a trial's time is made here.

    seconds: of stages that have run. timed: start, iteration and inference of 100 images, as `time_detector` measures
    them; {} if it did not. side_by_side: trials at the same time. search_images: to evaluate a trial on.
    iteration: seconds of one now, as far as trials have told. It counts where no stage of a kind has run, because the
    time of another kind's stage holds more: pictures that are read for the first time, a start on a busy machine.
    """

    plan: Plan
    params: Params
    seconds: Mapping[str, float]
    timed: Mapping[str, float] = field(default_factory=dict)
    side_by_side: int = 1
    search_images: int = IMAGES
    iteration: float | None = None

    def of(self, stage: str) -> float | None:
        """Seconds that a stage will probably take; None for one that trains, when nothing is known of training."""
        kind, units = kind_of(stage), self.units(stage)
        if self.timed and kind in WITH_DETECTOR:
            return self._from_timing(kind, stage)
        if stage in self.seconds and kind not in WITH_DETECTOR:
            return self.seconds[stage]
        if kind in WITH_DETECTOR:
            return self._from_stages(kind, stage)
        rate = self._rate([kind])
        return UNKNOWN.get(kind, PROCESS) * self.slowness() if rate is None else rate * units

    def _from_stages(self, kind: str, stage: str) -> float | None:
        rate, units = self._rate([kind]), self.units(stage) / self._at_once(kind)
        if rate is None and kind in ("evaluate", "confirm"):
            each = self.evaluation() if kind == "evaluate" else self.trial()
            rate = None if each is None else each / (1 if kind == "evaluate" else self.params.train.iterations)
        if rate is None:
            rate = self._like()
        return None if rate is None else self.start() + rate * units

    def units(self, stage: str) -> float:
        """The amount of work of a stage: iterations where it trains, trials where it evaluates, else 1."""
        kind, _, name = stage.partition("@")
        if not self._is_planned(stage):
            return 1
        trials = len(parse_seeds(self.plan[SECTIONS[kind]][name]["seeds"])) if kind in SECTIONS else 1
        return trials * work_of(stage, self.params)

    def slowness(self) -> float:
        """How much slower than usual processes start now, on this machine as it is loaded; at least 1."""
        return max(self.timed["start"] / USUAL_START, 1.0) if self.timed else 1.0

    def trial(self) -> float | None:
        """Seconds of one further trial, trained and evaluated; None when nothing is known of training."""
        training, evaluation = self.training(), self.evaluation()
        return None if training is None or evaluation is None else training + evaluation

    def training(self) -> float | None:
        """Seconds of training one further trial; None when nothing is known of training."""
        rate = self.timed["iteration"] if self.timed else self._rate(["train"]) or self._like()
        return None if rate is None else rate * self.params.train.iterations

    def evaluation(self) -> float | None:
        """Seconds of evaluating one further trial; None when nothing is known of training."""
        if self.timed:
            return self.timed["inference"] * self.search_images / 100
        known, training = self._rate(["evaluate"]), self.training()
        return known if known is not None or training is None else EVALUATED * training

    def start(self) -> float:
        """Seconds until a stage that trains or evaluates gets to work, in proportion to what the quickest stage took;
        at most half of what the quickest such stage took.
        """
        heavy = [took for name, took in self.seconds.items() if kind_of(name) in WITH_DETECTOR]
        quick = [took for name, took in self.seconds.items() if kind_of(name) not in WITH_DETECTOR]
        usual = USUAL_START * min(quick, default=0.0) / USUAL_QUICK
        return min(usual, min(heavy) / 2) if heavy else usual

    def _like(self) -> float | None:
        """Seconds per iteration of a kind of stage that has not run: by the trials of now, or else by other stages."""
        return self._rate(TRAINED) if self.iteration is None else self.iteration

    def _rate(self, kinds: Iterable[str]) -> float | None:
        """Seconds per unit of one trial at a time, without the start, by the stages that ran and are in the plan."""
        kinds = set(kinds)
        ran = [name for name in self.seconds if kind_of(name) in kinds and self._is_planned(name)]
        units = sum(self.units(name) for name in ran)
        start = self.start() if kinds & {*WITH_DETECTOR} else 0.0
        took = sum(max(self.seconds[name] - start, 0.0) * self._at_once(kind_of(name)) for name in ran)
        return took / units if units else None

    def _at_once(self, kind: str) -> int:
        """How many trials one stage of this kind trains at the same time."""
        params = self.params
        tasks = {"predict": params.predict.folds, "confirm": params.confirm.baseline + 2 * params.confirm.seeds}
        return max(1, min(self.side_by_side, tasks.get(kind, 1)))

    def _is_planned(self, stage: str) -> bool:
        kind, _, name = stage.partition("@")
        return kind not in SECTIONS or name in self.plan[SECTIONS[kind]]

    def _from_timing(self, kind: str, stage: str) -> float:
        start, iteration, evaluation = self.timed["start"], self.timed["iteration"], self.evaluation() or 0.0
        if kind == "evaluate":
            return start + self.units(stage) * evaluation
        seconds = self.units(stage) * iteration
        if kind == "confirm":
            seconds += self.units(stage) / self.params.train.iterations * evaluation
        return start + seconds / self._at_once(kind)


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
