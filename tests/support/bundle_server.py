"""Run the server of a bundle as its README says, and ask it; without metricloop, and without torch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np

from metricloop.delivery.bundle_code import PACKAGE
from metricloop.serving.detector import Found

SECONDS = 60  # to start, on a busy machine
# As `python -m PACKAGE` in a folder, on a machine where these packages are not installed.
WITHOUT = ("metricloop", "torch", "torchvision", "mlflow", "pyarrow", "pandas", "scipy", "jinja2", "onnx")
ISOLATED = f"""
import sys
sys.modules.update(dict.fromkeys({WITHOUT!r}))
sys.path.insert(0, ".")
from {PACKAGE}.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def isolated(*typed: str) -> list[str]:
    """The command line of a bundle's server, with this Python."""
    return [sys.executable, "-P", "-c", ISOLATED, *typed]


def run(folder: Path, *typed: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the entry point in the folder of a bundle until it ends."""
    return subprocess.run(
        isolated(*typed), cwd=folder, env=clean(environment), capture_output=True, text=True, check=False,
        timeout=SECONDS,
    )  # fmt: skip


def clean(more: Mapping[str, str]) -> dict[str, str]:
    """An environment without Python's settings and without those of this test run."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **more}


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, user: int | None = None
) -> Iterator[str]:
    """Start a server on a free port, wait until it is ready, and yield its address. user: a number, if not this one."""
    process = subprocess.Popen(
        command, cwd=folder, env=clean(environment or {}) | {"PORT": "0"}, user=user, group=user,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://[\d.]+:(\d+)", line)
        assert address, line + process.communicate(timeout=SECONDS)[0]
        wait_until_ready(f"http://127.0.0.1:{address[1]}")
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        process.terminate()
        rest = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0, rest
    assert "the server has stopped" in rest


def wait_until_ready(address: str) -> None:
    until = time.monotonic() + SECONDS
    while httpx.get(f"{address}/ready").status_code != 200:
        assert time.monotonic() < until, "the server did not get ready"
        time.sleep(0.02)


def as_png(picture: np.ndarray) -> bytes:
    """A picture as a file, without loss."""
    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()


def asked(address: str, pictures: Sequence[np.ndarray], score: float) -> list[Found]:
    """What a server answers to pictures that are sent in one request."""
    files = [("files", (f"{k}.png", as_png(picture), "image/png")) for k, picture in enumerate(pictures)]
    answer = httpx.post(f"{address}/predict", files=files, params={"score": score, "max": 300}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    found = []
    for picture in answer.json()["pictures"]:
        rows = picture["detections"]
        boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4)
        scores = np.array([row["score"] for row in rows], np.float32)
        found.append(Found(boxes, scores, np.array([row["label"] for row in rows], np.int64)))
    return found


class Served:
    """A detector (serving.detector.Detector) that asks a server."""

    def __init__(self, address: str, facts: Mapping) -> None:
        self.address, self.facts = address, facts

    def read(self, data: bytes) -> np.ndarray:
        raise NotImplementedError("the server reads files itself")

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        return asked(self.address, pictures, self.facts["score_threshold"])
