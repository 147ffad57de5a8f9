"""A forecast of the gain of a subset from its properties, learnt from the arms that this study has measured.

A ridge regression without an intercept: every property is relative to the pool, so a random sample gains nothing. It is
told only when it predicts arms that it has not seen clearly better than simpler guesses, and with what it missed by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.figures.choose_examples import relative_sizes
from metricloop.figures.subset_changes import FirstDraw
from metricloop.text.numbers import count, fixed, interval, signed

FEWEST = 6  # measured arms
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of the ridge, in units of the number of arms
INSIDE = 0.8  # of the interval
# The most that the error of a forecast may be, as a share of that of simpler guesses: the others' mean, or no gain.
CLEARLY = 0.9


@dataclass(frozen=True)
class Forecast:
    """gain: in mAP; low, high: its 80 % interval. arms: learnt from; missed, mean_missed: root mean square error, for
    arms left out, of the forecast and of the others' mean; held: arms that lay in such an interval when left out."""

    gain: float
    low: float
    high: float
    arms: int
    missed: float
    mean_missed: float
    held: int


def properties(draw: FirstDraw, pool: Dataset, ranks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Properties of a subset relative to the pool, all 0 for the pool itself.

    Boxes per image, images without a box, size of objects and its spread, classes, and the mean rank of the kept images
    by every known metric. ranks: (n,) per metric, 0 to 1.
    """
    kept, sizes = draw.boxes & draw.images[pool.box_row], np.log(relative_sizes(pool))
    known = np.isfinite(sizes)

    def spread(which: np.ndarray) -> tuple[float, float]:
        low, middle, high = np.quantile(sizes[which & known], (0.25, 0.5, 0.75)) if (which & known).any() else (0,) * 3
        return float(middle), float(high - low)

    def classes(which: np.ndarray) -> np.ndarray:
        return np.bincount(pool.labels[which], minlength=len(pool.class_names)) / max(1, which.sum())

    everything, images = np.ones(len(pool.boxes), bool), max(1, int(draw.images.sum()))
    per_image = max(kept.sum() / images, 1e-3) / max(len(pool.boxes) / max(1, len(pool)), 1e-3)
    number = np.bincount(pool.box_row[kept], minlength=len(pool))
    empty = float((number[draw.images] == 0).mean()) if draw.images.any() else 0.0
    inside, outside = spread(kept), spread(everything)
    return np.array(
        [
            np.log(per_image),
            empty - float((pool.counts == 0).mean()),
            inside[0] - outside[0],
            inside[1] - outside[1],
            0.5 * np.abs(classes(kept) - classes(everything)).sum(),
            *(float(rank[draw.images].mean() - rank.mean()) if draw.images.any() else 0.0 for rank in ranks.values()),
        ]
    )


def forecast(known: np.ndarray, gains: np.ndarray, new: np.ndarray) -> Forecast | None:
    """Forecast a gain; None with fewer than FEWEST arms, or when simpler guesses do about as well.

    known: (arms, properties); gains: (arms,) in mAP; new: (properties,).
    """
    n = len(gains)
    if n < FEWEST:
        return None
    left_out = np.array([_fit_and_tell(np.delete(known, k, 0), np.delete(gains, k), known[k]) for k in range(n)])
    off, mean_off = gains - left_out, gains - (gains.sum() - gains) / (n - 1)
    missed, mean_missed = (float(np.sqrt((wrong**2).mean())) for wrong in (off, mean_off))
    if not missed < CLEARLY * min(mean_missed, float(np.sqrt((gains**2).mean()))):
        return None
    from scipy.stats import t

    def half(wrong: np.ndarray) -> float:
        m = len(wrong)
        return float(t.ppf((1 + INSIDE) / 2, m - 1) * np.sqrt((wrong**2).mean()) * np.sqrt(1 + 1 / m))

    held = sum(bool(abs(off[k]) <= half(np.delete(off, k))) for k in range(n))
    gain = _fit_and_tell(known, gains, new)
    return Forecast(gain, gain - half(off), gain + half(off), n, missed, mean_missed, held)


def _fit_and_tell(known: np.ndarray, gains: np.ndarray, new: np.ndarray) -> float:
    """Predict a gain by ridge regression, with the strength whose leave-one-out error over `known` is the least."""
    scale = np.sqrt((known**2).mean(axis=0))
    scale[scale < 1e-9] = np.inf  # a property in which no arm differs says nothing
    x = known / scale
    kernel = x @ x.T
    n = len(gains)
    errors = []
    for strength in STRENGTHS:
        inverse = np.linalg.inv(kernel + strength * n * np.eye(n))
        errors.append(float((((inverse @ gains) / np.diag(inverse)) ** 2).mean()))  # of each arm, left out
    best = STRENGTHS[int(np.argmin(errors))]
    return float((new / scale) @ x.T @ np.linalg.solve(kernel + best * n * np.eye(n), gains))


def forecast_text(found: Forecast | None, arms: int) -> str:
    """The forecast in words, with how well it can be trusted, or why there is none."""
    if found is None:
        why = f"over {arms} arms, each left out once, it was not clearly better than their mean"
        if arms < FEWEST:
            why = f"{count(arms, 'measured arm')}, and it takes {FEWEST} to check one"
        return f"No forecast of its gain: {why}."
    return (
        f"Forecast of its gain: {signed(found.gain)} mAP, 80 % interval {interval((found.low, found.high))}. "
        f"Checked on {found.arms} arms, each left out once: it missed by {fixed(found.missed)} (the mean of the "
        f"others by {fixed(found.mean_missed)}), and {found.held} of {found.arms} lay in such an interval."
    )
