"""The trials of a promotion: the arm's detector trained with fresh seeds, each measured on the search split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metricloop.evaluation.coco import coco_evaluate
from metricloop.evaluation.error_types import find_errors
from metricloop.params import Params
from metricloop.training import trials
from metricloop.training.detect import detect, load_model
from metricloop.training.parallel import run_trials
from metricloop.training.trial import Trained

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

NUMBERS = ("mAP", "mAP50", "mAR")


@dataclass(frozen=True)
class Trial:
    """A trained detector and its numbers on the search split.

    numbers: NUMBERS, and how many images the split holds.
    best_score: the score from which its detections agree best with the labels.
    """

    seed: int
    numbers: dict[str, Any]
    best_score: float
    trained: Trained

    def weights(self) -> dict[str, Tensor]:
        """The state dict of the detector."""
        return self.trained.model


def train_all(params: Params, arm: str, draws: Sequence[tuple[int, pa.Table]]) -> list[Trial]:
    """Train an arm of the workspace that is the current folder, several trials at the same time. draws: seed, rows."""
    asked = [trials.Trial(f"promote {arm} seed {seed}", seed, draw) for seed, draw in draws]
    return run_trials(run_trial, asked, trials.read_inputs(params, "search"), params)


def best_of(tried: Sequence[Trial]) -> Trial:
    """The trial with the highest mAP; of equal ones the first."""
    return max(tried, key=lambda trial: (trial.numbers["mAP"] or 0.0, -trial.seed))


def run_trial(trial: trials.Trial, inputs: trials.TrialInputs) -> Trial:
    """Train one detector and evaluate it on the search split."""
    params, search, trained = inputs.params, inputs.held_out, trials.train(trial, inputs)
    detections = detect(load_model(trained.model, len(search.class_names), params), search, params)
    found = coco_evaluate(search, detections, params.evaluate.max_detections).numbers
    numbers = {name: found[name] for name in NUMBERS}
    print(f"{trial.label}: " + "  ".join(f"{name} {value or 0:.3f}" for name, value in numbers.items()), flush=True)
    best_score = float(find_errors(search, detections).threshold)
    return Trial(trial.seed, {"images": len(search), **numbers}, best_score, trained)
