"""train@BLOCK: train one detector per seed of a block, on the subset of its arm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.tables import write_json, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.blocks import block_from_arguments
from metricloop.training.parallel import run_trials
from metricloop.training.trial import Trained, one_recipe
from metricloop.training.trials import read_inputs, train, trial_of

HISTORY = pa.schema({"seed": pa.int32(), "iteration": pa.int32(), "loss": pa.float32()})
RATES = pa.schema({"seed": pa.int32(), "iteration": pa.int32(), "images_per_s": pa.float32()})


def main() -> None:
    block = block_from_arguments()
    begin_stage(f"train@{block.name}")
    import torch

    params = load_params()
    trials = [trial_of(f"{block.name} seed {seed}", block.arm, seed) for seed in block.seeds]
    trained = run_trials(train, trials, read_inputs(params, "search", labels=False), params, jobs=1)
    results = dict(zip(block.seeds, trained, strict=True))
    Path(layout.model_folder(block.name)).mkdir(parents=True, exist_ok=True)
    for seed, result in results.items():
        torch.save(result.model, layout.model_file(block.name, seed))
    write_table(layout.history_file(block.name), HISTORY, history_columns(results, "loss"))
    # Rates differ in every repetition, so they are no output of the stage: DVC would see another result each time.
    write_table(layout.rates_file(block.name), RATES, history_columns(results, "images_per_s"))
    write_json(layout.training_recipe_file(block.name), one_recipe(trained))
    for result in results.values():
        result.clear_scratch()


def history_columns(results: Mapping[int, Trained], name: str) -> dict[str, np.ndarray]:
    """One value of the history, such as the loss, per seed and iteration: the columns of a table."""
    lengths = [len(result.history[name]) for result in results.values()]
    return {
        "seed": np.repeat(list(results), lengths),
        "iteration": np.concatenate([np.arange(1, n + 1) for n in lengths]),
        name: np.concatenate([result.history[name] for result in results.values()]),
    }


if __name__ == "__main__":
    main()
