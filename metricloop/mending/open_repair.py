"""Open a repair: from our catalogue by name, or from a file of the workspace; trusted or in the sandbox."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

import metricloop.metrics.repairs
from metricloop.data.edit_rows import COLUMNS
from metricloop.data.frame import Frame
from metricloop.mending.repair_file import load_repairs, repairs_in
from metricloop.mending.sandboxed import declared_repairs, repair_sandbox, run_repair
from metricloop.metrics.repair_contract import (
    Repair,
    RepairError,
    RepairResult,
    RepairSpec,
    call_repair,
    repair_spec_of,
)
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.scoring.batch import Trust
from metricloop.scoring.metric_file import MetricFile, read_source
from metricloop.scoring.open_metrics import CATALOGUE, trust_in
from metricloop.text.clean import clean
from metricloop.text.nearest import did_you_mean

Found = TypeVar("Found", Repair, RepairSpec)


class Opened(Protocol):
    """A repair, ready to run."""

    @property
    def spec(self) -> RepairSpec: ...

    @property
    def trust(self) -> Trust: ...

    def run(self, frames: Sequence[Frame]) -> list[RepairResult]:
        """One result per frame. Where the repair fails on a frame, its result holds the error; nothing is raised."""
        ...


@dataclass(frozen=True)
class InProcessRepair:
    """A repair that runs in this process."""

    repair: Repair
    trust: Trust = "catalogue"

    @property
    def spec(self) -> RepairSpec:
        return repair_spec_of(self.repair)

    def run(self, frames: Sequence[Frame]) -> list[RepairResult]:
        return [self._one(read_only(frame)) for frame in frames]

    def _one(self, frame: Frame) -> RepairResult:
        try:
            return RepairResult(call_repair(self.repair, frame))
        except Exception as error:  # a repair may raise anything: it is recorded here and counted by the caller
            return RepairResult(np.zeros((0, len(COLUMNS))), f"{type(error).__name__}: {error}")


@dataclass(frozen=True)
class SandboxedRepair:
    """An untrusted repair, which runs in the sandbox. pace: seconds per image, on average over one call."""

    source: MetricFile
    spec: RepairSpec
    limits: Limits
    trust: Trust = "sandbox"
    pace: float = math.inf

    def run(self, frames: Sequence[Frame]) -> list[RepairResult]:
        seconds = self.limits.start_seconds + self.pace * len(frames)
        return run_repair(repair_sandbox(self.limits), self.source, self.spec, frames, seconds)


def repair_catalogue() -> dict[str, Repair]:
    """Every repair of the catalogue, by name."""
    package = metricloop.metrics.repairs
    modules = [
        importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)
    ]
    return {name: function for module in modules for name, function in repairs_in(module).items()}


def catalogue_edits(frames: Sequence[Frame]) -> dict[str, list[np.ndarray]]:
    """The edits of the catalogue's repairs on some frames, for the gate; without repairs that fail on one of them."""
    found = {}
    for name, repair in repair_catalogue().items():
        results = InProcessRepair(repair).run(frames)
        if not any(result.error for result in results):
            found[name] = [result.rows for result in results]
    return found


def open_repair(
    code: str, name: str, workspace: Path | str = ".", limits: Limits | None = None, unsafe: bool = False
) -> Opened:
    """Open one repair.

    code: metrics/catalogue.yaml, which means our own catalogue; or a file; or a folder with one NAME.py per repair.
    Where it runs follows from who trusts it, as for metrics (scoring.open_metrics.open_batch). limits: of the sandbox.
    Errors: RepairError that names file and repair; MetricError for a file that cannot be read; SandboxError when the
    sandbox is needed and cannot be used.
    """
    if code in CATALOGUE:
        return InProcessRepair(_pick(repair_catalogue(), name, "the catalogue"))
    root = Path(workspace).resolve()
    place = (root / code).resolve()
    path = (place / f"{name}.py").resolve() if place.is_dir() else place
    source = read_source(path, root)
    trust = trust_in(root, (root / code, path), [source], unsafe)
    if trust != "sandbox":
        try:
            known = load_repairs(source.code, source.filename)
        except Exception as error:  # it may raise anything
            raise RepairError(f"{source.filename}: {type(error).__name__}: {error}") from error
        return InProcessRepair(_pick(known, name, source.filename), trust)
    walls = limits or Limits()
    try:
        specs = declared_repairs(repair_sandbox(walls), source)
    except SandboxError as error:
        raise SandboxError(
            f"{source.filename} must run in the sandbox, because it is not trusted. {error}. "
            f"If you have read it: metricloop run --trust {source.filename}"
        ) from None
    return SandboxedRepair(source, _pick(specs, name, source.filename), walls)


def read_only(frame: Frame) -> Frame:
    """The same frame, its arrays read-only from now on: no repair changes what the next one gets."""
    arrays = [frame.boxes, frame.labels, frame.image, frame.embedding]
    for found in (frame.predictions, *(frame.views or {}).values()):
        arrays += [] if found is None else [found.boxes, found.scores, found.labels]
    for array in arrays:
        if array is not None:
            array.flags.writeable = False
    return replace(frame)


def _pick(known: Mapping[str, Found], name: str, where: str) -> Found:
    if name not in known:
        has = f"it has {clean(', '.join(sorted(known))) or 'none'}"
        raise RepairError(f"no repair {name!r} in {where}; {did_you_mean(name, known, has)}")
    return known[name]
