"""Execute the text of a file of metrics: within the walls for unread code, in this process where it is trusted."""

from __future__ import annotations

import builtins
import linecache
import sys
from pathlib import Path
from types import ModuleType

from metrics.contract import Metric, is_metric


def load(code: str, filename: str) -> dict[str, Metric]:
    """Execute a file's text as a module of its own and return the metrics it defines, by name."""
    module = ModuleType(f"_metric_file_{Path(filename).stem}")
    module.__file__ = filename
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)  # for tracebacks
    sys.modules[module.__name__] = module  # dataclasses look their module up while it is executed ...
    try:
        builtins.exec(compile(code, filename, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]  # ... and joblib sends a function by value only if its module is not found
    return {n: f for n, f in vars(module).items() if is_metric(f) and f.__module__ == module.__name__}
