"""The findings of an audit: per kind of error a list as long as the evidence, and what it is expected to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from metricloop.auditing.calibrate import FEWEST, TOO_POOR, Calibration, calibrate
from metricloop.auditing.evidence import gather
from metricloop.auditing.expected import Expected
from metricloop.auditing.label_errors import Kind
from metricloop.auditing.planted import RIGHT
from metricloop.auditing.suspects import LEAST, Suspect, suspects
from metricloop.auditing.suspicion import MetricScores, suspicion
from metricloop.auditing.worth import in_order
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.study.judged import Right
from metricloop.text.numbers import count, percent

WELL_PLACED = 0.2  # of the labels must have a box of the model that fits, or right ones look badly placed, too
LONGER = "a model that trains longer may help"
A_LOOK = 3  # labels that are named where nothing is listed: a minute's work
NOTHING = "no error of this kind stands out"


@dataclass(frozen=True)
class Findings:
    """suspects: by kind, without their place in the order of all. expected: by kind. first: where nothing is listed,
    the most suspicious entries whatever the evidence, at most A_LOOK, in the order of all kinds.
    """

    suspects: dict[str, list[Suspect]]
    expected: dict[str, Expected]
    first: list[Suspect] = field(default_factory=list)


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
    silent = {kind.name: too_poor(kind, known[kind.name], data, predictions) for kind in kinds}
    sure = {name: one.probability for name, one in known.items() if one and silent[name] is None}
    found = suspects(kinds, by_kind, data, predictions, most, sure, least, right)
    return Findings(
        found,
        {
            kind.name: expected(known[kind.name], found[kind.name], by_kind[kind.name], silent[kind.name])
            for kind in kinds
        },
        [] if any(found.values()) else _first(suspects(kinds, by_kind, data, predictions, A_LOOK, sure, 0.0, right)),
    )


def _first(found: Mapping[str, Sequence[Suspect]]) -> list[Suspect]:
    return sorted((one for own in in_order(found).values() for one in own), key=lambda one: one.order)[:A_LOOK]


def too_poor(
    kind: Kind, one: Calibration | None, data: Dataset, predictions: Mapping[int, Detections] | None
) -> str | None:
    """Why nothing can be said of one kind of error; None where something can."""
    if one is None:
        few = count(len(data.boxes), "label") if kind.unit == "box" else count(len(data), "image")
        return f"too few to tell wrong labels from right ones: {few}, and it takes {FEWEST}"
    if one.told_apart < TOO_POOR:
        who = "labels and pixels tell" if predictions is None else "the out-of-fold model tells"
        cure = "an audit with training may tell more" if predictions is None else LONGER
        return (
            f"{who} too little: an error put in on purpose looks worse than a right label in "
            f"{_down(one.told_apart)} of all pairs, and it takes {percent(TOO_POOR)}; {cure}"
        )
    fitting = 1.0 if kind.name != "placed" or predictions is None else well_placed(data, predictions)
    if fitting < WELL_PLACED:
        return (
            f"the out-of-fold model places its boxes too badly: {_down(fitting)} of the labels have one that fits (IoU "
            f"{RIGHT}), and it takes {percent(WELL_PLACED)}; {LONGER}"
        )
    return None


def well_placed(data: Dataset, predictions: Mapping[int, Detections]) -> float:
    """The share of the pool's labels on which the model puts a box with an IoU of at least RIGHT, 0 to 1.

    Two careful people agree about as well. The model's box for a label is the one with the highest score * IoU. Most
    labels are right, so where this share is small the model is poor, and its boxes cannot show that a label is badly
    placed.
    """
    fitting, labels = 0, 0
    for row in np.flatnonzero((data.split == "pool") & (data.counts > 0)).tolist():
        labels += int(data.counts[row])
        found = predictions.get(int(data.image_id[row]))
        if found is not None and len(found.scores):
            overlap = iou(data.boxes[data.slice(row)], found.boxes)
            own = (overlap * found.scores).argmax(axis=1)
            fitting += int((overlap[np.arange(len(own)), own] >= RIGHT).sum())
    return fitting / labels if labels else 0.0


def _down(share: float) -> str:
    """A percentage, rounded down, so that a share below a limit does not look equal to the limit."""
    return percent(int(100 * share) / 100)


def expected(one: Calibration | None, listed: Sequence[Suspect], judged: np.ndarray, silent: str | None) -> Expected:
    """How many labels are probably wrong, for one kind of error; if none of them is listed, also the reason.

    judged: one value per label or image that was judged; only their number counts.
    """
    if one is None or silent is not None:
        return Expected(silent=silent)
    known = [suspect.told for suspect in listed if suspect.told is not None]
    wrong = one.share * len(judged)
    why = NOTHING if wrong < 1 else f"some {wrong:.0f} may be wrong, but no single one is likely enough to be listed"
    return Expected(round(wrong, 1), round(float(np.mean(known)), 3) if known else None, None if listed else why)
