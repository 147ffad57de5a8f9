"""evaluate@BLOCK: the models of a block on the search split, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from detection.dataset import Dataset
from detection.evaluation import coco_evaluate, write_matches
from detection.loading import load
from detection.tables import PREDICTIONS, read_json, write_json, write_table
from tasks.blocks import block_from_arguments
from tasks.guard import guard
from tasks.params import Params, load_params
from tasks.trial import detect, full_recipe, load_model, prediction_columns

SEED_PREDICTIONS = pa.schema([pa.field("seed", pa.int32()), *PREDICTIONS])


def evaluate_models(models: dict, held_out: Dataset, params: Params):
    """Per seed: (numbers, matches, prediction columns) of its model on `held_out`."""
    results = {}
    for seed, model in models.items():
        detections = detect(model, held_out, params)
        evaluation = coco_evaluate(held_out, detections, params.evaluate.max_detections)
        results[seed] = evaluation.numbers, evaluation.matches, prediction_columns(held_out, detections)
    return results


def main() -> None:
    block = block_from_arguments()
    guard(f"evaluate@{block.name}")
    import torch

    params = load_params()
    search = load("data", params.data.folder, "search")
    folder, out = Path("models") / block.name, Path("results") / block.name
    states = {
        seed: torch.load(folder / f"seed_{seed}.pt", map_location="cpu", weights_only=True) for seed in block.seeds
    }
    models = {seed: load_model(state, len(search.class_names), params) for seed, state in states.items()}
    results = evaluate_models(models, search, params)
    columns = [{"seed": np.full(len(found["score"]), seed)} | found for seed, (_, _, found) in results.items()]
    write_table(
        out / "predictions.parquet",
        SEED_PREDICTIONS,
        {name: np.concatenate([part[name] for part in columns]) for name in SEED_PREDICTIONS.names},
    )
    write_matches(out / "matches.parquet", {seed: matches for seed, (_, matches, _) in results.items()})
    write_json(out / "recipe.json", full_recipe(read_json(folder / "recipe.json"), params, search))
    numbers = {str(seed): values for seed, (values, _, _) in results.items()}
    write_json(out / "metrics.json", {"arm": block.arm, "block": block.name, "seeds": numbers})
    for seed, values in numbers.items():
        print(f"{block.name} seed {seed}: " + "  ".join(f"{n} {_show(values[n])}" for n in ("mAP", "mAP50", "mAR")))


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
