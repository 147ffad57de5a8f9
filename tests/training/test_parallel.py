"""How many trials run at the same time, with and without torch."""

import subprocess
import sys

import pytest

from metricloop.detector import engine
from metricloop.params import ParamsError, check_params
from metricloop.training import parallel
from metricloop.training.parallel import parallel_jobs


def params(device, threads=2, parallel="auto"):
    return check_params(
        {"study": {"name": "s"}, "data": {"source": "pictures", "root": "pictures"},
         "train": {"device": device, "threads": threads}, "run": {"parallel": parallel}}
    )  # fmt: skip


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """Six cores, no nvidia-smi; a call says whether there is a GPU."""
    monkeypatch.setattr(parallel, "cores", lambda: 6)
    monkeypatch.setenv("PATH", str(tmp_path))

    def of(gpu):
        monkeypatch.setattr(engine.torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(parallel, "GPU_FILE", tmp_path if gpu else tmp_path / "none")

    return of


@pytest.mark.parametrize("with_torch", [True, False])
@pytest.mark.parametrize(
    ("device", "gpu", "threads", "expected"),
    [("cpu", False, 2, 3), ("cpu", True, 4, 1), ("cpu", False, 8, 1), ("auto", False, 1, 6), ("auto", True, 1, 1),
     ("cuda:0", True, 1, 1)],
)  # fmt: skip
def test_a_cpu_trains_as_many_as_its_cores_allow_and_a_gpu_of_unknown_memory_one(
    computer, with_torch, device, gpu, threads, expected
):
    computer(gpu)
    assert parallel_jobs(params(device, threads), with_torch=with_torch) == expected


@pytest.mark.parametrize(
    ("said", "cores", "expected"),
    [("143771\n", 16, 8), ("143771\n", 6, 3), ("143771\n", 1, 1), ("24564\n", 16, 2), ("81559\n24564\n", 16, 2),
     ("6144\n", 16, 1), ("[N/A]\n", 16, 1), ("", 16, 1)],
)  # fmt: skip
def test_a_gpu_trains_as_many_as_its_memory_and_the_cores_allow(computer, monkeypatch, tmp_path, said, cores, expected):
    computer(True)
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    smi.chmod(0o755)
    assert parallel_jobs(params("auto")) == parallel_jobs(params("auto"), with_torch=False) == expected


def test_the_person_decides_how_many(computer):
    computer(False)
    assert parallel_jobs(params("cpu", parallel=5)) == 5
    with pytest.raises(ParamsError, match=r"run\.parallel"):
        params("cpu", parallel=0)


def test_only_torch_knows_that_a_wanted_gpu_is_not_usable(computer):
    computer(False)
    with pytest.raises(engine.DeviceError, match="there is no usable CUDA device"):
        parallel_jobs(params("cuda"))
    assert parallel_jobs(params("cuda"), with_torch=False) == 1


def test_the_flow_does_not_load_torch():
    code = "import sys, metricloop.flows.pipeline, metricloop.training.parallel; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
