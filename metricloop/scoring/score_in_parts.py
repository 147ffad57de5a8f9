"""One pass over the pictures of a pool: parts of limited size, scored where the study's engine runs them.

A picture is decoded at most once, only if a metric needs its pixels, and no larger than the metrics need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.data import door
from metricloop.execution.engine import DiedError, Done, Engine, Work
from metricloop.metrics.contract import MetricResult, Spec
from metricloop.scoring.batch import Batch
from metricloop.scoring.metric_inputs import MetricInputs, UnreadFrame, read_frame, unread_frame

CHUNK, CHUNK_PIXELS = 32, 32_000_000  # images and pixels of one part; this limits the memory of a worker


@dataclass(frozen=True)
class PartScores:
    """The scores of one metric for one part of the pool. scores: (k,), image after image; errors: by image row."""

    spec: Spec
    scores: np.ndarray
    errors: dict[int, str]


def side_of(specs: Sequence[Spec]) -> int | None:
    """The long side at which a batch needs pixels; None is the full size."""
    sides = [spec.side for spec in specs if "image" in spec.needs]
    return None if None in sides or not sides else max(side for side in sides if side is not None)


@dataclass(frozen=True)
class Turn:
    """What is scored at once: the images of one part, by row, and the metrics that are asked."""

    rows: list[int]
    tasks: list[UnreadFrame]
    specs: list[Spec]


def score_in_parts(
    inputs: MetricInputs,
    rows: np.ndarray,
    batch: Batch,
    wanted: dict[str, np.ndarray],
    given_up: set[str],
    jobs: int,
    engine: Engine,
) -> Iterator[tuple[list[int], list[PartScores]]]:
    """Score the pool part by part, as parts finish: yields image rows, and the scores of the metrics that need one.

    wanted: by metric, (n,) bool, the image rows to score. given_up: names of metrics that are not scored any further;
    the caller adds to it. jobs: worker processes on this machine; 0 is one per core.
    When the process of a part is ended twice, its images are scored one by one, and the one to blame gets an error.
    """
    from joblib import cpu_count

    specs = [spec for spec in batch.specs if spec.name in wanted]
    ended: list[Turn] = []

    def turns(parts: Iterable[list[int]]) -> Iterator[Turn]:
        for part in parts:
            asked = [spec for spec in specs if spec.name not in given_up and wanted[spec.name][part].any()]
            yield Turn(part, [unread_frame(inputs, row) for row in part], asked)

    def name_of(turn: Turn) -> str:
        first = str(inputs.pool.file[turn.rows[0]])
        return first if len(turn.rows) == 1 else f"{first} and {len(turn.rows) - 1} more images"

    work = Work(score_part, (batch, side_of(batch.specs)), name_of, jobs or cpu_count())
    for done in engine.run(work, turns(_parts(inputs, rows))):
        if isinstance(done.error, DiedError) and len(done.item.rows) > 1:
            ended.append(done.item)
        else:
            yield done.item.rows, _portions(done, inputs)
    for done in engine.run(work, turns([row] for turn in ended for row in turn.rows)):
        yield done.item.rows, _portions(done, inputs)


def _portions(done: Done[Turn, list[PartScores]], inputs: MetricInputs) -> list[PartScores]:
    """The scores of a turn; those of an image whose process was ended are nan, and the error says so."""
    if done.result is not None:
        return done.result
    if not isinstance(done.error, DiedError):
        raise done.error or RuntimeError("neither scores nor an error")
    (row,), error = done.item.rows, str(done.error)
    sizes = [int(inputs.pool.counts[row]) if spec.level == "object" else 1 for spec in done.item.specs]
    return [
        PartScores(spec, np.full(size, np.nan), {row: error}) for spec, size in zip(done.item.specs, sizes, strict=True)
    ]


def _parts(inputs: MetricInputs, rows: np.ndarray) -> Iterator[list[int]]:
    pool, part, pixels = inputs.pool, list[int](), 0
    for row in rows.tolist():
        size = int(pool.width[row]) * int(pool.height[row])
        if part and (len(part) == CHUNK or pixels + size > CHUNK_PIXELS):
            yield part
            part, pixels = [], 0
        part.append(row)
        pixels += size
    if part:
        yield part


def score_part(turn: Turn, shared: tuple[Batch, int | None]) -> list[PartScores]:
    """Score the images of one part. An image that cannot be read fails for the metrics that need its file.

    shared: the batch, and the long side at which it needs pixels.
    """
    (batch, side), tasks, specs = shared, turn.tasks, turn.specs
    pixels = [spec for spec in specs if "image" in spec.needs]
    sized = any("file_size" in spec.needs for spec in specs)
    if pixels or sized:
        door.bring((task.path, task.sha256) for task in tasks)
    read = [read_frame(task, any(_applies(spec, task) for spec in pixels), side, sized) for task in tasks]
    results = batch.run(specs, [frame for frame, _ in read]) if specs else []
    portions = []
    for spec, of_frames in zip(specs, results, strict=True):
        for place, (_, unreadable) in enumerate(read):
            if unreadable and {"image", "file_size"} & set(spec.needs) and _applies(spec, tasks[place]):
                of_frames[place] = MetricResult(np.full_like(of_frames[place].scores, np.nan), unreadable)
        scores = np.concatenate([result.scores for result in of_frames])
        errors = {row: result.error for row, result in zip(turn.rows, of_frames, strict=True) if result.error}
        portions.append(PartScores(spec, scores, errors))
    return portions


def _applies(spec: Spec, task: UnreadFrame) -> bool:
    """An object-level metric is not called for an image without boxes."""
    return spec.level == "image" or len(task.frame.boxes) > 0
