"""The repairs of a file: execute its text, and find its repairs."""

from __future__ import annotations

from types import ModuleType

from metricloop.metrics.repair_contract import Repair, is_repair
from metricloop.scoring.metric_file import execute


def load_repairs(code: str, filename: str) -> dict[str, Repair]:
    """Execute a file's text as a new module; returns the repairs it defines, by name. It may define metrics, too."""
    return repairs_in(execute(code, filename))


def repairs_in(module: ModuleType) -> dict[str, Repair]:
    """The repairs that a module itself defines, without imported ones, by name."""
    return {n: f for n, f in vars(module).items() if is_repair(f) and f.__module__ == module.__name__}
