"""How suspicious each label is: the percentiles of several metrics in one number, for one kind of error or for any."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from metricloop.auditing.label_errors import ANY, Kind
from metricloop.auditing.ranking_quality import percentiles
from metricloop.data.dataset import Dataset
from metricloop.metrics.contract import Metric, Spec, spec_of
from metricloop.metrics.families import FAMILIES, place_of

SLOW = ("grabcut_tightness",)  # about 0.1 s a box, and no kind of error is judged by it
DISPUTED = 0.95  # lowest suspicion of a box for which the model prefers another class


@dataclass(frozen=True)
class MetricScores:
    """One metric's scores of the pool. family: its module in the catalogue; values: one per image (n,) or box (m,)."""

    spec: Spec
    family: str
    values: np.ndarray


def label_metrics(known: Mapping[str, Metric], have: Collection[str]) -> list[str]:
    """Names of the catalogue's metrics about labels that need nothing beyond `have`, sorted by family, then by name."""
    families = {name: function.__module__.rpartition(".")[2] for name, function in known.items()}
    about_labels = {name for name, family in FAMILIES.items() if family.about_labels}
    return sorted(
        (
            name
            for name, function in known.items()
            if families[name] in about_labels and name not in SLOW and set(spec_of(function).needs) <= set(have)
        ),
        key=lambda name: (place_of(families[name]), name),
    )


def suspicion(kind: Kind, pool: Dataset, scores: Mapping[str, MetricScores]) -> np.ndarray:
    """How suspicious each box (m,), or image (n,), is of one kind of error: 0 to 1, higher is more suspicious."""
    judges = [(scores[name], weight) for name, weight in kind.judges_with_scores(scores)]
    groups = pool.labels if kind.in_class else None
    total = sum(weight * percentiles(it.values, it.spec.higher_is, groups) for it, weight in judges)
    return np.asarray(total / sum(weight for _, weight in judges))


def any_suspicion(pool: Dataset, scores: Mapping[str, MetricScores], by_kind: Mapping[str, np.ndarray]) -> np.ndarray:
    """How suspicious each box is of any error: (m,), 0 to 1, higher is more suspicious.

    With a model: the suspicion of the kind ANY, and at least DISPUTED where the model prefers another class. Without
    one: the highest percentile over the kinds that were judged. by_kind: the suspicion of the boxes for each kind.
    """
    if not ANY.judges_with_scores(scores):
        ranked = [percentiles(values, "worse") for values in by_kind.values()]
        return np.max(ranked, axis=0) if ranked else np.full(len(pool.boxes), 0.5)
    result = suspicion(ANY, pool, scores)
    if "class" in by_kind and "class_margin" in scores:
        disputed = scores["class_margin"].values < 0
        result = np.where(disputed, np.maximum(result, DISPUTED + (1 - DISPUTED) * by_kind["class"]), result)
    return result
