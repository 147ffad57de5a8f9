"""Score every image or box of a pool with the metrics of a batch, in one pass.

Known scores (same code, same content) come from the store. When a metric fails on an image, its score is nan and the
error is recorded with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings
from metricloop.data.frame import Detections
from metricloop.execution.engine import Engine
from metricloop.execution.local import Local
from metricloop.metrics.contract import Spec
from metricloop.params import Params
from metricloop.scoring.batch import Batch
from metricloop.scoring.metric_inputs import MetricInputs
from metricloop.scoring.score_column import ScoreColumn
from metricloop.scoring.score_in_parts import CHUNK, PartScores, score_in_parts
from metricloop.scoring.score_store import KnownScores

SLACK = 3  # a metric may take this many times what the gate allows: some images take longer than others
MANY = 5_000  # from this many images on, worker processes are faster when no pixels are decoded


class ScoreError(RuntimeError):
    """A batch cannot be scored, or a metric failed on too many images."""


def score_pool(
    pool: Dataset,
    batch: Batch,
    predictions: Mapping[int, Detections] | None = None,
    *,
    views: Mapping[str, Mapping[int, Detections]] | None = None,
    embeddings: Embeddings | None = None,
    store: Path | None = None,
    jobs: int = 1,
    engine: Engine | None = None,
    max_failures: float = 0.2,
    progress: Callable[[int, int], None] = lambda done, images: None,
    give_up: Callable[[str, str], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Score a pool: columns of data.tables.SCORES by the metric's name, rows in the order of the pool.

    predictions: out of fold, by image id; an image without an entry has no detections. views: by name.
    store: a folder of known scores (scoring.score_store), read and extended.
    jobs: worker processes that decode and score (0: one per core); jobs=1 stays in this process.
    engine: where the parts of the pool are scored; None: on this machine.
    An object-level metric is not called for an image without boxes.
    give_up: called with name and reason of a metric that fails on more than the share `max_failures` of the images;
    the other metrics go on. Without it such a metric ends the batch.
    Errors: ScoreError when a metric needs an input that is None, or for such a metric; it names the first few images.
    """
    inputs = MetricInputs(pool, predictions, views, embeddings)
    _check_inputs(batch, inputs)
    columns = {spec.name: ScoreColumn.empty(spec, pool) for spec in batch.specs}
    _score_as_one(batch, inputs, columns, give_up)
    per_frame = {name: column for name, column in columns.items() if column.spec.scope == "frame"}
    if not per_frame:
        progress(len(pool), len(pool))
    else:
        known = KnownScores(store, batch, inputs) if store else None
        if known:
            known.fill(per_frame)
        try:
            _score_frames(batch, inputs, per_frame, jobs, engine or Local(), max_failures, progress, give_up)
        finally:  # keep what was computed when the rest fails or is stopped
            if known:
                known.keep(per_frame)
    return {name: column.columns(pool) for name, column in columns.items()}


def _check_inputs(batch: Batch, inputs: MetricInputs) -> None:
    needs = {need for spec in batch.specs for need in spec.needs}
    if "predictions" in needs and inputs.predictions is None:
        raise ScoreError(f"a metric needs predictions; give its batch `needs: {layout.PREDICTIONS}` in arms.yaml")
    if "views" in needs and not inputs.views:
        raise ScoreError(
            "a metric needs views: name them in params.yaml, for instance `predict: {views: [flip, seed]}`, "
            f"and give its batch `needs: {layout.VIEWS}` in arms.yaml"
        )
    if "embedding" in needs and inputs.embeddings is None:
        raise ScoreError(f"a metric needs embeddings; give its batch `needs: {layout.EMBEDDINGS}` in arms.yaml")


def _score_as_one(
    batch: Batch, inputs: MetricInputs, columns: dict[str, ScoreColumn], give_up: Callable[[str, str], None] | None
) -> None:
    """Run the metrics of scope "dataset", which get the whole pool."""
    specs = [spec for spec in batch.specs if spec.scope == "dataset"]
    if not specs:
        return
    for spec, (found,) in zip(specs, batch.run(specs, inputs.pool, inputs.embeddings), strict=True):
        columns[spec.name].scores[:] = found.scores
        columns[spec.name].done[:] = True
        if found.error:
            _end(spec.name, f"failed on the pool: {found.error}", give_up)


def _score_frames(
    batch: Batch,
    inputs: MetricInputs,
    columns: dict[str, ScoreColumn],
    jobs: int,
    engine: Engine,
    max_failures: float,
    progress: Callable[[int, int], None],
    give_up: Callable[[str, str], None] | None,
) -> None:
    """Run the metrics of scope "frame" on the images that one of them has not scored yet."""
    n, given_up = len(inputs.pool), set[str]()
    wanted = {name: ~column.done for name, column in columns.items()}
    rows = np.flatnonzero(np.any(list(wanted.values()), axis=0)) if n else np.zeros(0, int)
    done = n - len(rows)
    if not len(rows):
        progress(n, n)
        return
    decodes = any("image" in columns[name].spec.needs and wanted[name].any() for name in wanted)
    if len(rows) <= (CHUNK if decodes else MANY):
        jobs, engine = 1, Local()
    for part, portions in score_in_parts(inputs, rows, batch, wanted, given_up, jobs, engine):
        if not portions and len(given_up) == len(columns):
            break  # every metric was given up
        for portion in portions:
            columns[portion.spec.name].fill(part, portion.scores, portion.errors)
        done += len(part)
        progress(done, n)
        _give_up_hopeless(portions, columns, inputs.pool, given_up, max_failures, give_up)
    for column in columns.values():
        column.errors |= dict.fromkeys(np.flatnonzero(~column.done).tolist(), "given up after too many failures")


def _give_up_hopeless(
    portions: Sequence[PartScores],
    columns: dict[str, ScoreColumn],
    pool: Dataset,
    given_up: set[str],
    limit: float,
    give_up: Callable[[str, str], None] | None,
) -> None:
    for name in [portion.spec.name for portion in portions if portion.errors]:
        failed = columns[name].errors
        if name not in given_up and len(failed) > limit * len(pool):
            first = "\n".join(f"  {pool.file[row]}: {error}" for row, error in sorted(failed.items())[:3])
            _end(
                name,
                f"failed on {len(failed)} of the first {int(columns[name].done.sum())} images; "
                f"score.max_failures allows a share of {limit} of {len(pool)}. The first:\n{first}",
                give_up,
            )
            given_up.add(name)


def patience(params: Params, images: int) -> float:
    """Seconds per image that a metric may take on average: `sandbox.pool_seconds` for the pool, on all cores."""
    from joblib import effective_n_jobs

    return params.sandbox.pool_seconds * effective_n_jobs(params.score.jobs or -1) / max(images, 1)


def unopened(pool: Dataset, reason: str) -> dict[str, Any]:
    """The table of a metric that could not be opened: one row per image, each with the reason as its error."""
    column = ScoreColumn.empty(Spec("unopened", "image"), pool)
    column.errors = dict.fromkeys(range(len(pool)), reason)
    return column.columns(pool)


def _end(name: str, reason: str, give_up: Callable[[str, str], None] | None) -> None:
    if give_up is None:
        raise ScoreError(f"{name} {reason}")
    give_up(name, reason)
