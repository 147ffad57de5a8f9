"""Train a detector for a fixed number of iterations, and predict with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from metricloop.data.frame import Detections
from metricloop.detector.augment import Augment


class Pictures(Protocol):
    """Resized pictures by row, each (size, size, 3) uint8 RGB: detector.pixel_cache.Pixels, or an array of them."""

    def __getitem__(self, row: int, /) -> np.ndarray: ...


@runtime_checkable
class Fetched(Pictures, Protocol):
    """Pictures that may have to be fetched before they can be used."""

    def bring(self, rows: Iterable[int], /) -> None: ...


SOON = 16  # batches whose pictures are fetched together


class DeviceError(RuntimeError):
    """The wanted device is not available."""


class NonFiniteLossError(RuntimeError):
    """The loss became nan or infinite. The message names the images of the batch."""


@dataclass(frozen=True)
class Sample:
    """One training image in resized pixels: row in `Pictures`, boxes (n, 4) xyxy, labels (n,) from 0, masks (m, 4)."""

    row: int
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))


@dataclass(frozen=True)
class Schedule:
    """The part of a recipe that the training loop needs."""

    iterations: int
    batch_size: int
    learning_rate: float
    amp: bool = False


@dataclass
class History:
    """The loss of every iteration, and the mean rate in images per second up to it."""

    loss: list[float] = field(default_factory=list)
    images_per_s: list[float] = field(default_factory=list)


def choose_device(wanted: str) -> torch.device:
    """Resolve train.device: auto takes the first GPU when there is one."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(f"train.device is {wanted}, but there is no usable CUDA device; use auto or cpu")
    return torch.device(wanted)


