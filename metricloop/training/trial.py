"""One trial: a subset's labels and a seed in, a trained detector and its detections out.

Shared by the stages that train: train, predict and confirm.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.tables import column, xyxy
from metricloop.params import Params, weights_digest
from metricloop.runtime.code_digest import stage_digest
from metricloop.runtime.stage_start import die_with_parent

CACHE = Path(".metricloop/cache")  # scratch: deletable at any time, never a dependency


def train_recipe(params: Params, search: Dataset) -> dict[str, Any]:
    """Everything in a trained model but its subset and seed: trials must share it to be comparable."""
    from metricloop.detector.augment import choose_backend
    from metricloop.detector.engine import choose_device

    train = params.train
    device = choose_device(train.device).type
    return {
        "detector": train.detector,
        "weights": weights_digest(train.weights),
        "image_size": train.image_size,
        "iterations": train.iterations,
        "batch_size": train.batch_size,
        "learning_rate": train.learning_rate,
        "augment": choose_backend(train.augment),
        "device": device,
        "amp": train.amp and device == "cuda",
        "search_images": digest(search.sha256.tolist()),
    }


def full_recipe(trained: dict[str, Any], params: Params, search: Dataset) -> dict[str, Any]:
    """{"hash", "fields"}: the recipe of a trained model with what its evaluation adds."""
    fields = trained | {
        "score_threshold": params.evaluate.score_threshold,
        "max_detections": params.evaluate.max_detections,
        "search_labels": digest(search.boxes.tolist(), search.labels.tolist()),
    }
    return {"hash": digest(fields), "fields": fields}


def digest(*values: Any) -> str:
    """A short content hash of JSON-able values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Trained:
    """A trained detector: its state dict, loss and rate of every iteration, and where it lies in the scratch store."""

    model: dict[str, Any]
    history: dict[str, list[float]]
    scratch: Path

    def forget(self) -> None:
        """Clear the scratch copy. Called once the stage's outputs are written: asked again, it must train again."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def train_trial(
    label: str,
    pool: Dataset,
    draw: pa.Table,
    params: Params,
    recipe: dict[str, Any],
    seed: int,
    *,
    iterations: int | None = None,
) -> Trained:
    """Train the study's detector on one draw (SUBSET rows), going on where a killed process was.

    The finished model, or the state of an unfinished one, lies in the scratch store under a hash of everything that
    made it: recipe, labels, pictures, seed and code.
    """
    import torch

    iterations = iterations or params.train.iterations
    key = digest(recipe, iterations, draw.to_pydict(), pool.sha256.tolist(), seed, stage_digest("train"))
    scratch = CACHE / "resume" / key
    final, resume = scratch / "final.pt", scratch / "state.pt"
    if final.is_file():
        print(f"{label}: already trained before the interruption", file=sys.stderr, flush=True)
        return Trained(**torch.load(final, map_location="cpu", weights_only=True), scratch=scratch)
    if resume.is_file():
        done = len(torch.load(resume, map_location="cpu", weights_only=True)["history"]["loss"])
        print(f"{label}: going on at iteration {done} of {iterations}", file=sys.stderr, flush=True)
    model, history = _fit(pool, draw, params, seed, iterations, resume, progress_line(label, iterations))
    result = {"model": model.cpu().state_dict(), "history": vars(history)}
    scratch.mkdir(parents=True, exist_ok=True)
    torch.save(result, scratch / "final.part")
    (scratch / "final.part").replace(final)
    resume.unlink(missing_ok=True)
    return Trained(**result, scratch=scratch)


def _fit(pool, draw, params, seed, iterations, resume, progress):
    from metricloop.detector.augment import build_augment, choose_backend
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import Schedule, choose_device, fit, settle
    from metricloop.detector.pixel_cache import Pixels

    train = params.train
    settle(train.threads)
    model = build_detector(train.detector, len(pool.class_names), train.image_size, train.weights, seed)
    history = fit(
        model,
        samples(pool, draw, train.image_size),
        Pixels(pool, train.image_size, CACHE),
        build_augment(choose_backend(train.augment)),
        Schedule(iterations, train.batch_size, train.learning_rate, train.amp),
        seed,
        device=choose_device(train.device),
        resume=resume,
        name_of=lambda row: str(pool.file[row]),
        progress=progress,
    )
    return model, history


def load_model(state: dict[str, Any], classes: int, params: Params):
    """The study's detector with the weights of a trained one."""
    from metricloop.detector.detectors import build_detector

    model = build_detector(params.train.detector, classes, params.train.image_size, "none", seed=0)
    model.load_state_dict(state)
    return model


