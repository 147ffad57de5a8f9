"""The findings of an audit: per kind of error a list as long as the evidence, and what it is expected to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.auditing.calibrate import FEWEST, TOO_POOR, Calibration, calibrate
from metricloop.auditing.evidence import gather
from metricloop.auditing.expected import Expected
from metricloop.auditing.label_errors import Kind
from metricloop.auditing.suspects import Suspect, suspects
from metricloop.auditing.suspicion import MetricScores, suspicion
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.study.judged import Right
from metricloop.text.numbers import count, percent

LEAST = 0.5  # probability from which on a finding is listed: more likely wrong than right
NOTHING = "no error of this kind stands out"


@dataclass(frozen=True)
class Findings:
    """suspects: by kind, without their place in the order of all. expected: by kind."""

    suspects: dict[str, list[Suspect]]
    expected: dict[str, Expected]


def findings(
    kinds: Sequence[Kind],
    data: Dataset,
    scores: Mapping[str, MetricScores],
    predictions: Mapping[int, Detections] | None,
    *,
    most: int,
    least: float = LEAST,
    right: Right | None = None,
    jobs: int = 1,
) -> Findings:
    """What is probably wrong with the labels of `data`. scores: of its labels. most, least, right: as in `suspects`."""
    by_kind = {kind.name: suspicion(kind, data, scores) for kind in kinds}
    known = {kind.name: calibrate(gather(kind, data, scores, predictions, jobs=jobs)) for kind in kinds}
    sure = {name: one.probability for name, one in known.items() if one and one.told_apart >= TOO_POOR}
    found = suspects(kinds, by_kind, data, predictions, most, sure, least, right)
    return Findings(
        found, {kind.name: expected(kind, known[kind.name], found[kind.name], by_kind, predictions) for kind in kinds}
    )


def expected(
    kind: Kind,
    one: Calibration | None,
    listed: Sequence[Suspect],
    by_kind: Mapping[str, np.ndarray],
    predictions: Mapping[int, Detections] | None,
) -> Expected:
    """What is to be expected of the list of a kind, and why it is empty."""
    of = len(by_kind[kind.name])
    if one is None:
        few = count(of, "label") if kind.unit == "box" else count(of, "image")
        return Expected(silent=f"too few to tell wrong labels from right ones: {few}, and it takes {FEWEST}")
    if one.told_apart < TOO_POOR:
        who = "labels and pixels tell" if predictions is None else "the out-of-fold model tells"
        cure = "an audit with training may tell more" if predictions is None else "more predict.iterations may help"
        return Expected(
            silent=f"{who} too little: an error put in on purpose looks worse than a right label in "
            f"{percent(one.told_apart)} of all pairs, and it takes {percent(TOO_POOR)}; {cure}"
        )
    known = [suspect.probability for suspect in listed if suspect.probability is not None]
    wrong = one.share * of
    why = NOTHING if wrong < 1 else f"some {wrong:.0f} may be wrong, but no single one is likely enough to be listed"
    return Expected(round(wrong, 1), round(float(np.mean(known)), 3) if known else None, None if listed else why)
