"""Trials as items for the study's engine: what they all read, and what each of them trains on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.params import Params
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TrialInputs:
    """What all trials of a stage read. pool: without labels, which the draws hold. held_out: to evaluate them on."""

    params: Params
    pool: Dataset
    held_out: Dataset


@dataclass(frozen=True)
class Trial:
    """One draw of an arm, with one seed. label: begins the lines of progress. draw: SUBSET rows."""

    label: str
    seed: int
    draw: pa.Table


def read_inputs(params: Params, split: str, labels: bool = True) -> TrialInputs:
    """Read the data of trials from the workspace that is the current folder. split, labels: of the held-out images."""
    folder = params.data.folder
    pool = load(layout.DATA, folder, "pool", labels=False)
    return TrialInputs(params, pool, load(layout.DATA, folder, split, labels=labels))


def trial_of(label: str, arm: str, seed: int) -> Trial:
    """The trial of an arm, with its draw from the manifest in the workspace."""
    return Trial(label, seed, read_draw(Path(layout.subset_file(arm)), seed))


def train(trial: Trial, inputs: TrialInputs) -> Trained:
    """Train a detector on the trial's draw."""
    recipe = train_recipe(inputs.params, inputs.held_out)
    return train_trial(trial.label, inputs.pool, trial.draw, inputs.params, recipe, trial.seed)
