"""What a run says when the GPU's memory is full: which batch size fits."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

GIB = 2**30


class GpuMemoryError(RuntimeError):
    """The GPU's memory is too small for the batch. fits: a smaller batch size that is not too large, or None."""

    def __init__(self, message: str, fits: int | None) -> None:
        super().__init__(message)
        self.fits = fits


@contextmanager
def explain_out_of_memory(
    setting: str, batch_size: int, image_size: int, device: torch.device, try_batch: Callable[[int], object]
) -> Iterator[None]:
    """Around training or prediction: when the GPU's memory is full, look for a batch size that fits and name it.

    setting: where the batch size was set, such as train.batch_size. try_batch: runs a step of a fresh model with a
    batch of this size, and raises the same error when it does not fit.
    Errors: GpuMemoryError instead of torch.cuda.OutOfMemoryError.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        _let_go(error)
        fits = batch_that_fits(batch_size, try_batch)
        message = out_of_memory_message(setting, batch_size, image_size, fits, memory_in_use(device))
        raise GpuMemoryError(message, fits) from error


def batch_that_fits(batch_size: int, try_batch: Callable[[int], object]) -> int | None:
    """The first of batch_size / 2, / 4, ... 1 for which `try_batch` ends without filling the memory; None if none does.

    Halving leaves room for pictures with more objects than those that were tried.

    >>> def step(size):
    ...     if size > 20:
    ...         raise torch.cuda.OutOfMemoryError
    >>> batch_that_fits(64, step)
    16
    """
    while batch_size > 1:
        batch_size //= 2
        try:
            try_batch(batch_size)
        except torch.cuda.OutOfMemoryError as error:
            _let_go(error)
        else:
            return batch_size
    return None


def out_of_memory_message(
    setting: str, batch_size: int, image_size: int, fits: int | None, in_use: tuple[float, float, float] | None
) -> str:
    """What was tried, what fits, and what to do.

    fits: from `batch_that_fits`. in_use: from `memory_in_use`.

    >>> print(out_of_memory_message("train.batch_size", 64, 512, 16, (70.5, 7.0, 79.1)))
    the GPU's memory is too small for train.batch_size 64 at 512 px; a step with 16 fits: set train.batch_size to 16, \
lower train.image_size, train fewer at once (run.parallel), or turn train.amp on. \
Of 79.1 GiB, this process used 70.5 GiB and all else uses 7.0 GiB
    """
    found = f"the GPU's memory is too small for {setting} {batch_size} at {image_size} px; "
    if fits is None:
        found += "even a single image does not fit: lower train.image_size, take a smaller train.detector"
    else:
        found += f"a step with {fits} fits: set {setting} to {fits}, lower train.image_size"
    found += ", train fewer at once (run.parallel), or turn train.amp on"
    if in_use is None:
        return found
    own, others, total = in_use
    return f"{found}. Of {total:.1f} GiB, this process used {own:.1f} GiB and all else uses {others:.1f} GiB"


def memory_in_use(device: torch.device) -> tuple[float, float, float] | None:
    """GiB of the GPU: the most that torch held in this process, what all else holds now, and all; None on a CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    own = torch.cuda.memory_reserved(device)
    return torch.cuda.max_memory_reserved(device) / GIB, max(0, total - free - own) / GIB, total / GIB


def _let_go(error: BaseException) -> None:
    """Free what a failed step held. The frames of its traceback hold the tensors, even inside `except`."""
    traceback.clear_frames(error.__traceback__)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
