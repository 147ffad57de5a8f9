"""benchmarks/gpu.py: that it runs, on any machine; and its claims, on a machine with a GPU (`pytest -m gpu`)."""

import importlib.util
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch

from metricloop.data.frame import Detections
from metricloop.detector.architectures import NAMES
from metricloop.evaluation.coco import coco_evaluate

FILE = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
SPEC = importlib.util.spec_from_file_location("gpu_benchmark", FILE)
gpu = sys.modules["gpu_benchmark"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gpu)

CARD = "cuda:0"
SMALL = replace(gpu.FULL, size=160, batch=4, iterations=10, predicted=16)


def plenty() -> float:
    """Seconds left."""
    return 600.0


def found_by_luck(samples, seed):
    """Shaken objects and inventions, with scores that do not tie."""
    rng = np.random.default_rng(seed)
    result = []
    for sample in samples:
        invented = np.sort(rng.uniform(0, 60, (3, 2, 2)), axis=1).reshape(3, 4)
        boxes = np.concatenate([sample.boxes + rng.normal(0, 1.5, sample.boxes.shape), invented])
        labels = np.concatenate([sample.labels, rng.integers(0, 2, 3)])
        result.append(Detections(boxes.astype(np.float32), rng.random(len(labels)).astype(np.float32), labels))
    return result


def test_its_map_is_that_of_coco():
    from coco_reference import dataset

    _, samples = gpu.draw(20, 64, seed=1)
    found = found_by_luck(samples, 2)
    truth = dataset([(one.boxes, one.labels, np.zeros(len(one.labels), bool)) for one in samples], ("a", "b"))
    expected = coco_evaluate(truth, found).numbers["mAP"]
    assert 0.1 < expected < 0.9
    assert gpu.mean_ap(samples, found) == pytest.approx(expected, abs=1e-6)


def test_the_tiny_form_runs_on_a_cpu(capsys):
    assert gpu.main(["--device", "cpu", "--sections", "speed", "agreement", "memory"]) == 0
    said = capsys.readouterr().out
    assert "| fcos_shufflenet | no | " in said
    assert "no checks failed" in said


@pytest.mark.slow
def test_trials_share_the_machine():
    runs, error = gpu.run_together("fcos_shufflenet", gpu.TINY, "cpu", 2)
    assert not error
    assert max(run["began"] for run in runs) < min(run["ended"] for run in runs)  # at the same time
    assert [run["images"] for run in runs] == [4, 4]


@pytest.mark.slow
def test_a_trial_that_fails_is_named():
    _, error = gpu.run_together("yolo", gpu.TINY, "cpu", 1)
    assert "unknown detector 'yolo'" in error


@pytest.mark.parametrize(
    ("on_cpu", "on_card", "moved", "said"),
    [
        ([0.30, 0.32], [0.31, 0.31], [0.30, 0.32], []),
        ([0.30, 0.32], [0.31, 0.31], [0.30, 0.31], ["the same weights"]),
        ([0.30, 0.32], [0.40, 0.41], [0.30, 0.32], ["trained on the GPU"]),
        ([], [], [], ["no seed"]),
    ],
)
def test_what_counts_as_the_same_map(on_cpu, on_card, moved, said):
    failed = gpu.judge_agreement(*(np.array(values) for values in (on_cpu, on_card, moved)))
    assert [line[: len(word)] for line, word in zip(failed, said, strict=True)] == said


