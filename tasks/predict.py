"""predict: detections on every image of the pool, by a model that was not trained on this image."""

from __future__ import annotations

import sys
from dataclasses import replace

from metricloop import layout
from metricloop.data.pool import read_pool
from metricloop.data.tables import ASKED, PREDICTIONS, VIEWS, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.training.detect import prediction_columns
from metricloop.training.out_of_fold import (
    PLAIN,
    SEED,
    FoldInputs,
    Job,
    digest_of,
    folds,
    gather,
    predict_fold,
    view_columns,
)
from metricloop.training.parallel import run_trials


def main() -> None:
    begin_stage("predict")
    params = load_params()
    pool = read_pool(layout.DATA, params.data.folder)
    fold_of = folds(pool.group, params.predict.folds, params.study.seed)
    jobs = [Job(fold, params.predict.folds) for fold in range(params.predict.folds)]
    if SEED in params.predict.views:
        jobs += [replace(job, second=True) for job in jobs]
    per_job = run_trials(predict_fold, jobs, FoldInputs(params, pool, fold_of), params)
    views = gather(fold_of, zip(jobs, per_job, strict=True))
    predictions = prediction_columns(pool, views.pop(PLAIN))
    write_table(layout.PREDICTIONS, PREDICTIONS, predictions)
    # The stamp names all views, also those without detections, and the predictions that they belong to.
    stamp = {ASKED: " ".join(sorted(views)), "predictions": digest_of(predictions)} if views else {}
    write_table(layout.VIEWS, VIEWS, view_columns(pool, views), stamp)
    beside = f"; views: {', '.join(sorted(views))}" if views else ""
    print(f"predict: {params.predict.folds} folds, {len(predictions['score'])} detections{beside}", file=sys.stderr)


if __name__ == "__main__":
    main()
