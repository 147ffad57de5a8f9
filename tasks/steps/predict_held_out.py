"""predict_held_out: detections on the search and test pictures by an out-of-fold model, for an audit of their labels.

The model of the first fold is taken as it was left by `predict`; where that was deleted, it is trained again. No model
ever sees these pictures in training, and no metric, subset or arm reads these detections.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.auditing.everything import DETECTIONS, STAMP, made_for, read_held_out
from metricloop.data.manifest import manifest
from metricloop.data.pool import read_pool
from metricloop.data.tables import PREDICTIONS, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import die_with_ancestors, hold_lock, tell_errors_briefly
from metricloop.training.detect import detect, load_model, prediction_columns
from metricloop.training.out_of_fold import folds
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import train_trial


def main() -> None:
    os.environ["PYTHONSAFEPATH"] = "1"  # for worker processes, as in every stage
    tell_errors_briefly("predicting held-out pictures")
    die_with_ancestors()
    hold_lock(Path(layout.LOCKS, "predict_held_out.lock"))
    params = load_params()
    pool = read_pool(layout.DATA, params.data.folder)
    fold_of = folds(pool.group, params.predict.folds, params.study.seed)
    trained = train_trial(
        f"out-of-fold model 1 of {params.predict.folds}",
        pool,
        manifest(pool, np.flatnonzero(fold_of != 0)),
        params,
        train_recipe(params, pool),
        params.study.seed + 10_000,  # as in training.out_of_fold, so that the model is found
        iterations=params.predict.iterations,
    )
    held = read_held_out(layout.DATA, params.data.folder)
    found = detect(load_model(trained.model, len(pool.class_names), params), held, params)
    write_table(DETECTIONS, PREDICTIONS, prediction_columns(held, found), {STAMP: made_for(Path())})


if __name__ == "__main__":
    main()
