"""Find metric functions: in our catalogue by name, elsewhere in a workspace by path, never as a package.

A workspace has a folder `metrics` too, and what lies in it may be hostile; so nothing of it is ever imported by a
module name, and its __init__.py is not read.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import metrics.catalogue
from metrics.contract import Metric, MetricError, is_metric

CATALOGUE = ("metrics/catalogue", "metrics/catalogue.yaml")  # the latter: its digests, in a workspace of its own
ADOPTED = "metrics/adopted"


def catalogue() -> dict[str, Metric]:
    """Every metric of the catalogue by name."""
    modules = [
        importlib.import_module(f"{metrics.catalogue.__name__}.{info.name}")
        for info in pkgutil.iter_modules(metrics.catalogue.__path__)
    ]
    return {name: function for module in modules for name, function in metrics_in(module).items()}


def metrics_in(module: ModuleType) -> dict[str, Metric]:
    """The metrics a module defines itself (not those it imported)."""
    return {n: f for n, f in vars(module).items() if is_metric(f) and f.__module__ == module.__name__}


def load_metrics(code: str, names: Sequence[str], workspace: Path | str = ".") -> list[Metric]:
    """The metrics of a batch.

    code: one of CATALOGUE (always ours, whatever the workspace holds there); or a file, or a folder with one NAME.py
    per metric, under metrics/adopted of the workspace. Anything else has not been read by a person and is not executed
    in this process: MetricError.
    """
    if code in CATALOGUE:
        known = catalogue()
        return [_pick(known, name, "the catalogue") for name in names]
    root = Path(workspace).resolve()
    adopted, place = root / ADOPTED, (root / code).resolve()
    if not place.is_relative_to(adopted):
        raise MetricError(
            f"{code}: metrics outside the catalogue must run in the sandbox, which this version does not have; "
            f"nothing of it was executed. Use a metric of the catalogue, or read the file and move it to {ADOPTED}/"
        )
    found = []
    for name in names:
        path = place / f"{name}.py" if place.is_dir() else place
        if not path.resolve().is_relative_to(adopted):
            raise MetricError(f"{path} leads outside {ADOPTED}/ and was not executed")
        found.append(_pick(load_file(path), name, str(path)))
    return found


def load_file(path: Path) -> dict[str, Metric]:
    """Execute one Python file and return its metrics by name. The caller vouches for the file."""
    if not path.is_file():
        raise MetricError(f"{path} does not exist")
    name = f"_metric_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MetricError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is executed ...
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]  # ... and joblib sends a function by value only if its module is not importable
    return metrics_in(module)


def _pick(known: dict[str, Metric], name: str, where: str) -> Metric:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known)) or 'none'}"
    raise MetricError(f"no metric {name!r} in {where}; {hint}")
