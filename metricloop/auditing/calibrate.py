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

from metricloop.auditing.disagreement import interval_of, members
from metricloop.auditing.evidence import Evidence

FEWEST = 30  # labels, and planted errors, from which on anything is estimated
PARTS = 5  # the classifier never saw the image that it judges
PENALTY = 3.0  # of squared coefficients
LEVELS = np.arange(1, 9) / 10  # shares of the planted errors that are less suspicious; few are left beyond the last
TOGETHER = 5  # labels at least whose suspicion is taken together where the density is estimated
CONFIDENCE = 0.8  # that the true number of labels beyond a level is not lower, one-sided; the least of all is taken
SUREST = 0.98  # no probability is higher: real errors are not quite like planted ones
MOST_WRONG = 0.5  # share of wrong labels; where more look like errors, the evidence is poor: labels are mostly right
TOO_POOR = 0.8  # AUROC of planted errors against right labels; below it, nothing is said


@dataclass(frozen=True)
class Calibration:
    """probability: that each label, or image, is wrong, (n,). share: of all of them, a careful figure. told_apart:
    AUROC of planted errors against labels, as if all wrong labels were taken out; 0.5 is chance."""

    probability: np.ndarray
    share: float
    told_apart: float


def calibrate(evidence: Evidence) -> Calibration | None:
    """The probabilities of one kind; None with fewer than FEWEST labels of the pool, or planted errors.

    Held-out labels may be better or worse than those of the pool, and have no say in what is found there. They have a
    share of their own; fewer than FEWEST are judged together with the pool.
    """
    pool, held = ~evidence.held_out, evidence.held_out
    if min(pool.sum(), len(evidence.planted)) < FEWEST:
        return None
    labels, planted = told_apart(evidence)
    probability, wrong = np.zeros(len(labels)), 0.0
    for own in (pool, held):
        if own.any():
            among = own if own.sum() >= FEWEST else np.full(len(labels), True)
            share = careful_share(labels[among], planted, evidence.label_image[among])
            ratio = density_ratio(labels[among], planted)
            probability[own] = np.minimum(share * ratio[own[among]], SUREST)
            wrong += share * float(own.mean())
    likely = min(MOST_WRONG, careful_share(labels[pool], planted))
    below = _shares_below(planted, np.sort(labels[pool]))
    auroc = (float(below.mean()) - likely / 2) / (1 - likely)
    return Calibration(probability, wrong, min(1.0, auroc))


def told_apart(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """How much each label (n,), and each planted error (k,), looks like a planted one: log odds of a classifier that
    was fitted on other images of the pool."""
    pool = ~evidence.held_out
    reference = evidence.labels[pool], evidence.planted
    x, planted = (
        _terms(mixture_ranks(values, *reference), evidence.circumstances)
        for values in (evidence.labels, evidence.planted)
    )
    both = np.concatenate([x[pool], planted])
    y = np.concatenate([np.zeros(pool.sum()), np.ones(len(planted))])
    weight = np.where(y == 1, 1 / len(planted), 1 / pool.sum()) * len(y) / 2  # both samples count the same
    _, image = np.unique(np.concatenate([evidence.label_image[pool], evidence.planted_image]), return_inverse=True)
    part = np.random.default_rng(0).permutation(image.max() + 1)[image] % PARTS
    odds, held_odds = np.zeros(len(y)), []
    for own in range(PARTS):
        held = part == own
        beta = _fit(both[~held], y[~held], weight[~held])
        odds[held] = both[held] @ beta
        held_odds.append(x[~pool] @ beta)
    found = np.zeros(len(x))
    found[pool], found[~pool] = odds[: pool.sum()], np.mean(held_odds, axis=0)
    return found, odds[pool.sum() :]


def mixture_ranks(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Each column of values (m, d) as ranks from -1 to 1 in a mixture of equal parts of two samples (n, d) and (k, d);
    nan becomes 0.

    >>> first, second = np.array([[1.0], [2.0]]), np.array([[3.0], [3.0]])
    >>> mixture_ranks(np.array([[1.0], [2.0], [3.0]]), first, second).ravel().tolist()
    [-0.75, -0.25, 0.5]
    """
    ranks = np.zeros(values.shape)
    for column in range(values.shape[1]):
        known = np.isfinite(values[:, column])
        samples = [np.sort(sample[:, column][np.isfinite(sample[:, column])]) for sample in (first, second)]
        own = values[known, column]
        below = [_shares_below(own, sample) for sample in samples if len(sample)]
        if below:
            ranks[known, column] = 2 * np.mean(below, axis=0) - 1
    return ranks


def _shares_below(values: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """The share of a sorted sample that is below each value; equal ones count half."""
    return (np.searchsorted(sample, values, "left") + np.searchsorted(sample, values, "right")) / 2 / len(sample)


def _terms(ranks: np.ndarray, circumstances: int) -> np.ndarray:
    """Inputs of the regression: powers of each score; each circumstance, its square, its products with the scores.

    circumstances: how many of the last columns are not scores.
    """
    scores = ranks[:, : ranks.shape[1] - circumstances]
    terms = [np.ones((len(ranks), 1)), scores, scores**2 - 1 / 3, scores**3]
    for column in ranks[:, scores.shape[1] :].T[:, :, None]:
        terms += [column, column**2 - 1 / 3, scores * column]
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
    least, member = 1.0, None if image is None else members(image)
    for level in np.quantile(planted, LEVELS):
        beyond, of_planted = labels > level, float((planted > level).mean())
        found = float(beyond.mean())
        if found and member is not None:
            bounds = interval_of(beyond, member, 2 * CONFIDENCE - 1)
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
