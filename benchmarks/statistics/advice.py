"""Whether what the table advises is true: expected gains, and the seeds that an undecided arm needs."""

from __future__ import annotations

import numpy as np
from hierarchical import ARMS, simulate, typical
from many_studies import Outcome, Studies, take_looks
from tallies import TWO, bar, table

from metricloop.comparison.looks import Look
from metricloop.comparison.power import POWER, TYPICAL, detectable_gain, seeds_needed
from metricloop.comparison.spreads import Sample, spreads
from metricloop.comparison.statistics import Gain, p_value, shrunken

GAINS = ((0.0, 0.03), (0.0, 0.05), (0.03, 0.0), (0.03, 0.03))  # mean and standard deviation of true gains
EMPTY = np.zeros((2, 1))


def gains_of(seen: Outcome, study: int) -> dict[str, Gain]:
    """The gains of one study as metricloop.comparison holds them."""
    parts = [(variance[study], df[study]) for variance, df in seen.shown.parts]
    return {
        str(arm): Gain(
            float(seen.shown.mean[study, arm]),
            tuple((float(v[arm]), float(df[arm])) for v, df in parts[:2]),
            (float(parts[2][0][arm]), float(parts[2][1][arm])),
        )
        for arm in range(seen.sign.shape[1])
    }


def expected_gains(studies: int) -> None:
    """The winner's curse: gains of arms called better as measured, as expected, and as they are."""
    print(
        "### Expected gains: arms called better after two looks, 10 arms of typical spread, 300 images\n\n"
        "Mean over winners (the arm with the largest expected gain of those called better) and over all arms called "
        "better.\n"
    )
    rows = []
    for mean, between in GAINS:
        rng = np.random.default_rng(29)
        truth = mean + between * rng.standard_normal((studies, ARMS))
        seen = take_looks(simulate(rng, truth, typical(rng, studies, ARMS), 300), TWO)
        best, every = [], []
        for study in np.flatnonzero((seen.sign > 0).any(axis=1)):
            gains = gains_of(seen, study)
            expected = shrunken(gains)
            found = [(expected[a], gains[a].mean, truth[study, int(a)]) for a in gains if seen.sign[study, int(a)] > 0]
            every += found
            best.append(max(found))
        cells = [f"{float(np.mean([row[k] for row in own])):+.4f}" for own in (best, every) for k in (1, 0, 2)]
        rows.append([f"{mean:+.2f}", f"{between:.2f}", *cells])
    table(
        ["mean gain", "sd of gains", "winner: measured", "expected", "true", "better: measured", "expected", "true"],
        rows,
    )


def seeds_needed_studies(studies: int) -> None:
    """Follow the advice: give an undecided arm that many seeds, and see whether it is decided."""
    print(
        "### Following `seeds_needed`: how often an undecided arm is decided, and rightly, after that many seeds\n\n"
        f"{ARMS} arms of typical spread, 300 images, {studies} studies a line.\n"
    )
    rows = []
    for mean, between in GAINS:
        for name, looks in (("first", TWO[:1]), ("second", TWO)):
            rng = np.random.default_rng(11)
            truth = mean + between * rng.standard_normal((studies, ARMS))
            drawn = simulate(rng, truth, typical(rng, studies, ARMS), 300, (99, 297))
            seen = take_looks(drawn, looks)
            asked, followed, seeds = 0, ([], []), ([], [])
            for study in range(studies):
                gains = gains_of(seen, study)
                expected = shrunken(gains)
                for arm in np.flatnonzero(seen.sign[study] == 0):
                    asked += 1
                    now = (int(seen.seeds[study, arm]), int(seen.base_seeds[study, arm]))
                    needed = seeds_needed(gains[str(arm)], expected[str(arm)], now, TWO, ARMS)
                    for place, n in enumerate(needed or ()):
                        if n is not None:
                            mean_, p = _with_seeds(drawn, seen, study, int(arm), n, max(now[1], 3 * n))
                            right = mean_ * truth[study, arm] > 0
                            followed[place].append(right and p < TWO[-1].alpha / ARMS)
                            seeds[place].append(n)
            where = f"gains {mean:+g} sd {between:g}, {name} look"
            bar("seeds_needed, upper number: decided", np.mean(followed[1]), POWER, np.inf, where)
            rows.append(
                [f"{mean:+.2f}", f"{between:.2f}", name, str(asked)]
                + [cell for p in (0, 1) for cell in (f"{np.mean(followed[p]):.1%}", f"{np.median(seeds[p]):.0f}",
                                                     f"{len(seeds[p]) / asked:.0%}")]
            )  # fmt: skip
    table(
        ["mean gain", "sd of gains", "after look", "undecided", "lower number: decided", "median seeds", "given to",
         "upper number: decided", "median seeds", "given to"],
        rows,
    )  # fmt: skip


def _with_seeds(drawn: Studies, seen: Outcome, study: int, arm: int, n: int, n0: int) -> tuple[float, float]:
    """Gain and p of an arm with n seeds, against n0 of the baseline; the other arms keep theirs."""
    arms = range(seen.sign.shape[1])
    samples = {str(a): Sample(drawn.values[study, a, : n if a == arm else seen.seeds[study, a]], EMPTY) for a in arms}
    base = drawn.values[study, -1, :n0]
    spread = spreads(samples, list(samples))[str(arm)]
    image = (seen.shown.parts[2][0][study, arm], drawn.units - 1.0)
    parts = ((spread.variance / n, spread.df), (base.var(ddof=1) / n0, n0 - 1.0))
    gain = Gain(float(samples[str(arm)].values.mean() - base.mean()), parts, image)
    p = p_value(gain)
    assert p is not None
    return gain.mean, p


def baseline_seeds() -> None:
    """What a rich baseline buys at the same number of trials."""
    print(
        "### What a rich baseline buys: the gain that is decided four times in five, 300 images\n\n"
        f"As many trials as 6 seeds of every arm and 18 of the baseline, shared out anew; sd of an arm "
        f"{TYPICAL.arm:g}, of the baseline {TYPICAL.baseline:g}; computed, not simulated. In brackets: seeds of an arm "
        "/ of the baseline.\n"
    )
    rows = []
    for arms in (5, 10, 20):
        trials = 6 * arms + 18
        best = TYPICAL.baseline / TYPICAL.arm * arms**0.5
        shares = {"equal": 1.0, "three times": 3.0, "sqrt(k)": arms**0.5, "sqrt(k) s0 / s": best}
        cells = []
        for times in shares.values():
            n = trials / (arms + times)
            look = Look(n, n * times, TWO[-1].alpha)  # type: ignore[arg-type]  # parts of a seed: a formula, no study
            cells.append(f"{detectable_gain([look], arms, 300, TYPICAL):+.4f} ({n:.1f} / {n * times:.1f})")
        rows.append([str(arms), str(trials), *cells])
    table(["arms k", "trials", *(f"baseline: {name}" for name in shares)], rows)
