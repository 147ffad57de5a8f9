"""predict: out-of-fold detections on the pool, from models that never saw the image they speak about.

The folds are whole groups, the labels the pool's own, mistakes included; held-out splits are never opened.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from detection.tables import PREDICTIONS, write_table
from tasks.guard import guard
from tasks.params import Params, load_params
from tasks.pool import read_pool
from tasks.subset import manifest
from tasks.trial import (
    Trained,
    detect,
    in_processes,
    load_model,
    parallel_jobs,
    prediction_columns,
    train_recipe,
    train_trial,
)


class PredictError(ValueError):
    """The pool cannot be split into folds."""


def folds(groups: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Assign every image to one of k folds, whole groups together, sizes as even as groups allow; (n,) int.

    Errors: PredictError when there are fewer groups than folds.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < k:
        raise PredictError(f"predict.folds is {k}, but the pool holds only {len(names)} groups of images; lower it")
    order = np.random.default_rng((seed, 7)).permutation(len(names))
    sizes = np.bincount(member)
    filled, fold_of = np.zeros(k, int), np.zeros(len(names), int)
    for group in order:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[member]


def predict_fold(task: tuple[int, np.ndarray, Params]) -> tuple[list, Trained]:
    """Train on all folds but one and detect on that one."""
    fold, fold_of, params = task
    pool = read_pool("data", params.data.folder)
    trained = train_trial(
        f"out-of-fold model {fold + 1} of {params.predict.folds}",
        pool,
        manifest(pool, np.flatnonzero(fold_of != fold)),
        params,
        train_recipe(params, pool),
        params.study.seed + 10_000 + fold,  # apart from every trial's seed
        iterations=params.predict.iterations,
    )
    found = detect(load_model(trained.model, len(pool.class_names), params), pool, params)
    return [found[row] for row in np.flatnonzero(fold_of == fold)], replace(trained, model={})


def main() -> None:
    guard("predict")
    params = load_params()
    pool = read_pool("data", params.data.folder)
    fold_of = folds(pool.group, params.predict.folds, params.study.seed)
    tasks = [(fold, fold_of, params) for fold in range(params.predict.folds)]
    per_fold = in_processes(predict_fold, tasks, parallel_jobs(params))
    detections: list = [None] * len(pool)
    for fold, (found, _) in enumerate(per_fold):
        for row, of_image in zip(np.flatnonzero(fold_of == fold), found, strict=True):
            detections[row] = of_image
    write_table("data/predictions.parquet", PREDICTIONS, prediction_columns(pool, detections))
    print(
        f"predict: {params.predict.folds} folds, {sum(len(d.scores) for d in detections)} detections", file=sys.stderr
    )


if __name__ == "__main__":
    main()
