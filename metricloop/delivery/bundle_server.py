"""Run the server of a bundle, and ask it as a detector."""

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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import cv2
import numpy as np

from metricloop.delivery.bundle_code import PACKAGE
from metricloop.serving.detector import Found

SECONDS = 120  # until the server is ready, on a busy machine
AT_ONCE = 4  # requests, so that the server detects in batches
ADDRESS = re.compile(r"http://[\d.]+:(\d+)")


class BundleServerError(RuntimeError):
    """The server of a bundle does not start, answer or stop as it should."""


class Served:
    """A detector behind an HTTP server (serving.detector.Finder)."""

    def __init__(self, address: str, facts: Mapping[str, Any]) -> None:
        self._address, self._facts = address, facts

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content of detector.json."""
        return self._facts

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        """What the server finds on each picture, (H, W, 3) uint8 RGB. Errors: BundleServerError."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(self._ask, pictures))

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
            raise BundleServerError(
                f"the bundle's server answered {error.code}: {error.read().decode()[:500]}"
            ) from None
        return Found(
            np.array([row["box"] for row in rows], np.float32).reshape(-1, 4),
            np.array([row["score"] for row in rows], np.float32),
            np.array([row["label"] for row in rows], np.int64),
        )


@contextmanager
def serving(
    bundle: Path, command: Sequence[str] = (), environment: Mapping[str, str] | None = None, user: int | None = None
) -> Iterator[str]:
    """Run the server of a bundle on a free port, yield its address once it is ready, and stop it.

    command: starts the server in the folder `bundle`; by default with this Python. environment: further variables.
    user: the number of the user that it runs as, if not this one.
    Errors: BundleServerError with what the server printed, also when it does not stop by itself.
    """
    process = subprocess.Popen(
        command or [sys.executable, "-m", PACKAGE], cwd=bundle, user=user, group=user,
        env=clean_environment() | {**(environment or {}), "PORT": "0"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    try:
        address = _address(process, bundle)
        _wait_until_ready(process, address, bundle)
        yield address
    finally:
        process.terminate()
        try:
            rest = process.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            rest = process.communicate()[0]
    if process.returncode != 0:
        raise BundleServerError(f"the server of {bundle} ended with status {process.returncode}: {rest[-2000:]}")


def clean_environment() -> dict[str, str]:
    """The environment of the bundle's process: a few variables only, so that it runs as on another machine."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONDONTWRITEBYTECODE": "1"}


def _address(process: subprocess.Popen[str], bundle: Path) -> str:
    """The address that a server prints when it has started; warnings may come before it."""
    assert process.stdout is not None
    limit = Timer(SECONDS, process.kill)  # ends the reading, too
    limit.start()
    printed = []
    try:
        for line in process.stdout:
            if found := ADDRESS.search(line):
                return f"http://127.0.0.1:{found[1]}"
            printed.append(line)
    finally:
        limit.cancel()
    raise BundleServerError(f"the server of {bundle} did not start: {''.join(printed)[-2000:]}")


def _wait_until_ready(process: subprocess.Popen[str], address: str, bundle: Path) -> None:
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise BundleServerError(f"the server of {bundle} did not get ready within {SECONDS} s; see its README.md")
