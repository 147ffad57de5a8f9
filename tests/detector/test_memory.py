"""What is said when the GPU's memory is full. No GPU is needed: the error is raised by hand."""

import gc
import weakref

import pytest
import torch

from metricloop.detector.memory import (
    GpuMemoryError,
    batch_that_fits,
    explain_out_of_memory,
    memory_in_use,
    out_of_memory_message,
)

CPU = torch.device("cpu")


class Held:
    """Stands for the tensors of a step."""


def memory_for(images: int, tried: list[int], held: list[weakref.ref]):
    """A step that fills the memory with more than `images` images; notes each batch and what the step held."""

    def step(batch: int) -> None:
        activations = Held()
        tried.append(batch)
        held.append(weakref.ref(activations))
        if batch > images:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    return step


@pytest.mark.parametrize(
    ("batch", "images", "fits"),
    [(64, 20, 16), (64, 63, 32), (6, 1, 1), (7, 3, 3), (8, 0, None), (1, 0, None)],
)
def test_the_batch_is_halved_until_it_fits(batch, images, fits):
    tried: list[int] = []
    assert batch_that_fits(batch, memory_for(images, tried, [])) == fits
    assert tried == [batch >> k for k in range(1, len(tried) + 1)]


def test_an_error_of_another_kind_is_not_hidden():
    def step(batch):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        batch_that_fits(8, step)
    with pytest.raises(KeyError), explain_out_of_memory("train.batch_size", 8, 320, CPU, step):
        raise KeyError("a picture")


def test_a_run_out_of_memory_names_the_batch_that_fits():
    tried, held = [], []
    step = memory_for(5, tried, held)
    with (
        pytest.raises(GpuMemoryError, match=r"train\.batch_size 16 at 320 px; a step with 4 fits") as caught,
        explain_out_of_memory("train.batch_size", 16, 320, CPU, step),
    ):
        step(16)
    assert caught.value.fits == 4
    assert tried == [16, 8, 4]
    assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)


def test_what_a_failed_step_held_is_free_before_the_next_one_is_tried():
    """Otherwise no batch size would fit: the traceback keeps the tensors of the step that failed."""
    tried, held = [], []
    step = memory_for(2, tried, held)
    alive = []

    def watched(batch):
        alive.append([ref() is not None for ref in held])
        step(batch)

    gc.disable()
    try:
        with pytest.raises(GpuMemoryError), explain_out_of_memory("train.batch_size", 8, 320, CPU, watched):
            watched(8)
    finally:
        gc.enable()
    assert alive == [[], [False], [False, False]]


def test_nothing_happens_when_the_memory_is_enough():
    with explain_out_of_memory("train.batch_size", 8, 320, CPU, lambda batch: pytest.fail("tried a batch")):
        pass


def test_the_message_says_what_to_do():
    full = out_of_memory_message("train.batch_size", 8, 512, 2, (70.5, 7, 79.1))
    assert (
        "set train.batch_size to 2, lower train.image_size, train fewer at once (run.parallel), or turn train.amp on"
        in full
    )
    assert "Of 79.1 GiB, this process used 70.5 GiB and all else uses 7.0 GiB" in full
    none = out_of_memory_message("train.batch_size", 8, 512, None, memory_in_use(CPU))
    assert none.endswith(
        "even a single image does not fit: lower train.image_size, take a smaller train.detector, train fewer at once "
        "(run.parallel), or turn train.amp on"
    )
