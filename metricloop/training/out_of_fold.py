"""Out-of-fold detections on the pool: every image gets detections from a model that was not trained on it.

A group of images is never divided between folds. Training uses the pool's labels with their mistakes. Held-out splits
are not read. With predict.views, the models also detect in flipped or cropped pictures, and second models are trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.manifest import manifest
from metricloop.data.tables import VIEWS
from metricloop.detector.views import Kind, Views
from metricloop.params import Params
from metricloop.training.detect import detect, load_model, prediction_columns
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import CACHE, train_trial

if TYPE_CHECKING:
    import torch

PLAIN, SEED = "", "seed"
PICTURED: tuple[Kind, ...] = ("flip", "crop")  # views that are other pictures for the same model


class PredictError(ValueError):
    """The pool cannot be split into folds."""


def folds(groups: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The fold (0 to k - 1) of every image, (n,) int; a group stays in one fold, and folds are about equally large.

    Errors: PredictError when there are fewer groups than folds.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < k:
        raise PredictError(
            f"predict.folds is {k}, but the pool has only {len(names)} groups of images; lower predict.folds"
        )
    order = np.random.default_rng((seed, 7)).permutation(len(names))
    sizes = np.bincount(member)
    filled, fold_of = np.zeros(k, int), np.zeros(len(names), int)
    for group in order:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[member]


@dataclass(frozen=True)
class Job:
    """One model to train, on all of `folds` except `fold`. second: the second model of the fold, with another seed."""

    fold: int
    folds: int
    second: bool = False

    @property
    def label(self) -> str:
        """Such as `second out-of-fold model 2 of 5`."""
        return f"{'second ' * self.second}out-of-fold model {self.fold + 1} of {self.folds}"


@dataclass(frozen=True)
class FoldInputs:
    """What all jobs read. fold_of: the fold of every image of the pool."""

    params: Params
    pool: Dataset
    fold_of: np.ndarray


def predict_fold(job: Job, inputs: FoldInputs) -> dict[str, list[Detections]]:
    """Train on all folds except one and detect on that one. Returns view -> detections, one entry per image.

    The view of a first model's detections in the original pictures is PLAIN, that of a second model's is SEED.
    """
    params, pool, fold_of = inputs.params, inputs.pool, inputs.fold_of
    wanted = params.predict.views
    seed = params.study.seed + (20_000 if job.second else 10_000) + job.fold  # no trial has such a seed
    trained = train_trial(
        job.label,
        pool,
        manifest(pool, np.flatnonzero(fold_of != job.fold)),
        params,
        train_recipe(params, pool),
        seed,
        iterations=params.predict.iterations,
    )
    model, rows = load_model(trained.model, len(pool.class_names), params), np.flatnonzero(fold_of == job.fold)
    found = {SEED if job.second else PLAIN: detect(model, pool, params, rows.tolist())}
    if not job.second:
        found |= {kind: detect_view(model, pool, rows, kind, params) for kind in PICTURED if kind in wanted}
    return found


def detect_view(
    model: torch.nn.Module, pool: Dataset, rows: np.ndarray, kind: Kind, params: Params
) -> list[Detections]:
    """Detections of a model in flipped or cropped pictures of some images, in pixels of the original pictures."""
    from metricloop.detector.engine import choose_device, predict
    from metricloop.detector.pixel_cache import Pixels

    size = params.train.image_size
    views = Views(kind, pool, Pixels(pool, size, CACHE), size)
    found = predict(
        model,
        rows.tolist(),
        views,
        np.ones(len(pool)),
        device=choose_device(params.train.device),
        score_threshold=params.evaluate.score_threshold,
        max_detections=params.evaluate.max_detections,
    )
    return [views.back(int(row), seen) for row, seen in zip(rows, found, strict=True)]


def gather(fold_of: np.ndarray, per_job: Iterable[tuple[Job, Mapping[str, list]]]) -> dict[str, list[Detections]]:
    """View -> detections of all folds, one entry per image, in pool order."""
    views: dict[str, list] = {}
    for job, found in per_job:
        for name, of_fold in found.items():
            whole = views.setdefault(name, [None] * len(fold_of))
            for row, of_image in zip(np.flatnonzero(fold_of == job.fold), of_fold, strict=True):
                whole[row] = of_image
    return views


def view_columns(pool: Dataset, views: Mapping[str, list[Detections]]) -> dict[str, np.ndarray]:
    """Detections by view as the columns of the VIEWS table, sorted by the name of the view."""
    parts = [
        {"view": np.full(sum(len(one.scores) for one in found), name, object)} | prediction_columns(pool, found)
        for name, found in sorted(views.items())
    ]
    empty = {name: np.zeros(0, np.int64) for name in VIEWS.names} | {"view": np.zeros(0, object)}
    return {name: np.concatenate([part[name] for part in parts]) if parts else empty[name] for name in VIEWS.names}


def digest_of(columns: Mapping[str, np.ndarray]) -> str:
    """A hash of the columns of a table, 16 hexadecimal digits."""
    hashed = hashlib.sha256()
    for name, values in sorted(columns.items()):
        hashed.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return hashed.hexdigest()[:16]
