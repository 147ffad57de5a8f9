"""train@BLOCK: one detector per seed of a block, from the arm's manifest alone."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from detection.dataset import Dataset, load
from detection.tables import write_json, write_table
from tasks.blocks import Block, block_from_arguments
from tasks.guard import guard
from tasks.params import Params, load_params
from tasks.subset import read_draw
from tasks.trial import CACHE, digest, progress_line, train_recipe, train_trial

HISTORY = pa.schema({"seed": pa.int32(), "iteration": pa.int32(), "loss": pa.float32(), "images_per_s": pa.float32()})


def train_block(block: Block, pool: Dataset, params: Params, recipe: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Train every seed of a block; per seed {"model": state dict, "history": {"loss", "images_per_s"}}.

    A finished seed and the state of an unfinished one lie in the scratch store under a hash of what made them, so a
    run that was killed goes on where it was.
    """
    import torch

    results, scratches = {}, []
    for seed in block.seeds:
        label = f"{block.name} seed {seed}"
        draw = read_draw(Path("subsets") / f"{block.arm}.parquet", seed)
        scratch = CACHE / "resume" / digest(recipe, draw.to_pydict(), pool.sha256.tolist(), seed)
        scratches.append(scratch)
        final, resume = scratch / "final.pt", scratch / "state.pt"
        if final.is_file():
            print(f"{label}: already trained before the interruption", file=sys.stderr, flush=True)
            results[seed] = torch.load(final, map_location="cpu", weights_only=True)
            continue
        iterations = params.train.iterations
        if resume.is_file():
            done = len(torch.load(resume, map_location="cpu", weights_only=True)["history"]["loss"])
            print(f"{label}: going on at iteration {done} of {iterations}", file=sys.stderr, flush=True)
        model, history = train_trial(
            pool, draw, params, seed, iterations=iterations, resume=resume, progress=progress_line(label, iterations)
        )
        results[seed] = {"model": model.cpu().state_dict(), "history": vars(history)}
        scratch.mkdir(parents=True, exist_ok=True)
        torch.save(results[seed], scratch / "final.part")
        (scratch / "final.part").replace(final)
    for scratch in scratches:  # the caller writes the results now; asked to train again, it must train again
        shutil.rmtree(scratch, ignore_errors=True)
    return results


def main() -> None:
    block = block_from_arguments()
    guard(f"train@{block.name}")
    import torch

    params = load_params()
    pool, search = (load("data", params.data.folder, split, labels=False) for split in ("pool", "search"))
    recipe = train_recipe(params, search)
    results = train_block(block, pool, params, recipe)
    out = Path("models") / block.name
    out.mkdir(parents=True, exist_ok=True)
    for seed, result in results.items():
        torch.save(result["model"], out / f"seed_{seed}.pt")
    lengths = [len(result["history"]["loss"]) for result in results.values()]
    columns = {
        "seed": np.repeat(list(results), lengths),
        "iteration": np.concatenate([np.arange(1, n + 1) for n in lengths]),
        **{name: np.concatenate([r["history"][name] for r in results.values()]) for name in ("loss", "images_per_s")},
    }
    write_table(out / "history.parquet", HISTORY, columns)
    write_json(out / "recipe.json", recipe)


if __name__ == "__main__":
    main()
