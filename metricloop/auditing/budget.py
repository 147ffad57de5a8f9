"""What a budget of labels buys: how many mistakes are found when labels are looked at in the order of a metric.

Two units: a person opens an image and puts right all that is wrong in it, missing labels too; or looks at single boxes.
Equal scores come in random order, so the number found is the expected one over all such orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metricloop.auditing.measure import COMBINED
from metricloop.auditing.ranking_quality import percentiles
from metricloop.auditing.suspicion import MetricScores, any_suspicion
from metricloop.auditing.truth import Truth
from metricloop.data.dataset import Dataset

IDEAL, RANDOM = "ideal order", "random order"  # names of curves beside those of metrics
UNITS = {"images": "images opened", "boxes": "boxes looked at"}
SHARPNESS = 4  # chosen on the demo, with many mistakes and with few
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)  # of the judged images or boxes, at which curves are shown as numbers


@dataclass(frozen=True)
class Curve:
    """Mistakes found against labels looked at, in one order.

    looked_at, found: (k,) the numbers after each group of equally suspicious cases, from 0; between them the expected
    number grows evenly. of_ideal: the area above the random order as a share of that of the ideal order; 1 is the ideal
    order, 0 random, below 0 worse. level: of the metric, "" for the orders that are none.
    """

    name: str
    level: str
    looked_at: np.ndarray
    found: np.ndarray
    of_ideal: float

    def at(self, budget: float) -> float:
        """The expected number of mistakes found within a budget."""
        return float(np.interp(budget, self.looked_at, self.found))

    def needed_for(self, share: float) -> float:
        """How many must be looked at, on average, until a share of the mistakes is found."""
        wanted = share * self.found[-1]
        first = int(np.searchsorted(self.found, wanted))  # found never falls
        if first == 0:
            return float(self.looked_at[0])
        low, high = self.found[first - 1], self.found[first]
        steps = self.looked_at[first] - self.looked_at[first - 1]
        return float(self.looked_at[first - 1] + steps * (wanted - low) / (high - low))


@dataclass(frozen=True)
class Budget:
    """The curves of one unit: the ideal order, the audit's own, those of metrics (best first), and the random order."""

    unit: str
    cases: int
    mistakes: int
    curves: list[Curve]

    @property
    def sizes(self) -> list[int]:
        """The budgets at which curves are shown as numbers."""
        return sorted({max(1, round(share * self.cases)) for share in SHARES})


def budgets(
    pool: Dataset, truth: Truth, scores: Mapping[str, MetricScores], by_kind: Mapping[str, np.ndarray]
) -> list[Budget]:
    """The curves by unit, images first; a unit without a mistake, or with nothing but mistakes, is left out.

    by_kind: the suspicion of the boxes (m,) or images (n,) for each kind of error, as in `measure`.
    """
    boxed = {name: values for name, values in by_kind.items() if name != "missing"}
    any_box = any_suspicion(pool, scores, boxed)
    of_boxes = {COMBINED: ("", any_box)}
    of_images = {COMBINED: ("", image_suspicion(pool, any_box, by_kind.get("missing")))}
    for name, it in scores.items():
        values = percentiles(it.values, it.spec.higher_is)
        if it.spec.level == "object":
            of_boxes[name] = (it.spec.level, values)
            of_images[name] = (it.spec.level, percentiles(worst_box(pool, values), "worse"))
        else:
            of_images[name] = (it.spec.level, values)
    mistakes = np.bincount(pool.box_row[truth.wrong], minlength=len(pool)) + truth.missing
    known, known_boxes = truth.judged, truth.judged_boxes
    made = (
        budget("images", mistakes[known], {name: (level, own[known]) for name, (level, own) in of_images.items()}),
        budget(
            "boxes",
            truth.wrong[known_boxes].astype(int),
            {name: (level, own[known_boxes]) for name, (level, own) in of_boxes.items()},
        ),
    )
    return [one for one in made if one is not None]


def budget(unit: str, mistakes: np.ndarray, orders: Mapping[str, tuple[str, np.ndarray]]) -> Budget | None:
    """The curves of several orders over the same cases; None when no order is better than another.

    mistakes: (n,) int, of each case. orders: name -> level of the metric, and suspicion (n,), higher first, no nan.
    """
    total, best = int(mistakes.sum()), curve(IDEAL, mistakes.astype(float), mistakes)
    chance = _area(*curve_points(np.zeros(len(mistakes)), mistakes))
    if not total or _area(best.looked_at, best.found) <= chance:
        return None
    made = [curve(name, suspicion, mistakes, level) for name, (level, suspicion) in orders.items()]
    made.sort(key=lambda one: (one.name != COMBINED, -one.of_ideal, one.name))
    return Budget(unit, len(mistakes), total, [best, *made, curve(RANDOM, np.zeros(len(mistakes)), mistakes)])


def curve(name: str, suspicion: np.ndarray, mistakes: np.ndarray, level: str = "") -> Curve:
    """The curve for looking at cases by suspicion (n,), highest first. mistakes: how many each case holds, (n,) int."""
    looked_at, found = curve_points(suspicion, mistakes)
    chance = _area(*curve_points(np.zeros(len(mistakes)), mistakes))
    ideal = _area(*curve_points(mistakes.astype(float), mistakes))
    return Curve(name, level, looked_at, found, (_area(looked_at, found) - chance) / ((ideal - chance) or 1.0))


def curve_points(suspicion: np.ndarray, mistakes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve as two float arrays (k,): cases looked at, and mistakes found among them.

    The first point is (0, 0); each further one stands at the end of a group of cases with equal suspicion.

    A group of g cases with w mistakes gives w * j / g in expectation for any j of its cases, so that straight lines
    between the points are exact.

    >>> [values.tolist() for values in curve_points(np.array([0.9, 0.5, 0.5]), np.array([0, 2, 1]))]
    [[0.0, 1.0, 3.0], [0.0, 0.0, 3.0]]
    """
    groups, place = np.unique(-np.asarray(suspicion, float), return_inverse=True)
    sizes = np.bincount(place, minlength=len(groups))
    found = np.bincount(place, weights=mistakes, minlength=len(groups))
    return np.concatenate([[0.0], np.cumsum(sizes)]), np.concatenate([[0.0], np.cumsum(found)])


def worst_box(pool: Dataset, suspicion: np.ndarray) -> np.ndarray:
    """For each image the highest suspicion of its boxes, (n,); nan where it has none. suspicion: of the boxes, (m,)."""
    worst = np.full(len(pool), -np.inf)
    np.maximum.at(worst, pool.box_row, suspicion)
    return np.where(np.isinf(worst), np.nan, worst)


def image_suspicion(pool: Dataset, boxes: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """The suspicion of each image as a whole, (n,): the sum of the suspicions of its boxes and of missing labels.

    Each one is first raised to the power SHARPNESS, so that one very suspicious label outweighs several ordinary ones.

    boxes: (m,) suspicion of the boxes; missing: (n,) of the images, None where it was not judged.
    """
    total = np.bincount(pool.box_row, boxes**SHARPNESS, minlength=len(pool))
    return total if missing is None else total + percentiles(missing, "worse") ** SHARPNESS


def _area(looked_at: np.ndarray, found: np.ndarray) -> float:
    return float(np.trapezoid(found, looked_at))
