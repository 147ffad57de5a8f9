"""One pass over the pictures of a pool: parts of limited size, scored in worker processes, returned in order.

A picture is decoded at most once, only if a metric needs its pixels, and no larger than the metrics need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.metrics.contract import MetricResult, Spec
from metricloop.runtime.stage_start import die_with_parent
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


def score_in_parts(
    inputs: MetricInputs,
    rows: np.ndarray,
    batch: Batch,
    wanted: dict[str, np.ndarray],
    given_up: set[str],
    jobs: int,
) -> Iterator[tuple[list[int], list[PartScores]]]:
    """Score the pool part by part: yields image rows, and the scores of the metrics that need one of them.

    wanted: by metric, (n,) bool, the image rows to score. given_up: names of metrics that are not scored any further;
    the caller adds to it. jobs: worker processes; 0 is one per core.
    """
    specs = [spec for spec in batch.specs if spec.name in wanted]
    side = side_of(batch.specs)

    def turns() -> Iterator[tuple[list[int], list[UnreadFrame], Batch, list[Spec], int | None]]:
        for part in _parts(inputs, rows):
            asked = [spec for spec in specs if spec.name not in given_up and wanted[spec.name][part].any()]
            yield part, [unread_frame(inputs, row) for row in part], batch, asked, side

    if jobs == 1:
        yield from (_score_part(*turn) for turn in turns())
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs or -1, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1)
    yield from parallel(delayed(_in_worker)(*turn) for turn in turns())


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


def _in_worker(*turn) -> tuple[list[int], list[PartScores]]:
    import cv2

    die_with_parent()
    cv2.setNumThreads(1)  # one thread per process: the processes already use all cores
    return _score_part(*turn)


def _score_part(
    rows: list[int], tasks: Sequence[UnreadFrame], batch: Batch, specs: Sequence[Spec], side: int | None
) -> tuple[list[int], list[PartScores]]:
    """Score the images of one part. An image that cannot be read fails for the metrics that need its file."""
    pixels = [spec for spec in specs if "image" in spec.needs]
    sized = any("file_size" in spec.needs for spec in specs)
    read = [read_frame(task, any(_applies(spec, task) for spec in pixels), side, sized) for task in tasks]
    results = batch.run(specs, [frame for frame, _ in read]) if specs else []
    portions = []
    for spec, of_frames in zip(specs, results, strict=True):
        for place, (_, unreadable) in enumerate(read):
            if unreadable and {"image", "file_size"} & set(spec.needs) and _applies(spec, tasks[place]):
                of_frames[place] = MetricResult(np.full_like(of_frames[place].scores, np.nan), unreadable)
        scores = np.concatenate([result.scores for result in of_frames])
        errors = {row: result.error for row, result in zip(rows, of_frames, strict=True) if result.error}
        portions.append(PartScores(spec, scores, errors))
    return rows, portions


def _applies(spec: Spec, task: UnreadFrame) -> bool:
    """An object-level metric is not called for an image without boxes."""
    return spec.level == "image" or len(task.frame.boxes) > 0
