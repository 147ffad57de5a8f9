"""audit: which labels of the pool look wrong, kind by kind, and how well each metric finds what is known to be wrong.

What was spoilt on purpose is read for this report alone: no metric, no prompt and no arm ever sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.audit.ranking_quality import auroc, average_precision, percentiles, recall_at
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.tables import column
from metricloop.evaluation.error_types import iou
from metricloop.metrics.contract import Metric, Spec, spec_of

FALSE_POSITIVES = 0.1  # share of the right labels raised in vain at which recall is told
FAMILIES = (
    "matching",
    "agreement",
    "mistakenness",
    "objectlab",
    "fit",
    "labels",
    "geometry",
    "integrity",
)  # modules that speak of labels
SLOW = ("grabcut_tightness",)  # some tenth of a second a box, and no judge
COMBINED = "all together"  # the row of the ranking that the list follows


class AuditError(ValueError):
    """There is nothing to audit; the message says why."""


@dataclass(frozen=True)
class Kind:
    """A kind of mistake: what it is called, what in the truth counts as it, and which metrics judge it.

    unit: what is right or wrong, a labelled box or an image. judges: metric and weight; its suspicion is the weighted
    mean of their percentiles, over those that could be computed. in_class: boxes are compared within their class.
    otherwise: the judges where the first of them, which takes predictions, could not be computed; seen: what is said of
    the kind then, in place of `about`.
    """

    name: str
    title: str
    about: str
    unit: str
    mistakes: tuple[str, ...]
    judges: tuple[tuple[str, float], ...]
    in_class: bool = False
    otherwise: tuple[tuple[str, float], ...] = ()
    seen: str = ""

    def heard(self, said: Collection[str]) -> tuple[tuple[str, float], ...]:
        """The judges that said something."""
        judges = self.judges if self.judges[0][0] in said else self.otherwise
        return tuple((name, weight) for name, weight in judges if name in said)


KINDS = (
    Kind(
        "spurious",
        "Probably no object here",
        "the model sees nothing where the label is",
        "box",
        ("spurious",),
        (("possible_spurious", 1.0), ("edge_support", 0.3), ("box_fit", 0.2)),
        in_class=True,
    ),
    Kind(
        "class",
        "Probably another class",
        "the model sees an object of another class there",
        "box",
        ("class",),
        (("class_margin", 1.0),),
        otherwise=(("size_outlier", 1.0),),
        seen="its size is unusual for its class",
    ),
    Kind(
        "placed",
        "Probably badly placed",
        "the model sees the object there, but not within these borders",
        "box",
        ("moved", "scaled"),
        (("location_doubt", 1.0), ("badly_located", 0.5), ("edge_support", 0.4), ("box_fit", 0.7)),
        in_class=True,
        otherwise=(("box_fit", 1.0), ("edge_support", 0.6)),
        seen="neither edges nor colours of the picture begin at its sides",
    ),
    Kind(
        "doubled",
        "Probably labelled twice",
        "another label of the class covers the same place",
        "box",
        ("doubled",),
        (("doubled", 0.85), ("exclusive_agreement", 0.15)),
    ),
    Kind(
        "missing",
        "Probably an object without a label",
        "the model sees an object that no label covers",
        "image",
        ("missing",),
        (("uncovered_prediction", 1.0), ("possible_missing", 1.0)),
    ),
)
ANY = Kind(
    "any",
    "Any disturbed box",
    "a box with any of these mistakes",
    "box",
    (),
    (("exclusive_agreement", 1.0), ("possible_spurious", 0.5), ("edge_support", 0.4), ("box_fit", 0.7)),
    in_class=True,
)
DISPUTED = 0.95  # the least suspicion of a box to which the model would rather give another class


@dataclass(frozen=True)
class Truth:
    """What was done to the pool's labels: the mistake of every box, "none" where it is right, (m,); whether an object
    of an image has no label, (n,) bool."""

    boxes: np.ndarray
    lacking: np.ndarray


@dataclass(frozen=True)
class Said:
    """What a metric says of the pool: its declaration, its family (module), and a score per image or box."""

    spec: Spec
    family: str
    values: np.ndarray


def audited(known: Mapping[str, Metric], have: Collection[str]) -> list[str]:
    """The metrics of the catalogue that speak of labels and need no more than `have`, by family and then by name."""
    families = {name: function.__module__.rpartition(".")[2] for name, function in known.items()}
    return sorted(
        (
            name
            for name, function in known.items()
            if families[name] in FAMILIES and name not in SLOW and set(spec_of(function).needs) <= set(have)
        ),
        key=lambda name: (FAMILIES.index(families[name]), name),
    )


def truth_of(pool: Dataset, table: pa.Table) -> Truth | None:
    """The truth in the order of the pool; None where nothing was spoilt on purpose. table: TRUTH rows."""
    mistakes, box_id = np.array(table["mistake"].to_pylist(), object), column(table, "box_id")
    known = {int(box): str(mistake) for box, mistake in zip(box_id, mistakes, strict=True) if box >= 0}
    if all(mistake in ("none", "None", "") for mistake in mistakes):
        return None
    return Truth(
        boxes=np.array([known.get(int(box), "none") for box in pool.box_id], object),
        lacking=np.isin(pool.image_id, column(table, "image_id")[mistakes == "missing"]),
    )


def possible(pool: Dataset, said: Mapping[str, Said]) -> tuple[list[Kind], list[str]]:
    """The kinds of mistake that can be judged here, and a line on each that cannot."""
    kinds, notes = [], []
    for kind in KINDS:
        if kind.name == "class" and len(pool.class_names) < 2:
            notes.append("Wrong classes: there is one class only.")
        elif not kind.heard(said):
            lacks = (
                "it takes predictions to tell, and there are none"
                if kind.name != "doubled"
                else "what judges it is not there"
            )
            notes.append(f"{kind.title}: {lacks}.")
        else:
            kinds.append(kind)
    return kinds, notes


def suspicion(kind: Kind, pool: Dataset, said: Mapping[str, Said]) -> np.ndarray:
    """How suspicious every box, or image, is of one kind of mistake: 0 to 1, (m,) or (n,)."""
    judges = [(said[name], weight) for name, weight in kind.heard(said)]
    groups = pool.labels if kind.in_class else None
    total = sum(weight * percentiles(it.values, it.spec.higher_is, groups) for it, weight in judges)
    return np.asarray(total / sum(weight for _, weight in judges))


def overall(pool: Dataset, said: Mapping[str, Said], by_kind: Mapping[str, np.ndarray]) -> np.ndarray:
    """How suspicious a box is of any mistake, (m,), 0 to 1: what ANY's judges say, and at least DISPUTED where the
    model would rather give another class. Without a model, the most by any kind that was judged, each first told in
    percentiles. by_kind: of boxes.
    """
    if not ANY.heard(said):
        ranked = [percentiles(scores, "worse") for scores in by_kind.values()]
        return np.max(ranked, axis=0) if ranked else np.full(len(pool.boxes), 0.5)
    result = suspicion(ANY, pool, said)
    if "class" in by_kind and "class_margin" in said:
        disputed = said["class_margin"].values < 0
        result = np.where(disputed, np.maximum(result, DISPUTED + (1 - DISPUTED) * by_kind["class"]), result)
    return result


def measure(
    pool: Dataset, truth: Truth, kinds: Sequence[Kind], said: Mapping[str, Said], by_kind: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """A row per kind of mistake and metric that speaks of its unit, the list's own first: AUROC, average precision,
    recall at FALSE_POSITIVES, and the share of what the metric cannot judge. Kinds that did not happen have no rows.

    A box is right when nothing was done to it; those with other mistakes are left out. An image is right when every
    object in it has a label, whatever else may be wrong with those.
    """
    rows = []
    boxed = {kind.name: by_kind[kind.name] for kind in kinds if kind.unit == "box"}
    for kind in (*KINDS, ANY):
        asked, wrong = _cases(kind, truth)
        if not wrong[asked].any() or wrong[asked].all():
            continue
        level = {"box": "object", "image": "image"}[kind.unit]
        combined = overall(pool, said, boxed) if kind is ANY else by_kind.get(kind.name)
        ranked = {} if combined is None else {COMBINED: ("", combined, 0.0)}
        for name, it in said.items():
            if it.spec.level == level:
                unknown = float(np.isnan(it.values[asked]).mean())
                ranked[name] = (it.family, percentiles(it.values, it.spec.higher_is), unknown)
        made = [
            {
                "kind": kind.name,
                "metric": name,
                "family": family,
                "auroc": auroc(scores[asked], wrong[asked]),
                "average_precision": average_precision(scores[asked], wrong[asked]),
                "recall": recall_at(scores[asked], wrong[asked], FALSE_POSITIVES),
                "unknown": unknown,
                "wrong": int(wrong[asked].sum()),
                "right": int((~wrong[asked]).sum()),
            }
            for name, (family, scores, unknown) in ranked.items()
        ]
        rows += sorted(made, key=lambda row: (row["metric"] != COMBINED, -float(row["auroc"] or 0), str(row["metric"])))
    return rows


def _cases(kind: Kind, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes or images are asked about, and which of all are wrong; two bool arrays of the unit's length."""
    if kind.unit == "image":
        return np.ones(len(truth.lacking), bool), truth.lacking
    right = truth.boxes == "none"
    wrong = ~right if kind is ANY else np.isin(truth.boxes, kind.mistakes)
    return right | wrong, wrong


