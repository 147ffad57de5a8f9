"""How long a command of a study takes, as a range, by what the study's own stages took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

AS_MEASURED = (0.75, 1.5)  # a machine is seldom as busy as it was: docs/running.md has real runs beside their estimates


ALONE = 10.0  # seconds of a command that trains and is no run, before and after: loading, scoring or MLflow
SEEDS = 3  # trials of a block, mostly; its two stages start once


@dataclass(frozen=True)
class Pace:
    """How many seconds the parts of a study take.

    training, evaluation: of one trial, while `side_by_side` of them run. block: until the two stages of a block have
    got to work. kinds: kind of the other stages, in the order of the study -> all stages of it. around: before the
    first stage of a run and after its last: Prefect's start, report, MLflow, commit.
    """

    training: float
    evaluation: float = 0.0
    side_by_side: int = 1
    block: float = 0.0
    kinds: Mapping[str, float] = field(default_factory=dict)
    around: float = 0.0

    def of_run(self, trials: float, first: str = "compare", times: float = 1) -> tuple[float, float]:
        """The range of seconds of a `metricloop run` with so many trials. first: the kind of stages from which on all
        are made anew, `confirm` aside. times: how much longer than now a trial trains.
        """
        kinds = list(self.kinds)
        again = kinds[kinds.index(first) :] if first in kinds else []
        return _range(self.around + sum(self.kinds[kind] for kind in again) + self._trials(trials, times))

    def of_trials(self, trials: float) -> tuple[float, float]:
        """The range of seconds of a command that trains so many detectors in one process and is no run."""
        return _range(ALONE + self.block + trials * (self.training + self.evaluation) / self._at_once(trials))

    def _trials(self, trials: float, times: float) -> float:
        blocks = math.ceil(trials / SEEDS)
        each = self.training * times + self.evaluation
        return (trials * each + blocks * self.block) / self._at_once(blocks)

    def _at_once(self, pieces: float) -> float:
        return max(1, min(self.side_by_side, pieces))


def _range(seconds: float) -> tuple[float, float]:
    return seconds * AS_MEASURED[0], seconds * AS_MEASURED[1]
