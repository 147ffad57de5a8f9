"""How many seeds would decide an arm, and which gains a study can decide at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from metricloop.comparison.looks import Look
from metricloop.comparison.spreads import MOST_PRIOR_DF
from metricloop.comparison.statistics import Gain

POWER = 0.8  # the chance of a decision that counts as "would probably decide"
MOST_SEEDS = 99  # seeds_needed() gives up above this number
MANY = 10_000  # seeds: as good as any number
FEW_IMAGES = 300  # below this many search images, the choice of images is a large part of the error


@dataclass(frozen=True)
class Noise:
    """What makes results of the same arm differ: standard deviations over seeds, and over the choice of one image."""

    arm: float
    baseline: float
    image: float


# Half-way between the two real studies of benchmarks/results/statistics.md; used before a study has results of its own.
TYPICAL = Noise(arm=0.015, baseline=0.018, image=0.085)


def power(gain: float, error: float, df: float, alpha: float) -> float:
    """The chance that a two-sided t test at `alpha` finds a true gain and calls it by the right sign."""
    if error == 0:
        return 1.0 if gain else 0.0
    critical = stats.t.ppf(1 - alpha / 2, df)
    found = float(stats.nct.sf(critical, df, abs(gain) / error))
    return float(stats.norm.sf(critical - abs(gain) / error)) if math.isnan(found) else found


def seeds_needed(
    gain: Gain, expected: float, seeds: tuple[int, int], looks: Sequence[Look], family: int
) -> tuple[int, int | None] | None:
    """How many seeds of an undecided arm would probably decide, as a range; the baseline's grow in proportion.

    gain: arm minus baseline. expected: its shrunken gain. seeds: of the arm and of the baseline now. family: how many
    arms are corrected for.
    The first number has a power of POWER if the true gain is `expected`; the second one if it is lower by 0.67 of its
    own uncertainty, as one in four is (None: more than MOST_SEEDS). That uncertainty shrinks with the gain; an expected
    gain that the family's mean has raised, or turned to the other sign, keeps the whole error.
    None altogether: not even the first is reachable, because the gain is too small, or the images are too few.
    """
    if not gain.known or expected == 0 or gain.mean == 0:
        return None
    share = expected / gain.mean
    share = share if 0 < share < 1 else 1.0
    low = abs(expected) - stats.norm.ppf(0.75) * gain.error * math.sqrt(share)
    alpha = looks[-1].alpha / max(family, 1)
    likely = _seeds_for(abs(expected), gain, seeds, looks[-1], alpha)
    if likely is None:
        return None
    return likely, _seeds_for(low, gain, seeds, looks[-1], alpha) if low > 0 else None


def _seeds_for(gain: float, now: Gain, seeds: tuple[int, int], last: Look, alpha: float) -> int | None:
    (arm, arm_df), (base, base_df) = now.seed_parts[0], now.seed_parts[-1]
    image, image_df = now.image_part
    if len(now.seed_parts) == 1:  # paired: the only part is of the differences
        base, base_df = 0.0, math.inf

    def reached(n: int) -> float:
        n0 = max(seeds[1], math.ceil(n * last.baseline / last.arms))
        parts = [
            (arm * seeds[0] / n, arm_df + n - seeds[0]),
            (base * seeds[1] / n0, base_df + n0 - seeds[1]),
            (image, image_df),
        ]
        return power(gain, *_error(parts), alpha)

    few, many = seeds[0] + 1, MOST_SEEDS
    if few > many or reached(many) < POWER:
        return None
    while few < many:  # power grows with n
        middle = (few + many) // 2
        few, many = (few, middle) if reached(middle) >= POWER else (middle + 1, many)
    return few


def _error(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Standard error and degrees of freedom from parts (variance, degrees of freedom)."""
    gain = Gain(0.0, tuple(parts[:-1]), parts[-1])
    return gain.error, gain.df


def detectable_gain(looks: Sequence[Look], family: int, images: int, noise: Noise, chance: float = POWER) -> float:
    """The smallest true gain in mAP that a study calls better with this chance, in an arm that reaches the last look.

    family: how many arms are corrected for; images: of the search split (or groups of images, for videos).
    A little cautious: earlier looks and Holm's steps add to the chance.
    """
    last = looks[-1]
    parts = [
        (noise.arm**2 / last.arms, last.arms - 1 + MOST_PRIOR_DF),  # other arms add degrees of freedom
        (noise.baseline**2 / last.baseline, max(last.baseline - 1, 1)),
        (noise.image**2 / max(images, 2), max(images - 1, 1)),
    ]
    error, df = _error(parts)
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        enough = power(middle, error, df, last.alpha / max(family, 1)) >= chance
        low, high = (low, middle) if enough else (middle, high)
    return high


def least_gain(looks: Sequence[Look], family: int, images: int, noise: Noise) -> float:
    """The smallest true gain that these images could decide with any number of seeds; arguments as above."""
    return detectable_gain([Look(MANY, MANY, looks[-1].alpha)], family, images, noise)
