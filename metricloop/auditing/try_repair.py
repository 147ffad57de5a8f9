"""`metricloop mend`: what a repair would change in the pool's labels, before anything is trained on them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.auditing.repair_quality import measure_repair
from metricloop.data.edit_rows import KINDS
from metricloop.data.edits import EDITS
from metricloop.data.frame import Detections
from metricloop.data.pool import read_pool
from metricloop.data.tables import TRUTH, column, read_table
from metricloop.mending.gate import RepairGateResult, pass_repair_gate
from metricloop.mending.mend_pool import mend_pool
from metricloop.mending.open_repair import InProcessRepair, Opened, SandboxedRepair, catalogue_edits, repair_catalogue
from metricloop.mending.sandboxed import declared_repairs, repair_sandbox
from metricloop.metrics.repair_contract import RepairError
from metricloop.params import Params, load_params
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import MetricFile
from metricloop.scoring.metric_inputs import MetricInputs, read_predictions, read_views
from metricloop.scoring.probe_frames import probe_frames
from metricloop.scoring.score_pool import patience
from metricloop.selection.keep_values import without_crowds
from metricloop.text.nearest import did_you_mean


class MendHereError(ValueError):
    """A repair cannot be tried here; the message says what to do."""


def read_mend_inputs(folder: Path) -> tuple[Params, MetricInputs]:
    """The pool of a workspace and what its repairs may read. Errors: MendHereError when `ingest` has not run."""
    params = load_params(folder / layout.PARAMS)
    if not (folder / layout.IMAGES).is_file():
        raise MendHereError(
            f"{folder} has no data yet, so there are no labels to mend. To read the data set: cd {folder} && dvc repro "
            "ingest (and predict, for repairs that need predictions)"
        )
    pool = read_pool(folder / layout.DATA, folder / params.data.folder)
    found, views = folder / layout.PREDICTIONS, folder / layout.VIEWS
    predictions: dict[int, Detections] | None = read_predictions(found) if found.is_file() else None
    return params, MetricInputs(pool, predictions, (read_views(views) or None) if views.is_file() else None)


def repair_to_try(params: Params, source: MetricFile, wanted: str | None) -> SandboxedRepair:
    """The repair of a person's file, to run in the sandbox. Errors: RepairError where none or several are declared."""
    limits = Limits.of(params.sandbox)
    specs = declared_repairs(repair_sandbox(limits), source)
    if wanted and wanted not in specs:
        raise RepairError(f"{source.filename} declares no repair {wanted!r}; it declares: {', '.join(specs) or 'none'}")
    if not wanted and len(specs) != 1:
        what = f"several repairs ({', '.join(specs)}): name one with --repair" if specs else "no repair: use @repair()"
        raise RepairError(f"{source.filename} declares {what}")
    return SandboxedRepair(source, specs[wanted or next(iter(specs))], limits)


def catalogue_repair(name: str) -> InProcessRepair:
    """A repair of the catalogue. Errors: RepairError with the names there are."""
    known = repair_catalogue()
    if name not in known:
        hint = did_you_mean(name, known, f"it has {', '.join(sorted(known))}; a file with one of your own ends in .py")
        raise RepairError(f"no repair {name!r} in the catalogue; {hint}")
    return InProcessRepair(known[name])


def check_repair(repair: SandboxedRepair, params: Params, inputs: MetricInputs) -> RepairGateResult:
    """Check the repair of a person's file by the rules of the gate, on two dozen images."""
    _, frames = probe_frames(inputs.pool, inputs.predictions)
    slowest = patience(params, len(inputs.pool))
    walls = repair_sandbox(repair.limits)
    return pass_repair_gate(walls, repair.source, repair.spec.name, frames, catalogue_edits(frames), slowest)


def quality_of(
    folder: Path,
    repair: Opened,
    params: Params,
    inputs: MetricInputs,
    least_confidence: float,
    kinds: Collection[str] = KINDS,
) -> dict[str, Any]:
    """What `measure_repair` finds for the whole pool, with "repair", "images", "labels" and "failed" images.

    The truth is that of mistakes made on purpose. Errors: MendError for a repair that fails on too many images.
    """
    columns = mend_pool(inputs, repair, max_failures=params.score.max_failures)
    edits = pa.table({name: pa.array(columns[name], type=EDITS.field(name).type) for name in EDITS.names}, EDITS)
    truth = None
    if (folder / layout.TRUTH).is_file() and params.data.corrupt.preset != "none":
        truth = without_crowds(read_table(folder / layout.TRUTH, TRUTH), inputs.pool)
    return {
        "repair": repair.spec.name,
        "images": len(inputs.pool),
        "labels": len(inputs.pool.boxes),
        "failed": int(np.isnan(column(edits, "confidence")).sum()),
        **measure_repair(inputs.pool, edits, least_confidence, truth, inputs.predictions, kinds),
    }
