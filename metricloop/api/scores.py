"""Score a data set with metrics: one score per image, or per box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from metricloop.api.data import Data, InputError, known_name, objects_of
from metricloop.api.predictions import Predictions, detections_of
from metricloop.data.embeddings import Embeddings, embeddings_of
from metricloop.data.tables import SCORES
from metricloop.metrics.contract import Level, spec_of
from metricloop.params import nearest
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.open_metrics import catalogue
from metricloop.scoring.score_pool import score_pool

Metric: TypeAlias = str | Callable[..., Any]


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """The scores of one metric on a data set. `len(score)` is their number.

    level: "image" (one score per image) or "object" (one per box).
    higher_is: "better" or "worse", as the metric declares it; None where a study does not say.
    table: one row per score, in the order of `data`: image_id, file, box_id (missing for images), score (nan where the
        metric cannot say), error (why it failed there, or missing).
    """

    name: str
    level: Level
    higher_is: Literal["better", "worse"] | None
    data: Data
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        unit = "boxes" if self.level == "object" else "images"
        direction = f"higher is {self.higher_is}" if self.higher_is else "direction unknown"
        return f"Score({self.name}: {len(self)} {unit}, {direction})"

    @property
    def values(self) -> pd.Series:
        """The scores as a series, by image_id or by box_id."""
        key = "box_id" if self.level == "object" else "image_id"
        return pd.Series(
            self.table["score"].to_numpy(), index=pd.Index(self.table[key].astype(int), name=key), name=self.name
        )


class Scores(Mapping[str, Score]):
    """The scores of several metrics by name: `scores["sharpness"]` is a `Score`."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self._scores = {score.name: score for score in scores}

    def __getitem__(self, name: str) -> Score:
        if name not in self._scores:
            raise KeyError(f"no scores of {name!r}{nearest(str(name), list(self._scores))}")
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __repr__(self) -> str:
        return f"Scores({', '.join(self)})"

    @property
    def images(self) -> pd.DataFrame:
        """One row per image, by image_id, and one column per metric that scores images."""
        return pd.DataFrame({name: score.values for name, score in self.items() if score.level == "image"})

    @property
    def boxes(self) -> pd.DataFrame:
        """One row per box, by box_id, and one column per metric that scores boxes."""
        return pd.DataFrame({name: score.values for name, score in self.items() if score.level == "object"})


def score(
    data: Data,
    metrics: Metric | Sequence[Metric],
    *,
    predictions: Predictions | None = None,
    embeddings: Embeddings | np.ndarray | None = None,
    jobs: int = 1,
    max_failures: float = 0.2,
) -> Scores:
    """Score every image, or every box, of a data set with one or several metrics. Crowd regions get no score.

    metrics: names out of the catalogue (docs/metrics.md describes each), or your own functions with `@ml.metric`. They
        run in this process, so give it only code that you trust.
    predictions: what a detector found, for metrics that compare it with the labels; it should not have been trained on
        these images. A table with a row per detection (file or image_id, x1, y1, x2, y2, score, label), or
        {file or image_id: Detections}. An image without a row counts as one where nothing was found.
    embeddings: (n, d) one vector per image, in the order of `data.images`, for metrics that need them.
    jobs: worker processes for metrics that read pixels; 0 is one per core.
    max_failures: share of the images on which a metric may fail before this ends with an error.
    Errors: InputError for an unknown metric or for something that a metric needs and that is not given; ScoreError
        where a metric fails too often.

    >>> @ml.metric(level="image")
    ... def boxes(frame: ml.Frame) -> float:
    ...     return float(len(frame.boxes))
    >>> scores = ml.score(data, ["covered_area", "object_area", boxes])
    >>> scores["boxes"]
    Score(boxes: 12 images, higher is better)
    >>> scores.images.round(2).head(2)
              covered_area  boxes
    image_id
    1                 0.19    2.0
    3                 0.10    1.0
    >>> len(scores["object_area"].values)
    23
    """
    functions = _functions(metrics)
    specs = [spec_of(function) for function in functions]
    given = {"predictions": predictions, "embedding": embeddings}
    for spec in specs:
        for need in spec.needs:
            if need == "views":
                raise InputError(f"{spec.name} needs views of a detector, which only a study makes")
            if need in given and given[need] is None:
                argument = "embeddings" if need == "embedding" else need
                raise InputError(f"{spec.name} needs {argument}; pass {argument}=...")
    vectors = None if embeddings is None else vectors_of(embeddings, data)
    columns = score_pool(
        objects_of(data),
        InProcessBatch(tuple(functions), "trusted"),
        None if predictions is None else detections_of(predictions, data),
        embeddings=vectors,
        jobs=jobs,
        max_failures=max_failures,
    )
    return Scores(
        [Score(spec.name, spec.level, spec.higher_is, data, score_table(columns[spec.name], data)) for spec in specs]
    )


def vectors_of(embeddings: Embeddings | np.ndarray, data: Data) -> Embeddings:
    """The embeddings of the images of `data`. Errors: InputError unless there is one vector per image."""
    vectors = embeddings.pool.images if isinstance(embeddings, Embeddings) else np.asarray(embeddings)
    if vectors.ndim != 2 or len(vectors) != len(data):
        wanted = f"({len(data)}, d)"
        raise InputError(f"embeddings have the shape {vectors.shape}; it must be {wanted}, in the order of data.images")
    return embeddings if isinstance(embeddings, Embeddings) else embeddings_of(vectors)


def score_table(columns: Mapping[str, Any], data: Data) -> pd.DataFrame:
    """The columns of SCORES as the table of a `Score`."""
    table = pd.DataFrame(dict(columns)).astype({"box_id": "Int64"})
    files = dict(zip(data.arrays.image_id.tolist(), data.arrays.file.tolist(), strict=True))
    table.insert(1, "file", table["image_id"].map(files))
    return table


def score_rows(score: Score) -> pa.Table:
    """The table of a `Score` as SCORES rows."""
    return pa.Table.from_pandas(score.table[SCORES.names], SCORES, preserve_index=False)


def _functions(metrics: Metric | Sequence[Metric]) -> list[Callable[..., Any]]:
    asked = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)
    known = catalogue() if any(isinstance(metric, str) for metric in asked) else {}
    found = [known[known_name("metric", it, known)] if isinstance(it, str) else it for it in asked]
    names = [spec_of(function).name for function in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two metrics are named {', '.join(twice)}; rename one of them")
    return found
