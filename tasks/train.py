"""train@BLOCK: train one detector per seed of a block, on the subset of its arm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.tables import write_json, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.blocks import block_from_arguments
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

HISTORY = pa.schema({"seed": pa.int32(), "iteration": pa.int32(), "loss": pa.float32()})
RATES = pa.schema({"seed": pa.int32(), "iteration": pa.int32(), "images_per_s": pa.float32()})


def main() -> None:
    block = block_from_arguments()
    begin_stage(f"train@{block.name}")
    import torch

    params = load_params()
    pool, search = (load(layout.DATA, params.data.folder, split, labels=False) for split in ("pool", "search"))
    recipe = train_recipe(params, search)
    manifest = Path(layout.subset_file(block.arm))
    results = {
        seed: train_trial(f"{block.name} seed {seed}", pool, read_draw(manifest, seed), params, recipe, seed)
        for seed in block.seeds
    }
    Path(layout.model_folder(block.name)).mkdir(parents=True, exist_ok=True)
    for seed, result in results.items():
        torch.save(result.model, layout.model_file(block.name, seed))
    write_table(layout.history_file(block.name), HISTORY, history_columns(results, "loss"))
    # Rates differ in every repetition, so they are no output of the stage: DVC would see another result each time.
    write_table(layout.rates_file(block.name), RATES, history_columns(results, "images_per_s"))
    write_json(layout.training_recipe_file(block.name), recipe)
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
