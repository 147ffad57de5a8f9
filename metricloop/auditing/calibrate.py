"""The probability that a label is wrong, from two samples: the labels as they are, and planted errors.

Labels are mostly right, planted errors are all wrong (learning from positive and unlabelled examples: Elkan and Noto
2008). With f the density of the evidence among the labels and p among planted errors, f = (1 - share) right + share p,
so that the probability of a label with evidence x is share * p(x) / f(x). The ratio p / f is what a classifier that
tells both samples apart estimates. The share follows from the labels that look like planted errors: no more can be
wrong than there are of these (Scott 2015), at every level of suspicion. It is the least of the lower bounds at several
levels: right labels, however hard, are rarely spread over the levels as errors are. So it is a careful figure, and zero
where the most suspicious levels are empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metricloop.auditing.disagreement import interval
from metricloop.auditing.evidence import Evidence

FEWEST = 30  # labels, and planted errors, from which on anything is estimated
PARTS = 5  # the classifier never saw the image that it judges
PENALTY = 3.0  # of squared coefficients
LEVELS = np.arange(1, 9) / 10  # shares of the planted errors that are less suspicious; few are left beyond the last
TOGETHER = 5  # labels at least whose suspicion is taken together where the density is estimated
CONFIDENCE = 0.9  # that the true number of labels beyond a level is not lower, one-sided
SUREST = 0.98  # no probability is higher: real errors are not quite like planted ones
TOO_POOR = 0.8  # AUROC of planted errors against right labels; below it, nothing is said


@dataclass(frozen=True)
class Calibration:
    """probability: that each label, or image, is wrong, (n,). share: of all of them, a careful figure. told_apart:
    AUROC of planted errors against labels, as if all wrong labels were taken out; 0.5 is chance."""

    probability: np.ndarray
    share: float
    told_apart: float


def calibrate(evidence: Evidence) -> Calibration | None:
    """The probabilities of one kind; None with fewer than FEWEST labels or planted errors."""
    if min(len(evidence.labels), len(evidence.planted)) < FEWEST:
        return None
    labels, planted = told_apart(evidence)
    share = careful_share(labels, planted, evidence.label_image)
    likely = careful_share(labels, planted)
    order = np.sort(labels)
    above = (np.searchsorted(order, planted, "left") + np.searchsorted(order, planted, "right")) / 2 / len(order)
    auroc = (float(above.mean()) - likely / 2) / max(1 - likely, 1e-9)
    probability = np.minimum(share * density_ratio(labels, planted), SUREST)
    return Calibration(probability, share, min(1.0, auroc))


def told_apart(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """How much each label (n,), and each planted error (k,), looks like a planted one: log odds of a classifier that
    was fitted on other images."""
    labels, planted = shared_ranks(evidence.labels, evidence.planted)
    x = np.concatenate([_terms(labels, evidence.sized), _terms(planted, evidence.sized)])
    y = np.concatenate([np.zeros(len(labels)), np.ones(len(planted))])
    weight = np.where(y == 1, 1 / len(planted), 1 / len(labels)) * len(y) / 2  # both samples count the same
    _, image = np.unique(np.concatenate([evidence.label_image, evidence.planted_image]), return_inverse=True)
    part = np.random.default_rng(0).permutation(image.max() + 1)[image] % PARTS
    odds = np.zeros(len(y))
    for own in range(PARTS):
        held = part == own
        odds[held] = x[held] @ _fit(x[~held], y[~held], weight[~held])
    return odds[: len(labels)], odds[len(labels) :]


def shared_ranks(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each column of both samples (n, d), (k, d) as ranks from -1 to 1 in a mixture of equal parts; nan becomes 0.

    >>> [ranks.ravel().tolist() for ranks in shared_ranks(np.array([[1.0], [2.0]]), np.array([[3.0], [3.0]]))]
    [[-0.75, -0.25], [0.5, 0.5]]
    """
    found = np.zeros_like(first, float), np.zeros_like(second, float)
    for column in range(first.shape[1]):
        samples = [np.sort(values[:, column][np.isfinite(values[:, column])]) for values in (first, second)]
        for values, ranks in zip((first, second), found, strict=True):
            known = np.isfinite(values[:, column])
            own = values[known, column]
            below = [
                (np.searchsorted(sample, own, "left") + np.searchsorted(sample, own, "right")) / 2 / len(sample)
                for sample in samples
                if len(sample)
            ]
            ranks[known, column] = 2 * np.mean(below, axis=0) - 1 if below else 0.0
    return found


def _terms(ranks: np.ndarray, sized: bool) -> np.ndarray:
    """Polynomials of each column; of the size, only its square and its products with the others."""
    scores = ranks[:, :-1] if sized else ranks
    terms = [np.ones((len(ranks), 1)), scores, scores**2 - 1 / 3, scores**3]
    if sized:
        size = ranks[:, -1:]
        terms += [size, size**2 - 1 / 3, scores * size]
    return np.concatenate(terms, axis=1)


def _fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coefficients of a logistic regression with a penalty on all but the first."""
    from scipy.optimize import minimize  # slow to import

    penalty = np.full(x.shape[1], PENALTY)
    penalty[0] = 0

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        odds = x @ beta
        value = (weight * (np.logaddexp(0, odds) - y * odds)).sum() + (penalty * beta**2).sum() / 2
        return float(value), x.T @ (weight * (1 / (1 + np.exp(-odds)) - y)) + penalty * beta

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def careful_share(labels: np.ndarray, planted: np.ndarray, image: np.ndarray | None = None) -> float:
    """The share of wrong labels: the least, over LEVELS, of the labels beyond per planted error beyond it.

    labels, planted: (n,), (k,) suspicion. image: (n,) of the labels, which tend to be wrong together; then the lower
    bound of a confidence interval counts in place of the share of labels.
    """
    least = 1.0
    for level in np.quantile(planted, LEVELS):
        beyond, of_planted = labels > level, float((planted > level).mean())
        found = float(beyond.mean())
        if found and image is not None:
            bounds = interval(beyond, image, 2 * CONFIDENCE - 1)
            found = bounds[0] if bounds else 0.0
        least = min(least, found / of_planted) if of_planted else least
    return least


def density_ratio(labels: np.ndarray, planted: np.ndarray) -> np.ndarray:
    """How many times as frequent planted errors are as labels at each label's suspicion, (n,); it never falls with
    suspicion (isotonic regression). TOGETHER labels, from the most suspicious on, have one value.

    >>> density_ratio(np.arange(10.0), np.array([6.0, 7, 8, 9])).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    from scipy.optimize import isotonic_regression

    falling = -np.sort(-labels)
    limits = np.unique(falling[TOGETHER - 1 :: TOGETHER])  # the least suspicious label of each group
    limits[:1] = -np.inf
    place = np.searchsorted(limits, labels, "right") - 1
    of_labels = np.bincount(place, minlength=len(limits)) / len(labels)
    beyond = np.searchsorted(limits, planted, "right") - 1
    of_planted = np.bincount(beyond, minlength=len(limits)) / len(planted)
    return np.asarray(isotonic_regression(of_planted / of_labels, weights=of_labels).x[place])