def settle(threads: int) -> None:
    """Make runs repeatable: fixed thread count, deterministic kernels."""
    import os

    import cv2

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    _keep_freed_memory()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # torch would also fill every new tensor with nan, which shows code that reads memory before writing it: 10 % slower
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    cv2.setNumThreads(1)


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensors: else Linux clears new pages in every iteration."""
    import ctypes
    import sys

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # M_... of malloc.h
        mallopt(mmap_threshold, 1 << 25)  # the most that glibc allows on every system
        mallopt(trim_threshold, 1 << 30)


def fit(
    model: nn.Module,
    samples: Sequence[Sample],
    pixels: Pictures,
    augment: Augment,
    schedule: Schedule,
    seed: int,
    *,
    device: torch.device,
    resume: Path | None = None,
    name_of: Callable[[int], str] = str,
    progress: Callable[[int, float, float], None] = lambda iteration, loss, rate: None,
) -> History:
    """Train `model` in place on `samples` for `schedule.iterations` batches.

    All random numbers follow from (seed, iteration). So a run that resumes from the file `resume`, rewritten every ten
    seconds, ends with the same weights as an uninterrupted run.
    Errors: NonFiniteLossError that names the images of the batch (`name_of(row)`); ValueError without samples.
    """
    if not samples:
        raise ValueError("nothing to train on: the subset has no images")
    model.to(device).train()
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=schedule.learning_rate, weight_decay=0.01, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=schedule.amp and device.type == "cuda")
    history = History()
    state = {"model": model, "optimizer": optimizer, "scaler": scaler}
    start = _restore(resume, state, history, device)
    saved = clock = time.monotonic()
    for iteration in range(start, schedule.iterations):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * _warm_cosine(iteration, schedule.iterations)
        torch.manual_seed(_mix(seed, iteration))
        if iteration % SOON == 0 or iteration == start:
            due = range(iteration, min(iteration + SOON, schedule.iterations))
            _bring(pixels, [samples[k].row for i in due for k in _batch(len(samples), schedule.batch_size, seed, i)])
        chosen = _batch(len(samples), schedule.batch_size, seed, iteration)
        images, targets = _collate([samples[k] for k in chosen], pixels, augment, seed, iteration, device)
        with torch.autocast(device.type, enabled=scaler.is_enabled()):
            loss = sum(model(images, targets).values())
        value = float(loss.detach())
        if not math.isfinite(value):
            names = ", ".join(sorted({name_of(samples[k].row) for k in chosen}))
            raise NonFiniteLossError(
                f"the loss became {value} at iteration {iteration} (seed {seed}) on a batch of: {names}; "
                "check these labels, or lower train.learning_rate"
            )
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(weights, 10.0)
        scaler.step(optimizer)
        scaler.update()
        now = time.monotonic()
        history.loss.append(value)
        history.images_per_s.append(schedule.batch_size * (iteration + 1 - start) / max(now - clock, 1e-9))
        progress(iteration + 1, value, history.images_per_s[-1])
        if resume is not None and now - saved > 10:
            _save(resume, state, history)
            saved = now
    return history


@torch.inference_mode()
def predict(
    model: nn.Module,
    rows: Sequence[int],
    pixels: Pictures,
    scales: np.ndarray,
    *,
    device: torch.device,
    score_threshold: float,
    max_detections: int,
    batch_size: int = 16,
) -> list[Detections]:
    """Detections for image rows, in original pixels (resized pixels divided by `scales[row]`), best first."""
    model.to(device).eval()
    # replace the built-in limits of torchvision's detectors (FCOS drops scores below 0.2) with ours
    head = getattr(model, "roi_heads", model)
    head.score_thresh, head.detections_per_img = score_threshold, 2 * max_detections
    found = []
    for begin in range(0, len(rows), batch_size):
        if begin % (SOON * batch_size) == 0:
            _bring(pixels, rows[begin : begin + SOON * batch_size])
        chosen = rows[begin : begin + batch_size]
        images = [torch.from_numpy(pixels[row]).permute(2, 0, 1) for row in chosen]
        for row, output in zip(chosen, model(images), strict=True):
            scores = output["scores"].float().cpu().numpy()
            labels = output["labels"].cpu().numpy() - 1
            # label -1: the background channel of single-stage heads, which is never trained
            order = np.flatnonzero((scores >= score_threshold) & (labels >= 0))
            order = order[np.argsort(-scores[order], kind="stable")][:max_detections]
            boxes = output["boxes"].float().cpu().numpy()[order] / scales[row]
            found.append(Detections(boxes.astype(np.float32), scores[order].astype(np.float32), labels[order]))
    return found


def _warm_cosine(iteration: int, iterations: int) -> float:
    """Learning-rate factor: linear over the first tenth, then a cosine down to 1 %."""
    warm = max(1, iterations // 10)
    if iteration < warm:
        return (iteration + 1) / warm
    done = (iteration - warm) / max(1, iterations - warm)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _bring(pixels: Pictures, rows: Sequence[int]) -> None:
    """Let pictures that lie elsewhere be fetched before they are used, many at the same time."""
    if isinstance(pixels, Fetched):
        pixels.bring(rows)


def _mix(*parts: int) -> int:
    """One 32-bit seed from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _batch(n: int, size: int, seed: int, iteration: int) -> list[int]:
    """Positions of one batch in an endless stream of shuffled epochs, a function of (seed, iteration)."""
    positions = range(iteration * size, (iteration + 1) * size)
    return [int(_epoch(n, seed, position // n)[position % n]) for position in positions]


@lru_cache(maxsize=4)
def _epoch(n: int, seed: int, epoch: int) -> np.ndarray:
    """All positions once, shuffled. Kept, because each batch of a large draw would take a while to shuffle it anew."""
    return np.random.default_rng((seed, 1, epoch)).permutation(n)


def _collate(samples, pixels: Pictures, augment: Augment, seed: int, iteration: int, device: torch.device):
    images, boxes_of, labels_of = [], [], []
    for position, sample in enumerate(samples):
        image = pixels[sample.row]
        if len(sample.masks):
            image = _mask(image, sample.masks)
        image, boxes, labels = augment(image, sample.boxes, sample.labels, _mix(seed, 2, iteration, position))
        images.append(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1))
        boxes_of.append(np.asarray(boxes, np.float32))
        labels_of.append(np.asarray(labels, np.int64) + 1)
    counts = [len(labels) for labels in labels_of]
    # two copies to the device for the whole batch: each copy waits for the GPU
    boxes_there = torch.from_numpy(np.concatenate(boxes_of)).to(device).split(counts)
    labels_there = torch.from_numpy(np.concatenate(labels_of)).to(device).split(counts)
    return images, [{"boxes": b, "labels": n} for b, n in zip(boxes_there, labels_there, strict=True)]


def _mask(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Fill regions with the picture's mean colour: the detector learns neither object nor background there."""
    image = image.copy()
    mean = image.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    for x1, y1, x2, y2 in np.round(masks).astype(int).clip(0):
        image[y1:y2, x1:x2] = mean
    return image


def _save(path: Path, state: dict, history: History) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save({name: part.state_dict() for name, part in state.items()} | {"history": vars(history)}, temporary)
    temporary.replace(path)


def _restore(path: Path | None, state: dict, history: History, device: torch.device) -> int:
    """Load a saved state in place; returns the iteration to continue with."""
    if path is None or not path.is_file():
        return 0
    saved = torch.load(path, map_location=device, weights_only=True)
    for name, part in state.items():
        part.load_state_dict(saved[name])
    history.loss[:] = saved["history"]["loss"]
    history.images_per_s[:] = saved["history"]["images_per_s"]
    return len(history.loss)
