"""Studies drawn from a hierarchical model: true gains, arms of unequal spread, a baseline, and held-out images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from many_studies import Studies

ARMS, BASE_SD, IMAGE_SD = 10, 0.02, 0.061  # IMAGE_SD: of a gain on one image
LEVEL = 0.3  # mAP of the baseline, so that no trial is taken for a collapsed one

Spreads = Callable[[np.random.Generator, int, int], np.ndarray]


def typical(rng: np.random.Generator, studies: int, arms: int) -> np.ndarray:
    """Nine of ten arms between .0066 and .030."""
    return 0.014 * np.exp(0.46 * rng.standard_normal((studies, arms)))


def wide(rng: np.random.Generator, studies: int, arms: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(0.004), np.log(0.056), (studies, arms)))


def fixed(low: float, high: float, noisy: float) -> Spreads:
    """A share of the arms scatters by `high`, the others by `low`."""

    def of(rng: np.random.Generator, studies: int, arms: int) -> np.ndarray:
        return np.broadcast_to(np.where(np.arange(arms) < max(round(noisy * arms), 1), high, low), (studies, arms))

    return of


SPREADS: dict[str, Spreads] = {
    "typical: log-normal, .007 to .030": typical,
    "wide: log-uniform, .004 to .056": wide,
    "equal: .014": fixed(0.014, 0.014, 1),
    "one of .050, others .008": fixed(0.008, 0.05, 0),
    "a third of .040, others .010": fixed(0.01, 0.04, 0.3),
    "half of .030, others .006": fixed(0.006, 0.03, 0.5),
}
COLLAPSING = "typical, and a third of one arm's trials learn nothing"


def simulate(
    rng: np.random.Generator,
    truth: np.ndarray,
    sd: np.ndarray,
    images: int,
    seeds: tuple[int, int] = (6, 18),
    failing: float = 0.0,
) -> Studies:
    """truth, sd: (S, A). seeds: of an arm and of the baseline. failing: the share of trials of arm 0 near zero.

    The images' part is drawn directly: an effect per arm, the same in all its seeds, and the covariance matrix that
    a bootstrap over these images would find (Wishart, by Bartlett's decomposition).
    """
    many, arms = truth.shape
    size = IMAGE_SD / np.sqrt(2 * images)  # half of a gain's variance each to arm and baseline
    mean = LEVEL + np.column_stack([truth, np.zeros(many)]) + size * rng.standard_normal((many, arms + 1))
    spread = np.column_stack([sd, np.full(many, BASE_SD)])
    values = mean[:, :, None] + spread[:, :, None] * rng.standard_normal((many, arms + 1, max(seeds)))
    if failing:
        values[:, 0] = np.where(rng.random(values[:, 0].shape) < failing, 0.006, values[:, 0])
    root = np.tril(rng.standard_normal((many, arms + 1, arms + 1)), -1)
    root += np.sqrt(rng.chisquare(images - 1 - np.arange(arms + 1), (many, arms + 1)))[:, :, None] * np.eye(arms + 1)
    covariance = size**2 / images * root @ root.transpose(0, 2, 1)
    return Studies(values, lambda _n, _n0: covariance, images)
