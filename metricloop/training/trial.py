"""One trial: train the study's detector on one draw of an arm with one seed; a killed trial can go on."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.tables import column, xyxy
from metricloop.execution.store import drop_kept, keep, read_kept
from metricloop.params import Params
from metricloop.runtime.code_digest import detector_digest, stage_digest
from metricloop.runtime.progress import LINES_EVERY
from metricloop.training.recipe import content_digest

if TYPE_CHECKING:
    import torch

    from metricloop.detector.engine import History, Sample

CACHE = Path(layout.CACHE)  # can be deleted at any time; no stage depends on it


class RecipeError(ValueError):
    """Trials that should be alike were trained in different ways."""


@dataclass(frozen=True)
class Trained:
    """A trained detector.

    model: its state dict. history: loss and images per second of every iteration. recipe: see `training.recipe`.
    kept: where its copy is, a path or a URL; "" where there is none.
    """

    model: dict[str, Any]
    history: dict[str, list[float]]
    recipe: dict[str, Any]
    kept: str

    def clear_scratch(self) -> None:
        """Delete the copy once the stage has written its outputs; a forced repetition then trains again."""
        if self.kept:
            drop_kept(self.kept)


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
    """Train the study's detector on one draw (SUBSET rows), or continue where a killed process stopped.

    label: begins the lines of progress. iterations: train.iterations by default.
    The state of an unfinished model is kept in a scratch folder, and the finished one in execution.store, by default
    beside it. Their names are a hash of everything that makes the model: recipe, iterations, labels, pictures, seed
    and code.
    """
    import torch

    iterations = iterations or params.train.iterations
    key = content_digest(
        recipe,
        iterations,
        draw.to_pydict(),
        pool.sha256.tolist(),
        seed,
        stage_digest("train"),
        detector_digest(params.train.detector),
    )
    scratch = CACHE / "resume" / key
    kept, resume = _place(params.execution.store, key), scratch / "state.pt"
    if kept and (content := read_kept(kept)):
        print(f"{label}: already trained", file=sys.stderr, flush=True)
        return Trained(**torch.load(BytesIO(content), map_location="cpu", weights_only=True), recipe=recipe, kept=kept)
    if resume.is_file():
        done = len(torch.load(resume, map_location="cpu", weights_only=True)["history"]["loss"])
        print(f"{label}: continues at iteration {done} of {iterations}", file=sys.stderr, flush=True)
    model, history = _fit(pool, draw, params, seed, iterations, resume, progress_line(label, iterations))
    result = {"model": model.cpu().state_dict(), "history": vars(history)}
    if kept:
        file = BytesIO()
        torch.save(result, file)
        keep(kept, file.getvalue())
    if Path(kept).parent == scratch:
        resume.unlink(missing_ok=True)
    else:
        shutil.rmtree(scratch, ignore_errors=True)
    return Trained(**result, recipe=recipe, kept=kept)


def _place(given: str, key: str) -> str:
    """Where a finished model is kept; "" on a node that does not reach the folder that the study's machine named."""
    if "://" not in given and given and not Path(given).is_dir():
        return ""
    return f"{(given or str(CACHE)).rstrip('/')}/resume/{key}/final.pt"


def one_recipe(trials: Sequence[Trained]) -> dict[str, Any]:
    """The recipe that all trials of a block share. Errors: RecipeError when machines with and without a GPU mixed."""
    first = trials[0].recipe
    for recipe in (trial.recipe for trial in trials[1:]):
        if other := [f"{name} {first[name]!r} and {recipe[name]!r}" for name in first if first[name] != recipe[name]]:
            raise RecipeError(
                f"the trials of one block differ in {', '.join(other)}, so they cannot be compared; "
                "set train.device to cpu or cuda, and take nodes that have it"
            )
    return first


def _fit(
    pool: Dataset,
    draw: pa.Table,
    params: Params,
    seed: int,
    iterations: int,
    resume: Path,
    progress: Callable[[int, float, float], None],
) -> tuple[torch.nn.Module, History]:
    """A trained detector. Errors: those of `fit`; GpuMemoryError with a batch size that fits the GPU's memory."""
    import torch

    from metricloop.detector.augment import build_augment, choose_backend
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import Schedule, choose_device, fit, settle
    from metricloop.detector.memory import explain_out_of_memory
    from metricloop.detector.pixel_cache import Pixels

    train = params.train
    settle(train.threads)
    device, chosen = choose_device(train.device), samples(pool, draw, train.image_size)
    pixels, augment = Pixels(pool, train.image_size, CACHE), build_augment(choose_backend(train.augment))

    def build() -> torch.nn.Module:
        return build_detector(train.detector, len(pool.class_names), train.image_size, train.weights, seed)

    def step(size: int) -> None:
        schedule = Schedule(1, size, train.learning_rate, train.amp)
        fit(build(), chosen, pixels, augment, schedule, seed, device=device)

    model = build()
    with explain_out_of_memory("train.batch_size", train.batch_size, train.image_size, device, step):
        try:
            history = fit(
                model,
                chosen,
                pixels,
                augment,
                Schedule(iterations, train.batch_size, train.learning_rate, train.amp),
                seed,
                device=device,
                resume=resume,
                name_of=lambda row: str(pool.file[row]),
                progress=progress,
            )
        except torch.cuda.OutOfMemoryError:
            model.cpu()  # room for the steps with smaller batches
            raise
    return model, history


def samples(pool: Dataset, draw: pa.Table, image_size: int) -> list[Sample]:
    """The images of a draw as training samples, in pixels of the resized image, ordered by image id.

    Errors: KeyError naming an image id of the manifest that the pool does not hold.
    """
    from metricloop.detector.engine import Sample
    from metricloop.detector.pixel_cache import scales

    row_of = {int(image_id): row for row, image_id in enumerate(pool.image_id)}
    factor = scales(pool, image_size)
    image_ids, boxes, labels, use = column(draw, "image_id"), xyxy(draw), column(draw, "label"), column(draw, "use")
    keep, mask = use == "keep", use == "mask"
    order = np.argsort(image_ids, kind="stable")
    named, starts = np.unique(image_ids[order], return_index=True)
    result = []
    for image_id, own in zip(named, np.split(order, starts)[1:], strict=True):
        if int(image_id) not in row_of:
            raise KeyError(f"the subset names image {image_id}, which is not in the pool; select it again")
        row, kept, masked = row_of[int(image_id)], own[keep[own]], own[mask[own]]
        result.append(
            Sample(row, boxes[kept] * factor[row], labels[kept].astype(np.int64), boxes[masked] * factor[row])
        )
    return result


def progress_line(label: str, iterations: int) -> Callable[[int, float, float], None]:
    """A callback `show(iteration, loss, images_per_second)` that prints a line every 15 seconds and one at the end.

    The environment variable LINES_EVERY says another number of seconds, for a display that makes bars of the lines.
    """
    shown, pause = time.monotonic(), float(os.environ.get(LINES_EVERY) or 15)

    def show(iteration: int, loss: float, rate: float) -> None:
        nonlocal shown
        if iteration == iterations or time.monotonic() - shown > pause:
            shown = time.monotonic()
            print(
                f"{label}: {iteration}/{iterations}  loss {loss:.3f}  {rate:.0f} images/s", file=sys.stderr, flush=True
            )

    return show
