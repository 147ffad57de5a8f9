"""How well each metric, and the audit's own ranking, finds the mistakes that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metricloop.auditing.label_errors import ANY, KINDS, Kind
from metricloop.auditing.ranking_quality import auroc, average_precision, percentiles, recall_at
from metricloop.auditing.suspicion import MetricScores, any_suspicion
from metricloop.auditing.truth import Truth
from metricloop.data.dataset import Dataset

FALSE_POSITIVES = 0.1  # share of the right labels raised as false alarms, at which recall is measured
COMBINED = "all together"  # name of the audit's own ranking among the metrics
USEFUL = 0.6  # AUROC from which a metric is shown without being asked for
LEVELS = {"box": "object", "image": "image"}  # unit of a kind -> level of the metrics that can judge it


def measure(
    pool: Dataset,
    truth: Truth,
    kinds: Sequence[Kind],
    scores: Mapping[str, MetricScores],
    by_kind: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """One row per kind of error and metric of its unit: AUROC, average precision, recall at FALSE_POSITIVES, and the
    share of cases without a score. The audit's own ranking comes first. Kinds without a single mistake have no rows.

    A box is right when it has no mistake; boxes with other mistakes are left out. An image is right when every object
    in it has a label, even if those labels are wrong in other ways. What the truth does not judge is left out.
    """
    rows = []
    boxed = {kind.name: by_kind[kind.name] for kind in kinds if kind.unit == "box"}
    places = {name: percentiles(it.values, it.spec.higher_is) for name, it in scores.items()}
    for kind in (*KINDS, ANY):
        asked, wrong = _cases(kind, truth)
        if not wrong[asked].any() or wrong[asked].all():
            continue
        combined = any_suspicion(pool, scores, boxed) if kind is ANY else by_kind.get(kind.name)
        ranked = {} if combined is None else {COMBINED: ("", combined, 0.0)}
        for name, it in scores.items():
            if it.spec.level == LEVELS[kind.unit]:
                unknown = float(np.isnan(it.values[asked]).mean())
                ranked[name] = (it.family, places[name], unknown)
        found = [
            {
                "kind": kind.name,
                "metric": name,
                "family": family,
                "auroc": auroc(suspicion[asked], wrong[asked]),
                "average_precision": average_precision(suspicion[asked], wrong[asked]),
                "recall": recall_at(suspicion[asked], wrong[asked], FALSE_POSITIVES),
                "unknown": unknown,
                "wrong": int(wrong[asked].sum()),
                "right": int((~wrong[asked]).sum()),
            }
            for name, (family, suspicion, unknown) in ranked.items()
        ]
        rows += sorted(
            found, key=lambda row: (row["metric"] != COMBINED, -float(row["auroc"] or 0), str(row["metric"]))
        )
    return rows


def _cases(kind: Kind, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes or images are measured, and which of all of them are wrong: two bool arrays, (m,) or (n,)."""
    if kind.unit == "image":
        return truth.judged, truth.unlabelled
    right = truth.boxes == "none"
    wrong = truth.wrong if kind is ANY else np.isin(truth.boxes, kind.mistakes)
    return right | wrong, wrong
