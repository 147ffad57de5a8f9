"""evaluate@BLOCK: evaluate the models of a block on the search split; no other split is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.loading import load
from metricloop.data.tables import read_json, write_json, write_table
from metricloop.evaluation.coco import write_matches
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.blocks import block_from_arguments
from metricloop.training.evaluate_models import SEED_PREDICTIONS, EvaluationInputs, Model, evaluate_model
from metricloop.training.parallel import run_trials
from metricloop.training.recipe import full_recipe


def main() -> None:
    block = block_from_arguments()
    begin_stage(f"evaluate@{block.name}")
    import torch

    params = load_params()
    search = load(layout.DATA, params.data.folder, "search")
    states = {
        seed: torch.load(layout.model_file(block.name, seed), map_location="cpu", weights_only=True)
        for seed in block.seeds
    }
    models = [Model(f"evaluate {block.name} seed {seed}", seed, state) for seed, state in states.items()]
    found = run_trials(evaluate_model, models, EvaluationInputs(params, search), params, jobs=1)
    results = dict(zip(states, found, strict=True))
    columns = [{"seed": np.full(len(found["score"]), seed)} | found for seed, (_, _, found) in results.items()]
    write_table(
        layout.detections_file(block.name),
        SEED_PREDICTIONS,
        {name: np.concatenate([part[name] for part in columns]) for name in SEED_PREDICTIONS.names},
    )
    write_matches(Path(layout.matches_file(block.name)), {seed: matches for seed, (_, matches, _) in results.items()})
    trained = read_json(layout.training_recipe_file(block.name))
    write_json(layout.recipe_file(block.name), full_recipe(trained, params, search))
    numbers = {str(seed): values for seed, (values, _, _) in results.items()}
    write_json(layout.numbers_file(block.name), {"arm": block.arm, "block": block.name, "seeds": numbers})
    for seed, values in numbers.items():
        print(f"{block.name} seed {seed}: " + "  ".join(f"{n} {_show(values[n])}" for n in ("mAP", "mAP50", "mAR")))


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
