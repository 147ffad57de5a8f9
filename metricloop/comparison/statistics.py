"""Test whether arms beat the baseline, over seeds and held-out images. docs/statistics.md explains and derives it.

Every test is of a contrast: a weighted sum of arms' means, such as arm minus baseline, or the mean of several arms
minus the baseline. Its variance has a part per arm (its trials differ) and a part of the held-out images (other images
of the same kind would give other numbers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from metricloop.comparison.spreads import Sample, Spread, spreads

Outcome = Literal["better", "worse", "undecided"]
LOWEST_BASELINE = 0.05  # mAP; a ratio to a lower baseline means nothing
ROUNDING = 1e-12  # a gain or an error below this is a rounding error, and counts as zero


@dataclass(frozen=True)
class Gain:
    """A contrast of arms: its value, and the parts (variance, degrees of freedom) of its squared standard error.

    image_part: the last part, of the choice of held-out images. known: False if an arm has one seed, or the split one
    image; nothing is then known about the error.
    """

    mean: float
    seed_parts: tuple[tuple[float, float], ...]
    image_part: tuple[float, float]
    known: bool = True

    @property
    def variance(self) -> float:
        return sum(part for part, _ in (*self.seed_parts, self.image_part))

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom: variance squared / sum of (part squared / its degrees of freedom)."""
        below = sum(part * part / df for part, df in (*self.seed_parts, self.image_part) if part > 0)
        return self.variance**2 / below if below else math.inf

    @property
    def t(self) -> float | None:
        """The gain in standard errors; None where the error is not known, or is zero as the gain is."""
        if not self.known or max(abs(self.mean), self.error) < ROUNDING:
            return None
        return self.mean / self.error if self.error >= ROUNDING else math.copysign(math.inf, self.mean)


def contrast(
    weights: Mapping[str, float], samples: Mapping[str, Sample], spread: Mapping[str, Spread], units: int
) -> Gain:
    """A weighted sum of arms' means with its error; {arm: 1, baseline: -1} is a gain.

    units: how many images (or groups of images) the replicates were drawn from.

    An arm's variance over n seeds holds its seed effect and the interaction of seeds and images, both divided by n. The
    bootstrap variance of the contrast over draws of images holds the image effect and that interaction again, so the
    interaction is subtracted there; the spread of single seeds around their mean within a replicate estimates it (Owen
    2007, "The pigeonhole bootstrap").
    """
    means = {arm: float(samples[arm].values.mean()) for arm in weights}
    total = sum(w * samples[arm].replicated_mean for arm, w in weights.items())
    image = float(np.var(total, ddof=1)) - sum(w * w * samples[arm].interaction for arm, w in weights.items())
    correction = units / max(units - 1, 1)  # the bootstrap's variance is that of a sample without Bessel's correction
    parts = tuple(
        (w * w * spread[arm].variance / len(samples[arm].values), spread[arm].df)
        for arm, w in weights.items()
        if arm in spread
    )
    return Gain(
        mean=sum(w * means[arm] for arm, w in weights.items()),
        seed_parts=parts,
        image_part=(max(image, 0.0) * correction, max(units - 1, 1)),
        known=units > 1 and all(arm in spread for arm in weights),
    )


def paired(differences: Sample, units: int) -> Gain:
    """The gain of an arm that shares its images with the baseline seed by seed; differences: arm minus baseline."""
    return contrast({"": 1.0}, {"": differences}, spreads({"": differences}, ()), units)


def p_value(gain: Gain) -> float | None:
    """Two-sided p of a gain of zero; None where the error is not known, 1 where gain and error are zero."""
    if not gain.known:
        return None
    return 1.0 if gain.t is None else float(2 * special.stdtr(gain.df, -abs(gain.t)))


def interval(gain: Gain, level: float = 0.95) -> tuple[float, float] | None:
    """t-type interval of a gain over seeds and held-out images; None where the error is not known."""
    if not gain.known:
        return None
    half = float(special.stdtrit(gain.df, (1 + level) / 2)) * gain.error
    return gain.mean - half, gain.mean + half


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down p over one family of tests.

    An arm without a p (None) stays None, and counts in the family as if its p were 1.
    """
    values = np.array([1.0 if value is None else value for value in p])
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [None if raw is None else float(value) for raw, value in zip(p, adjusted, strict=True)]


def shrunken(gains: Mapping[str, Gain]) -> dict[str, float]:
    """Gains of a family, drawn together as far as their errors explain that they differ, and their mean to zero.

    The best of several arms owes part of its lead to luck, so the expected gain is smaller. Empirical Bayes in two
    steps: the arms around their mean, with each arm's own error over seeds (baseline and images are common to all),
    then the mean around zero with its whole error. Both times the true spread tau^2 is the observed mean square minus
    what errors explain, and the factor is tau^2 / (tau^2 + error^2) (James-Stein; Efron and Morris 1975).
    """
    known = [gain for gain in gains.values() if gain.known]
    if not known:
        return {arm: gain.mean for arm, gain in gains.items()}
    values = np.array([gain.mean for gain in known])
    own = np.array([_of_seeds(gain) for gain in known])
    centre = float(values.mean())
    common = max(float(np.mean([gain.variance for gain in known])) - float(own.mean()), 0.0)
    expected = centre * _kept(centre**2, common + float(own.mean()) / len(known))
    differ = float(values.var(ddof=1)) if len(known) > 1 else 0.0
    found = {}
    for arm, gain in gains.items():
        tau2, error2 = max(differ - float(own.mean()), 0.0), _of_seeds(gain)
        share = tau2 / (tau2 + error2) if tau2 + error2 else 0.0
        found[arm] = expected + (gain.mean - centre) * share
    return found


def _of_seeds(gain: Gain) -> float:
    """The squared error of an arm's own seeds: the first part of its gain."""
    return gain.seed_parts[0][0] if gain.seed_parts else 0.0


def _kept(square: float, error2: float) -> float:
    """The share of a value that remains when it is shrunk to zero: square of the value, and its squared error."""
    return max(square - error2, 0.0) / square if square else 0.0


def resampling_units(groups: np.ndarray) -> np.ndarray:
    """The bootstrap unit of every image, (n,) int from 0 to units - 1; groups: (n,).

    A unit is a whole group (video), because neighbouring frames are near copies; an image if there is only one group.
    """
    _, unit = np.unique(groups, return_inverse=True)
    return unit if unit.max(initial=0) else np.arange(len(groups))


def draw_weights(unit: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """How often each image counts in each bootstrap replicate, (replicates, n) int; unit: (n,) as above."""
    units = int(unit.max()) + 1
    return rng.multinomial(units, np.full(units, 1 / units), size=replicates)[:, unit]


def verdict(p_adjusted: float | None, ci: tuple[float, float] | None, alpha: float) -> Outcome:
    """better (worse): p_adjusted < alpha and the whole interval above (below) zero; else undecided."""
    if p_adjusted is None or ci is None or p_adjusted >= alpha:
        return "undecided"
    return "better" if ci[0] > 0 else "worse" if ci[1] < 0 else "undecided"


def relative(arm: float, baseline: float) -> float | None:
    """Ratio of means minus one; None if the baseline is too low for a ratio."""
    return arm / baseline - 1 if baseline >= LOWEST_BASELINE else None


def shown(gain: Gain, baseline: float) -> dict[str, Any]:
    """A gain as in comparison.json: {"abs", "rel", "ci95", "p"}; baseline: its mean."""
    ci = interval(gain)
    return {
        "abs": gain.mean,
        "rel": relative(baseline + gain.mean, baseline),
        "ci95": ci and list(ci),
        "p": p_value(gain),
    }
