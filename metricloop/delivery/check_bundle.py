"""A smoke test of a bundle: start its server, send pictures, and hold the answers against the detector on torch."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from metricloop.delivery.agreement import Agreement, agreement
from metricloop.delivery.bundle import MODEL
from metricloop.delivery.bundle_code import PACKAGE
from metricloop.delivery.torch_detector import load
from metricloop.serving.detector import Found

SECONDS = 120  # until the server is ready, on a busy machine


class BundleCheckError(RuntimeError):
    """The bundle's server does not work, or finds other objects than the detector on torch."""


class Served:
    """A detector behind an HTTP server (serving.detector.Finder)."""

    def __init__(self, address: str, facts: Mapping[str, Any]) -> None:
        self._address, self._facts = address, facts

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content of detector.json."""
        return self._facts

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        """What the server finds on each picture. Errors: BundleCheckError."""
        return [self._ask(picture) for picture in pictures]

    def _ask(self, picture: np.ndarray) -> Found:
        done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        assert done
        limits = f"score={self._facts['score_threshold']}&max={self._facts['max_detections']}"
        body = json.dumps({"images": [base64.b64encode(data.tobytes()).decode()]}).encode()
        request = urllib.request.Request(
            f"{self._address}/predict?{limits}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                rows = json.load(answer)["pictures"][0]["detections"]
        except urllib.error.HTTPError as error:
            raise BundleCheckError(
                f"the bundle's server answered {error.code}: {error.read().decode()[:500]}"
            ) from None
        return Found(
            np.array([row["box"] for row in rows], np.float32).reshape(-1, 4),
            np.array([row["score"] for row in rows], np.float32),
            np.array([row["label"] for row in rows], np.int64),
        )


def check_bundle(bundle: Path, pictures: Sequence[np.ndarray]) -> Agreement:
    """Serve a bundle and compare its answers on `pictures`, (H, W, 3) uint8 RGB, with its detector on torch.

    Errors: BundleCheckError when the server does not start, or differs by more than agreement.TOLERANCE.
    """
    on_torch = load(bundle / MODEL, "cpu")
    with serving(bundle) as address:
        agreed = agreement(on_torch, Served(address, on_torch.facts), pictures)
    if not agreed.equal:
        raise BundleCheckError(
            f"the server of {bundle} does not find what torch finds: {agreed}; make the bundle again"
        )
    return agreed


@contextmanager
def serving(bundle: Path) -> Iterator[str]:
    """Run the server of a bundle on a free port of this machine, and yield its address once it is ready.

    Errors: BundleCheckError with what the server printed.
    """
    command = [sys.executable, "-m", PACKAGE, "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=bundle, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", first)
        if not found:
            raise BundleCheckError(f"the server of {bundle} did not start: {first}{process.stdout.read()[-2000:]}")
        _wait_until_ready(process, found[0], bundle)
        yield found[0]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _environment() -> dict[str, str]:
    """As on another machine: no settings of Python, and none of this process."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONDONTWRITEBYTECODE": "1"}


def _wait_until_ready(process: subprocess.Popen, address: str, bundle: Path) -> None:
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise BundleCheckError(f"the server of {bundle} did not get ready within {SECONDS} s; see its README.md")
