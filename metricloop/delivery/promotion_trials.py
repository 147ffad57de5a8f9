"""The trials of a promotion: the arm's detector trained with fresh seeds, each measured on the search split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.data.loading import load
from metricloop.evaluation.coco import coco_evaluate
from metricloop.evaluation.error_types import find_errors
from metricloop.params import Params
from metricloop.training.detect import detect, load_model
from metricloop.training.parallel import in_processes, parallel_jobs
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

NUMBERS = ("mAP", "mAP50", "mAR")
Task = tuple[str, int, "pa.Table", Params]  # arm, seed, draw


@dataclass(frozen=True)
class Trial:
    """A trained detector and its numbers on the search split; the model itself stays in its scratch file.

    numbers: NUMBERS, and how many images the split holds.
    best_score: the score from which its detections agree best with the labels.
    """

    seed: int
    numbers: dict[str, Any]
    best_score: float
    trained: Trained

    def weights(self) -> dict[str, Tensor]:
        """The state dict, from the file that `train_trial` has written."""
        import torch

        return torch.load(self.trained.scratch / "final.pt", map_location="cpu", weights_only=True)["model"]


def train_all(params: Params, arm: str, draws: Sequence[tuple[int, pa.Table]]) -> list[Trial]:
    """Train an arm of the workspace that is the current folder, several trials at the same time. draws: seed, rows."""
    tasks: list[Task] = [(arm, seed, draw, params) for seed, draw in draws]
    return in_processes(run_trial, tasks, parallel_jobs(params))


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest mAP; of equal ones the first."""
    return max(trials, key=lambda trial: (trial.numbers["mAP"] or 0.0, -trial.seed))


def run_trial(task: Task) -> Trial:
    """Train one detector and evaluate it on the search split."""
    arm, seed, draw, params = task
    pool = load(layout.DATA, params.data.folder, "pool", labels=False)
    search = load(layout.DATA, params.data.folder, "search")
    label = f"promote {arm} seed {seed}"
    trained = train_trial(label, pool, draw, params, train_recipe(params, search), seed)
    detections = detect(load_model(trained.model, len(search.class_names), params), search, params)
    found = coco_evaluate(search, detections, params.evaluate.max_detections).numbers
    numbers = {name: found[name] for name in NUMBERS}
    print(f"{label}: " + "  ".join(f"{name} {value or 0:.3f}" for name, value in numbers.items()), flush=True)
    best_score = float(find_errors(search, detections).threshold)
    return Trial(seed, {"images": len(search), **numbers}, best_score, replace(trained, model={}))
