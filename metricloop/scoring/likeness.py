"""Whether a metric ranks as a known one does: Spearman's rho over the gate's images, and over more where it is high.

Over two dozen images a rank correlation of .9 can hardly be told from one of .97: its standard error is about .04. So
a metric that looks like a known one there is compared with it on up to WIDE images before the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from metricloop.data.frame import Frame
from metricloop.metrics.contract import MetricResult, Spec
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.gate_rules import COPY, SUSPECT, WIDE, Rule
from metricloop.text.numbers import count

FEWEST = 8  # scores of both metrics below which a correlation means nothing
SECONDS = 20.0  # for the further images, by the speed on the first ones; a slow metric gets fewer

Scores = Sequence[np.ndarray]  # of one metric, one array per frame
# (metrics, how many images, with pixels) -> parts of these images, with the scores of the metrics on them
Wider = Callable[[Collection[str], int, bool], Iterator[tuple[list[Frame], Mapping[str, Scores]]]]


def copy_of(
    spec: Spec,
    first: Sequence[MetricResult],
    earlier: Mapping[str, Scores],
    ask: Callable[[Sequence[Frame]], Sequence[MetricResult]],
    took: float = 0.0,
    wider: Wider | None = None,
) -> BrokenRule | None:
    """The first known metric that ranks alike, as a broken rule; None without one.

    first: the results on the gate's images; earlier: scores of known metrics there. took: seconds for `first`. wider:
    gives further images, None where there are none.
    """
    own = [answer.scores for answer in first]
    # After a kill, scores/ may already hold this metric; it is not compared with itself.
    known = {name: rank_rho(spec, own, others) for name, others in earlier.items() if name != spec.name}
    rhos = {name: (rho, len(own)) for name, rho in known.items() if rho is not None}
    suspects = [name for name, (rho, _) in rhos.items() if abs(rho) >= SUSPECT]
    most = min(WIDE, int(SECONDS * len(own) / max(took, 1e-9)))
    if suspects and wider and most > len(own):
        rhos |= _over_more(spec, suspects, most, ask, wider)
    for name, (rho, images) in rhos.items():
        if abs(rho) >= COPY:
            over = count(images, "image")
            said = f"ranks as {name} does: Spearman's rho {rho:.2f} over {over}, where less than {COPY} is asked"
            return BrokenRule(Rule.NEW, said, like=name)
    return None


def _over_more(
    spec: Spec,
    suspects: Collection[str],
    most: int,
    ask: Callable[[Sequence[Frame]], Sequence[MetricResult]],
    wider: Wider,
) -> dict[str, tuple[float, int]]:
    """Rho and the number of images, by suspect, over the further images that the metric does not fail on."""
    own: list[np.ndarray] = []
    others: dict[str, list[np.ndarray]] = {name: [] for name in suspects}
    for frames, scores in wider(suspects, most, "image" in spec.needs):
        for place, answer in enumerate(ask(frames)):
            if not answer.error:
                own.append(answer.scores)
                for name in suspects:
                    others[name].append(scores[name][place])
    rhos = {name: rank_rho(spec, own, theirs) for name, theirs in others.items()}
    return {name: (rho, len(own)) for name, rho in rhos.items() if rho is not None}


def rank_rho(spec: Spec, own: Scores, others: Scores) -> float | None:
    """Spearman's rho: object by object when both metrics score objects, else by the mean score per frame.

    None without frames, or where `rank_correlation` gives None.
    """
    alike = spec.level == "object" and all(len(a) == len(b) for a, b in zip(own, others, strict=True))
    if not own:
        return None
    mine, theirs = (np.concatenate(s) if alike else np.array([_mean(one) for one in s]) for s in (own, others))
    return rank_correlation(mine, theirs)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's rank correlation of two metrics over what both score, (n,) each; nan is no score.

    None where fewer than FEWEST have a score by both, or where one metric gives them all the same score.
    """
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    if len(a) < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def _mean(scores: np.ndarray) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else float("nan")
