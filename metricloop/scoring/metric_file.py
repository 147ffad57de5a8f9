"""A file of metrics: read its text, execute it, and find its metrics."""

from __future__ import annotations

import builtins
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from metricloop.metrics.contract import Metric, MetricError, is_metric

MOST_BYTES = 400_000  # of a file; twice the longest file that the language model can write


@dataclass(frozen=True)
class MetricFile:
    """The text of a file of metrics, and the file name for error messages."""

    code: str
    filename: str


def read_source(path: Path, root: Path) -> MetricFile:
    """Read a file without executing it. Error messages name it relative to `root`.

    Errors: MetricError when it is missing, too long or not text.
    """
    if not path.is_file():
        raise MetricError(f"{path} does not exist")
    if path.stat().st_size > MOST_BYTES:
        raise MetricError(f"{path} is {path.stat().st_size} bytes long; at most {MOST_BYTES} are allowed")
    try:
        code = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetricError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    return MetricFile(code, path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))


def load(code: str, filename: str) -> dict[str, Metric]:
    """Execute a file's text as a new module; returns the metrics it defines, by name."""
    return metrics_in(execute(code, filename))


def execute(code: str, filename: str) -> ModuleType:
    """Execute a file's text as a new module."""
    module = ModuleType(f"_metric_file_{Path(filename).stem}")
    module.__file__ = filename
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)  # for tracebacks
    sys.modules[module.__name__] = module  # dataclasses look up their module during execution ...
    try:
        builtins.exec(compile(code, filename, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]  # ... and joblib sends a function by value only if its module is unknown
    return module


def metrics_in(module: ModuleType) -> dict[str, Metric]:
    """The metrics that a module itself defines, without imported ones, by name."""
    return {n: f for n, f in vars(module).items() if is_metric(f) and f.__module__ == module.__name__}