def test_what_is_missing_is_named_with_its_remedy(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "find_spec", lambda name: None if name in ("torchvision", "metricloop") else name)
    assert gpu.main(["--device", "cpu"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "torchvision is missing: pip install torch torchvision",
        f"metricloop is missing: set PYTHONPATH={FILE.parents[1]}",
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys):
    assert gpu.main([]) == 2
    assert "finds no CUDA device" in capsys.readouterr().err


@pytest.fixture
def rehearsal(monkeypatch, tmp_path):
    """A machine that looks as if it had a GPU: torch.cuda answers, nvidia-smi too, and the work is done on the CPU.

    It shows that the calls are right. It shows nothing about a GPU.
    """
    for name, answer in {
        "is_available": True,
        "set_device": None,
        "get_device_name": "a rehearsal",
        "get_device_properties": SimpleNamespace(total_memory=80 * gpu.GIB, uuid="0-1"),
        "synchronize": None,
        "empty_cache": None,
        "reset_peak_memory_stats": None,
        "max_memory_reserved": 2 * gpu.GIB,
        "memory_reserved": gpu.GIB,
        "mem_get_info": (70 * gpu.GIB, 80 * gpu.GIB),
        "set_per_process_memory_fraction": None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, create_autospec(getattr(torch.cuda, name), return_value=answer))
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\nwhile true; do echo 37; sleep 0.02; done\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpu.os, "cpu_count", lambda: 1)  # one thread: other tests run beside this one
    train, detect = gpu.train, gpu.detect

    def train_on_cpu(name, *given, device, batch, **options):
        if batch > 8:
            raise torch.cuda.OutOfMemoryError
        with monkeypatch.context() as here:  # else the optimizer would look for the GPU
            here.setattr(torch.cuda, "is_available", lambda: False)
            return train(name, *given, device="cpu", batch=batch, **options)

    monkeypatch.setattr(gpu, "train", train_on_cpu)
    monkeypatch.setattr(gpu, "detect", lambda model, pictures, device: detect(model, pictures, "cpu"))
    monkeypatch.setattr(gpu, "FULL", replace(gpu.TINY, seeds=2))


def test_the_calls_of_a_gpu_run_are_right(rehearsal, capsys):
    assert gpu.main(["--sections", "speed", "agreement", "memory"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\| fcos_shufflenet \| no \| [\d,]+ \| 37 \| 2\.0 \| [\d,]+ \| 2\.0 \|", said)
    assert re.search(r"\| fcos_shufflenet \| yes \| [\d,]+ \| 37 \| 2\.0 \|  \|  \|", said)
    assert (
        "> the GPU's memory is too small for train.batch_size 1024 at 64 px; a step with 8 fits: set train.batch_size "
        "to 8, lower train.image_size, train fewer at once (run.parallel), or turn train.amp on. Of 80.0 GiB, this "
        "process used 2.0 GiB and all else uses 9.0 GiB"
    ) in said


def test_a_detector_that_fails_does_not_end_the_run(rehearsal, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "FULL", replace(gpu.TINY, batch=16))
    assert gpu.main(["--sections", "speed"]) == 1
    assert capsys.readouterr().out.count("**Failed:** fcos_shufflenet, mixed precision") == 2


on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_detector_trains_on_a_gpu(name, amp):
    run = gpu.timed_training(name, SMALL, CARD, amp)
    assert run["rate"] > 0
    assert 0 < run["peak"] < torch.cuda.get_device_properties(CARD).total_memory / 2**30


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("name", NAMES)
def test_every_detector_predicts_on_a_gpu(name):
    rate, peak = gpu.timed_prediction(name, SMALL, CARD)
    assert float(rate.replace(",", "")) > 0
    assert float(peak) > 0


@pytest.mark.gpu
@on_gpu
def test_the_proposals_of_a_faster_rcnn_need_little_memory():
    gpu.settle(1)  # repeatable runs
    peak = gpu.timed_training("fasterrcnn_mobilenet_v3_large_320_fpn", replace(gpu.FULL, iterations=10), CARD, False)
    assert peak["peak"] < 6  # 27 GiB with torchvision's version in Python


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("trials", [2, 4])
def test_trials_share_a_gpu(trials):
    runs, error = gpu.run_together("fcos_shufflenet", replace(SMALL, iterations=100), CARD, trials)
    assert not error
    assert max(run["began"] for run in runs) < min(run["ended"] for run in runs)


@pytest.mark.gpu
@on_gpu
def test_map_is_the_same_as_on_a_cpu():
    assert gpu.agreement(gpu.FULL, CARD, plenty) == []


@pytest.mark.gpu
@on_gpu
def test_full_memory_ends_with_the_batch_size_that_fits(capsys):
    assert gpu.memory(gpu.FULL, CARD, plenty) == []
    assert "set train.batch_size to " in capsys.readouterr().out


@pytest.mark.gpu
@on_gpu
def test_the_benchmark_takes_less_than_ten_minutes():
    began = time.monotonic()
    assert gpu.main([]) == 0
    assert time.monotonic() - began < 600