Claim = tuple[tuple[float, float, float, float], int, float]  # a prediction: xyxy, label, score


@dataclass(frozen=True)
class Suspect:
    """One line of the list. box: row of the label in the pool, -1 for an image; more: further boxes of the image that
    are as suspicious as anything in the list; model: what the model sees instead, xyxy, label and score, or None."""

    kind: str
    row: int
    box: int
    suspicion: float
    more: int
    model: Claim | None


def suspects(
    kinds: Sequence[Kind],
    by_kind: Mapping[str, np.ndarray],
    pool: Dataset,
    predictions: Mapping[int, Detections] | None,
    most: int,
) -> dict[str, list[Suspect]]:
    """By kind the `most` most suspicious, the worst first, one an image. A box is listed once, under the kind that
    suspects it most; an image without a label in question may be listed for a missing one besides."""
    boxed = [kind for kind in kinds if kind.unit == "box"]
    ranks = np.array([percentiles(by_kind[kind.name], "worse") for kind in boxed]).reshape(len(boxed), -1)
    first = ranks.argmax(axis=0) if len(boxed) else np.zeros(0, int)
    found = {}
    for kind in kinds:
        scores = by_kind[kind.name]
        if kind.unit == "image":
            order = np.argsort(-scores, kind="stable")
            seen = ((int(row), _unlabelled(pool, int(row), predictions)) for row in order)
            claims = islice(((row, claim) for row, claim in seen if claim is not None), most)
            found[kind.name] = [Suspect(kind.name, row, -1, float(scores[row]), 0, claim) for row, claim in claims]
            continue
        mine = np.flatnonzero((first == boxed.index(kind)) & (scores > 0.5))
        order = mine[np.argsort(-scores[mine], kind="stable")]
        _, place = np.unique(pool.box_row[order], return_index=True)
        listed = order[np.sort(place)][:most]
        least = scores[listed].min(initial=np.inf)
        rows = pool.box_row[order[scores[order] >= least]]
        found[kind.name] = [
            Suspect(
                kind.name,
                row := int(pool.box_row[box]),
                int(box),
                float(scores[box]),
                int((rows == row).sum()) - 1,
                _instead(kind, pool, int(box), predictions),
            )
            for box in listed
        ]
    return found


