"""What happens on a node of a cluster: its versions are checked, the function runs, and its lines are passed on."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from metricloop.data.picture_cache import cache_folder
from metricloop.execution.faults import Answer, answer_of
from metricloop.execution.gpu_share import share_of
from metricloop.runtime.code_digest import HOME, PACKAGE

PACKAGES = ("torch", "torchvision", "numpy", "opencv-python-headless", "albumentations")  # they shape results
OLD = 14
NODE, LINE, DONE = "node", "line", "done"


class NodeError(RuntimeError):
    """A node cannot do the work of this study; the message says why, and what to do there."""


@cache
def versions() -> dict[str, str]:
    """What must be the same on all machines: the code of metricloop, Python, and the packages that shape results."""
    total = hashlib.sha256()
    for path in sorted((HOME / PACKAGE).rglob("*.py")):
        if not {"generated", "adopted"} & set(path.parts):  # written by a study in the repository's root
            total.update(path.relative_to(HOME).as_posix().encode() + b"\0" + path.read_bytes())
    found = {"the code of metricloop": total.hexdigest()[:12], "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def check_node(expected: dict[str, str]) -> None:
    """Errors: NodeError when this machine differs from the one that asks."""
    own = versions()
    if other := [f"{name} {own[name]} (there: {wanted})" for name, wanted in expected.items() if own[name] != wanted]:
        raise NodeError(
            f"node {socket.gethostname()} has {', '.join(other)}; install the same there, and start the node anew"
        )


def run_item(function: Callable, item: Any, shared: Any, expected: dict[str, str]) -> Answer:
    """Run one item in this process of a node."""
    answer = answer_of(lambda item, shared: _prepared(function, item, shared, expected), item, shared)
    return replace(answer, share=_share())


def _share() -> float | None:
    """The share of a GPU that this process has needed; Ray takes a new process for every item that has a GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    gib = 2**30
    return share_of(torch.cuda.max_memory_reserved() / gib, torch.cuda.get_device_properties(0).total_memory / gib)


def run_item_placed(function: Callable, item: Any, shared: Any, expected: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Run one item in the thread of the task, and yield (NODE, id of this node), then (DONE, answer)."""
    yield NODE, _node()
    yield DONE, run_item(function, item, shared, expected)


def _node() -> str:
    import ray

    return ray.get_runtime_context().get_node_id()


def run_item_telling(function: Callable, item: Any, shared: Any, expected: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The same in a thread of its own, with (LINE, text) for each line that the function prints."""
    yield NODE, _node()
    said: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def work() -> None:
        said.put((DONE, run_item(function, item, shared, expected)))

    lines: Any = _Lines(said)
    with redirect_stderr(lines), redirect_stdout(lines):
        threading.Thread(target=work, daemon=True).start()
        kind = LINE
        while kind != DONE:
            kind, told = said.get()
            yield kind, told


def _prepared(function: Callable, item: Any, shared: Any, expected: dict[str, str]) -> Any:
    import cv2

    check_node(expected)
    os.chdir(_tidy(scratch()))  # the cache of pixels and unfinished trials lie in the current folder
    cv2.setNumThreads(1)
    return function(item, shared)


@cache
def _tidy(folder: Path) -> Path:
    """Make the folder, and delete what no study has used for OLD days."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process may tidy up, too
            stat = path.stat()
            if path.is_file() and max(stat.st_mtime, stat.st_atime) < time.time() - OLD * 86_400:
                path.unlink()
    return folder


def scratch() -> Path:
    """The folder of this node for what can be made again. It stands for the workspace, which may be out of reach."""
    return cache_folder() / "node"


class _Lines:
    """A text stream that puts whole lines into a queue."""

    def __init__(self, said: SimpleQueue[tuple[str, Any]]) -> None:
        self._said, self._rest = said, ""

    def write(self, text: str) -> int:
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            self._said.put((LINE, line))
        return len(text)

    def flush(self) -> None:
        """Nothing waits here but an unfinished line."""

    def isatty(self) -> bool:
        return False
