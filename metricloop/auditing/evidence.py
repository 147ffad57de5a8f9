"""What the metrics say of the labels, and of errors planted among them: the two samples that are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metricloop.auditing.label_errors import Kind
from metricloop.auditing.planted import Planted, rounds
from metricloop.auditing.suspicion import MetricScores
from metricloop.data.boxes import areas
from metricloop.data.dataset import Dataset, part_of
from metricloop.data.frame import Detections
from metricloop.metrics.contract import spec_of
from metricloop.scoring.open_metrics import CATALOGUE, catalogue, open_batch
from metricloop.scoring.score_pool import score_pool

SEED = 0


@dataclass(frozen=True)
class Evidence:
    """The scores of one kind's metrics, and what makes an object hard for models, whether its label is right or wrong.

    labels: (n, d) of the labels as they are, or of the images; planted: (k, d) of errors planted in the pool. nan: no
    score. label_image, planted_image: (n,) and (k,) image ids. held_out: (n,) bool, not of the pool. circumstances: how
    many of the last columns are no evidence of their own, such as the size of a box, and only say what to compare a
    label with.
    """

    labels: np.ndarray
    planted: np.ndarray
    label_image: np.ndarray
    planted_image: np.ndarray
    held_out: np.ndarray
    circumstances: int


def gather(
    kind: Kind,
    data: Dataset,
    scores: Mapping[str, MetricScores],
    predictions: Mapping[int, Detections] | None,
    *,
    jobs: int = 1,
) -> Evidence:
    """Plant errors of a kind in the pool and score them. scores: of the labels as they are. jobs: see `score_pool`."""
    names = [name for name in kind.witnesses(scores) if name in scores]
    boxed = kind.unit == "box"
    about = circumstances(kind, data)
    own = np.column_stack([*(scores[name].values for name in names), *about])
    parts, images = [own[:0]], [np.zeros(0, np.int64)]
    for made in rounds(part_of(data, np.flatnonzero(data.split == "pool"))[0], kind, SEED):
        values = rescored(made, names, predictions, jobs)
        row = made.data.box_row[made.at] if boxed else made.at
        parts.append(np.column_stack([values, *(column[made.at] for column in circumstances(kind, made.data))]))
        images.append(made.data.image_id[row])
    row = data.box_row if boxed else np.arange(len(data))
    return Evidence(
        own,
        np.concatenate(parts),
        data.image_id[row],
        np.concatenate(images),
        data.split[row] != "pool",
        len(about),
    )


def rescored(
    made: Planted, names: Sequence[str], predictions: Mapping[int, Detections] | None, jobs: int = 1
) -> np.ndarray:
    """The scores of the planted errors, (k, metrics). Metrics that read pixels are asked about these boxes only."""
    known = catalogue()
    pixels = [name for name in names if "image" in spec_of(known[name]).needs]
    columns: dict[str, np.ndarray] = {}
    for wanted, data, at in (
        ([name for name in names if name not in pixels], made.data, made.at),
        (pixels, _only(made.data, made.at) if pixels else made.data, np.arange(len(made.at))),
    ):
        if wanted:
            failed: dict[str, str] = {}
            tables = score_pool(
                data, open_batch(CATALOGUE[0], wanted), predictions, jobs=jobs, give_up=failed.__setitem__
            )
            columns |= {name: np.asarray(tables[name]["score"], float)[at] for name in wanted}
    return np.stack([columns[name] for name in names], axis=1)


def _only(data: Dataset, boxes: np.ndarray) -> Dataset:
    """The data set with these boxes alone."""
    return replace(
        data,
        **{name: getattr(data, name)[boxes] for name in ("box_id", "boxes", "labels", "crowd")},
        offsets=np.searchsorted(data.box_row[boxes], np.arange(len(data) + 1)),
    )


def circumstances(kind: Kind, data: Dataset) -> list[np.ndarray]:
    """What makes objects hard: small boxes, and other objects about, where the kind of error leaves their number."""
    if kind.unit != "box":
        return []
    others = np.log1p(data.counts[data.box_row] - 1.0)
    return [sizes(data), others] if kind.name in ("placed", "class") else [sizes(data)]


def sizes(data: Dataset) -> np.ndarray:
    """The logarithm of each box's side as a share of its image's, (m,)."""
    return np.log(areas(data.boxes).clip(1) / (data.width * data.height)[data.box_row].clip(1)) / 2