def _instead(kind: Kind, pool: Dataset, box: int, predictions: Mapping[int, Detections] | None) -> Claim | None:
    """What the model sees in a label's place: the prediction with the greatest score * IoU, of another class where
    the class is in doubt."""
    found = (predictions or {}).get(int(pool.image_id[pool.box_row[box]]))
    if found is None or not len(found.scores):
        return None
    support = iou(pool.boxes[box : box + 1], found.boxes)[0] * found.scores
    if kind.name == "class":
        support = np.where(found.labels == pool.labels[box], 0.0, support)
    return _claim(found, support)


def _unlabelled(pool: Dataset, row: int, predictions: Mapping[int, Detections] | None) -> Claim | None:
    """The object that a model sees and no label covers: the prediction with the greatest score * (1 - best IoU)."""
    found = (predictions or {}).get(int(pool.image_id[row]))
    if found is None or not len(found.scores):
        return None
    covered = iou(pool.boxes[pool.slice(row)], found.boxes).max(axis=0, initial=0.0)
    return _claim(found, (1 - covered) * found.scores)


def _claim(found: Detections, support: np.ndarray) -> Claim | None:
    best = int(support.argmax())
    if support[best] <= 0:
        return None
    x1, y1, x2, y2 = (float(value) for value in found.boxes[best])
    return (x1, y1, x2, y2), int(found.labels[best]), float(found.scores[best])
