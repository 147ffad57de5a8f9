"""The frames on which a new metric is tried, and the scores of known metrics on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.scoring.scores import Scores, read_scores

PROBE_FRAMES = 24  # frames; a metric that takes 2 ms per frame passes the gate in about a second


def probe_frames(
    pool: Dataset, predictions: Mapping[int, Detections] | None, count: int = PROBE_FRAMES
) -> tuple[list[int], list[Frame]]:
    """Choose frames evenly from the image with the fewest boxes to that with the most; returns pool rows and frames.

    The frames hold their pixels. A picture that cannot be read is left out.
    """
    return read_rows(pool, predictions, crowding_rows(pool, count), pixels=True)


def crowding_rows(pool: Dataset, count: int) -> list[int]:
    """Up to `count` pool rows, evenly from the image with the fewest boxes to that with the most."""
    ranked = np.lexsort((pool.image_id, pool.counts))
    return ranked[np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int))].tolist()


def read_rows(
    pool: Dataset, predictions: Mapping[int, Detections] | None, rows: Sequence[int], pixels: bool
) -> tuple[list[int], list[Frame]]:
    """The frames of these pool rows, without those whose picture cannot be read."""
    inputs = MetricInputs(pool, predictions)
    read = [(row, *read_frame(unread_frame(inputs, row), pixels=pixels)) for row in rows]
    found = [(row, frame) for row, frame, unreadable in read if not unreadable]
    return [row for row, _ in found], [frame for _, frame in found]


def wider_frames(
    folder: Path,
    pool: Dataset,
    predictions: Mapping[int, Detections] | None,
    files: Mapping[str, str],
    most: int,
    pixels: bool,
) -> Iterator[tuple[list[Frame], dict[str, list[np.ndarray]]]]:
    """Up to `most` frames, and the scores of known metrics on them. files: of scores, by metric.

    Frames with pixels come in parts of PROBE_FRAMES, so that few are in memory; without pixels, all at once.
    """
    scores = {metric: read_scores(folder / file, pool) for metric, file in files.items()}
    rows = crowding_rows(pool, most)
    size = PROBE_FRAMES if pixels else len(rows)
    for start in range(0, len(rows), max(size, 1)):
        part, frames = read_rows(pool, predictions, rows[start : start + size], pixels)
        yield frames, {metric: _of_rows(found, part) for metric, found in scores.items()}


def _of_rows(scores: Scores, rows: Sequence[int]) -> list[np.ndarray]:
    return [scores.value[scores.row == row] for row in rows]


def scores_so_far(folder: Path, pool: Dataset, rows: Sequence[int]) -> dict[str, list[np.ndarray]]:
    """The scores of these pool rows by metric, from every table under scores/."""
    found = {}
    for file in sorted(folder.glob(layout.scores_file("*", "*"))):
        found[file.stem] = _of_rows(read_scores(file, pool), rows)
    return found
