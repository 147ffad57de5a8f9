"""Open the metrics of a batch: from our catalogue by name, or from a file of the workspace by path.

The folder `metrics` of a workspace may hold hostile code. So its files are never imported by a module name, and its
__init__.py is not read.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import metricloop.metrics.catalogue
from metricloop import layout
from metricloop.metrics.contract import Metric, MetricError, Spec
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.scoring.batch import Batch, InProcessBatch, SandboxedBatch, Trust, sandbox
from metricloop.scoring.metric_file import MetricFile, load, metrics_in, read_source
from metricloop.scoring.sandboxed import declared
from metricloop.scoring.trust import is_trusted
from metricloop.text.clean import clean
from metricloop.text.nearest import did_you_mean

CATALOGUE = ("metrics/catalogue", layout.CATALOGUE)  # both mean our catalogue; the second is its file of digests
Found = TypeVar("Found", Metric, Spec)
Opened = TypeVar("Opened")


def catalogue() -> dict[str, Metric]:
    """Every metric of the catalogue, by name."""
    modules = [
        importlib.import_module(f"{metricloop.metrics.catalogue.__name__}.{info.name}")
        for info in pkgutil.iter_modules(metricloop.metrics.catalogue.__path__)
    ]
    return {name: function for module in modules for name, function in metrics_in(module).items()}


def open_batch(
    code: str,
    names: Sequence[str],
    workspace: Path | str = ".",
    limits: Limits | None = None,
    unsafe: bool = False,
    give_up: Callable[[str, str], None] | None = None,
) -> Batch:
    """Open the metrics of a batch.

    code: one of CATALOGUE, which is always our own catalogue; or a file; or a folder with one NAME.py per metric. Files
    under metrics/adopted and trusted files (scoring.trust) run in this process; all others run in the sandbox, under
    `limits`.
    unsafe: run those in this process too; only when a person typed --unsafe-in-process.
    give_up: called with the name of a metric that cannot be opened, and the reason; the batch holds the others.
    Errors: MetricError that names file and metric, when `give_up` is None; SandboxError when the sandbox is needed and
    cannot be used.
    """
    if code in CATALOGUE:
        known = catalogue()
        return InProcessBatch(tuple(_pick(known, name, "the catalogue") for name in names))
    root = Path(workspace).resolve()
    place = (root / code).resolve()
    paths = {name: (place / f"{name}.py").resolve() if place.is_dir() else place for name in names}
    # Read once: the text that is checked is the text that is executed.
    sources = _each(names, lambda name: read_source(paths[name], root), give_up)
    trust = trust_in(root, (root / code, *paths.values()), list(sources.values()), unsafe)
    if trust != "sandbox":
        return InProcessBatch(tuple(_each(sources, lambda name: _loaded(sources[name], name), give_up).values()), trust)
    walls = limits or Limits()
    return SandboxedBatch(
        tuple(_each(sources, lambda name: _declared(sources[name], name, walls), give_up).values()), walls
    )


def trust_in(root: Path, paths: Iterable[Path], sources: Sequence[MetricFile], unsafe: bool) -> Trust:
    """How far the files of a workspace are trusted; "sandbox" unless a person said otherwise.

    paths: before and after links are resolved, so that no link turns generated code into adopted code, or leaves the
    folder. sources: what these files hold.
    """
    if all(_beneath(path, root / layout.ADOPTED) for path in paths):
        return "adopted"
    if sources and all(is_trusted(source, root) for source in sources):
        return "trusted"
    return "unsafe-in-process" if unsafe else "sandbox"


def _each(
    names: Iterable[str], opened: Callable[[str], Opened], give_up: Callable[[str, str], None] | None
) -> dict[str, Opened]:
    """Open each name; those that are given up are left out."""
    found = {}
    for name in names:
        try:
            found[name] = opened(name)
        except MetricError as error:
            if give_up is None:
                raise
            give_up(name, str(error))
    return found


def _beneath(path: Path, folder: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(folder)


def _loaded(source: MetricFile, name: str) -> Metric:
    try:
        known = load(source.code, source.filename)
    except Exception as error:  # it may raise anything
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == source.filename]
        where = f" (line {lines[-1]})" if lines else ""
        raise MetricError(f"{source.filename}: {type(error).__name__}: {error}{where}") from error
    return _pick(known, name, source.filename)


def _declared(source: MetricFile, name: str, limits: Limits) -> tuple[MetricFile, Spec]:
    try:
        started = sandbox(limits)
    except SandboxError as error:
        raise SandboxError(
            f"{source.filename} must run in the sandbox, because it is not trusted. {error}. "
            f"If you have read it: metricloop run --trust {source.filename}"
        ) from None
    return source, _pick(declared(started, source), name, source.filename)


def _pick(known: dict[str, Found], name: str, where: str) -> Found:
    if name not in known:
        has = f"it has {clean(', '.join(sorted(known))) or 'none'}"
        raise MetricError(f"no metric {name!r} in {where}; {did_you_mean(name, known, has)}")
    return known[name]