def samples(pool: Dataset, draw: pa.Table, image_size: int) -> list:
    """The images of a draw as training samples in resized pixels, ordered by image id.

    Errors: KeyError naming an image id of the manifest that the pool does not hold.
    """
    from metricloop.detector.engine import Sample
    from metricloop.detector.pixel_cache import scales

    row_of = {int(image_id): row for row, image_id in enumerate(pool.image_id)}
    factor = scales(pool, image_size)
    image_ids, boxes, labels, use = column(draw, "image_id"), xyxy(draw), column(draw, "label"), column(draw, "use")
    result = []
    for image_id in np.unique(image_ids):
        if int(image_id) not in row_of:
            raise KeyError(f"the subset names image {image_id}, which is not in the pool; select it again")
        row = row_of[int(image_id)]
        own = image_ids == image_id
        kept, masked = own & (use == "keep"), own & (use == "mask")
        result.append(
            Sample(row, boxes[kept] * factor[row], labels[kept].astype(np.int64), boxes[masked] * factor[row])
        )
    return result


def detect(model, dataset: Dataset, params: Params) -> list:
    """Detections of a trained model on every image of `dataset`, in original pixels."""
    from metricloop.detector.engine import choose_device, predict, settle
    from metricloop.detector.pixel_cache import Pixels, scales

    settle(params.train.threads)
    size = params.train.image_size
    return predict(
        model,
        range(len(dataset)),
        Pixels(dataset, size, CACHE),
        scales(dataset, size),
        device=choose_device(params.train.device),
        score_threshold=params.evaluate.score_threshold,
        max_detections=params.evaluate.max_detections,
    )


def prediction_columns(dataset: Dataset, detections: Iterable) -> dict[str, np.ndarray]:
    """Detections per image as the columns of the PREDICTIONS table."""
    detections = list(detections)
    counts = [len(found.scores) for found in detections]
    boxes = np.concatenate([found.boxes for found in detections] or [np.zeros((0, 4), np.float32)])
    return {
        "image_id": np.repeat(dataset.image_id, counts),
        **{name: boxes[:, k] for k, name in enumerate(("x1", "y1", "x2", "y2"))},
        "score": np.concatenate([found.scores for found in detections] or [np.zeros(0, np.float32)]),
        "label": np.concatenate([found.labels for found in detections] or [np.zeros(0, np.int64)]),
    }


def in_processes(function: Callable, items: list, jobs: int) -> list:
    """Map over fresh processes that end with this one; results in the order of `items`."""
    if jobs <= 1 or len(items) <= 1:
        return [function(item) for item in items]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=die_with_parent) as pool:
        return list(pool.map(function, items))


def parallel_jobs(params: Params) -> int:
    """How many trials fit side by side: cores by threads on a CPU, one on a GPU."""
    from metricloop.detector.engine import choose_device

    if choose_device(params.train.device).type != "cpu":
        return 1
    return trials_by_cores(params)


def trials_by_cores(params: Params) -> int:
    """How many trials of train.threads threads the processor has room for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // params.train.threads)


def progress_line(label: str, iterations: int) -> Callable[[int, float, float], None]:
    """A progress callback that prints a line every 15 seconds, and one at the end."""
    shown = time.monotonic()

    def show(iteration: int, loss: float, rate: float) -> None:
        nonlocal shown
        if iteration == iterations or time.monotonic() - shown > 15:
            shown = time.monotonic()
            print(
                f"{label}: {iteration}/{iterations}  loss {loss:.3f}  {rate:.0f} images/s", file=sys.stderr, flush=True
            )

    return show
