"""Error rates, coverage and power on simulated studies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hierarchical import ARMS, COLLAPSING, LEVEL, SPREADS, simulate, typical
from many_studies import Estimate, prior_df, take_looks
from tallies import COVERED, DESIGNS, LEAST_POWER, MOST_TRIALS, ONE_SMALL, TWO, Tally, bar, null_bars, rate, table

LEAST_D0, POOLED = 1e-9, 1e6  # a prior as firm as POOLED leaves nothing of an arm's own variance


def null_studies(studies: int) -> None:
    """Family-wise error and coverage when no arm has a gain."""
    print(
        "### No arm has a gain: studies with a false verdict, and intervals that cover the truth\n\n"
        "In brackets: the exact 95 % upper bound of a rate; and the coverage of the noisiest (or failing) arm alone.\n"
    )
    rows = []
    cases = [(ARMS, title, images) for title in SPREADS for images in (10_000, 300, 100)]
    cases += [(ARMS, COLLAPSING, 300)]
    cases += [(arms, title, 300) for arms in (3, 1) for title in SPREADS if arms > 1 or "others" not in title]
    for arms, title, images in cases:
        failing = 0.3 if title == COLLAPSING else 0.0
        truth = np.zeros(arms)
        truth[0] = failing * (0.006 - LEVEL)
        cells = []
        for name, looks in DESIGNS.items():
            rng, tally = np.random.default_rng([arms, images]), Tally()
            for _ in range(0, studies, 1000):
                sd = SPREADS.get(title, typical)(rng, 1000, arms)
                drawn = simulate(rng, np.zeros((1000, arms)), sd, images, failing=failing)
                tally.add(take_looks(drawn, looks), truth)
            cells += tally.row()
            if failing:
                cells[-1] = f"{tally.covered[1:].sum() / tally.studies / (arms - 1):.1%}"
            if failing or "others" in title:
                cells[-1] += f" ({tally.covered[0] / tally.studies:.1%})"
            if not failing:
                kind = "two kinds of arms" if "others" in title else "one kind of arms"
                what = f"{arms} arm{'s' * (arms > 1)}" + f", {kind}" * (arms > 1)
                null_bars(tally, what, f"{title.split(':')[0]}, {images} images", name)
        rows.append([f"{arms}", title, f"{images:,}", *cells])
    head = ["arms", "standard deviations over seeds", "images"]
    table(head + [text for name in DESIGNS for text in (f"{name}: false verdicts", "covered")], rows)


def other_estimates() -> Mapping[str, Estimate | None]:
    """Other ways to estimate an arm's variance, for comparison."""

    def shrink(least: float, most: float, keep_larger: bool) -> Estimate:
        def estimate(own: np.ndarray, df: np.ndarray, pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = np.full(len(own), least) if least == most else prior_df(own, df, pool | True, most)
            d0 = found[:, None]
            shrunk = (d0 * own.mean(axis=1, keepdims=True) + df * own) / (d0 + df)
            return np.maximum(own, shrunk) if keep_larger else shrunk, np.minimum(d0 + df, df.sum(1, keepdims=True))

        return estimate

    return {
        "as it is": None,
        "an arm's own variance": shrink(LEAST_D0, LEAST_D0, True),
        "shrunk, no maximum": shrink(0.0, 4.0, False),
        "shrunk with the maximum, d0 up to 4": shrink(0.0, 4.0, True),
        "all arms pooled": shrink(POOLED, POOLED, False),
    }


def alternatives(studies: int) -> None:
    """Why the arm's variance is estimated as it is."""
    print("### Other estimates of an arm's variance: studies with a false verdict, no gains, 300 images, 3/12 at .05\n")
    rows = []
    for title, spread in SPREADS.items():
        cells = []
        for estimate in other_estimates().values():
            rng, tally = np.random.default_rng(23), Tally()
            drawn = simulate(rng, np.zeros((studies, ARMS)), spread(rng, studies, ARMS), 300, (3, 12))
            tally.add(take_looks(drawn, ONE_SMALL, estimate), np.zeros(ARMS))
            cells.append(f"{tally.wrong / studies:.1%}")
        rows.append([f"{ARMS} arms, {title}", *cells])
    table(["", *other_estimates()], rows)


def power_studies(studies: int) -> None:
    """Power of the two looks for one arm's gain, and the trials that it takes."""
    print(
        f"### One of {ARMS} arms has a gain: how often two looks call it better\n\n"
        "Covered: the intervals that are shown, of all arms; of arms that were decided. A decided arm's interval is "
        "that of the look that decided it.\n"
    )
    rows = []
    for title in list(SPREADS)[:3]:
        for gain in (0.06, 0.04, 0.03):
            for others, images in ((0.0, 300), (0.0, 1000), (0.03, 300)):
                rng, tally, first, better = np.random.default_rng(7), Tally(), 0, 0
                for _ in range(0, studies, 1000):
                    truth = others * rng.standard_normal((1000, ARMS))
                    truth[:, 0] = gain
                    seen = take_looks(simulate(rng, truth, SPREADS[title](rng, 1000, ARMS), images), TWO)
                    tally.add(seen, truth)
                    better += int((seen.sign[:, 0] > 0).sum())
                    first += int(((seen.sign[:, 0] > 0) & (seen.at[:, 0] == 1)).sum())
                kind = title.split(":")[0]
                where = f"others {'sd .03' if others else 'zero'}, {images} images"
                if gain in LEAST_POWER:
                    what = f"power for +{gain:.2f}, {kind} spreads"
                    bar(what, better / studies, LEAST_POWER[gain], np.inf, where)
                trials = np.concatenate(tally.trials)
                bar("trials of a study, the most", trials.max(), 0, MOST_TRIALS, where)
                bar("coverage: 10 arms, one with a gain", tally.coverage(), *COVERED, f"{kind}, +{gain}, {where}")
                rows.append(
                    [kind, f"+{gain:.2f}", f"sd {others:.2f}" if others else "zero", str(images),
                     f"{better / studies:.1%}", f"{first / studies:.1%}", f"{tally.coverage():.1%}",
                     f"{tally.decided_covered / tally.decided:.1%}", f"{trials.mean():.0f} / {trials.max()}"]
                )  # fmt: skip
    table(
        ["spreads", "its gain", "gains of others", "images", "better", "at the first look", "covered", "of decided",
         "trials: mean / most"],
        rows,
    )  # fmt: skip


def headline_studies(studies: int) -> None:
    """The mean over all suggestions: power, and errors of either sign over both looks."""
    print(
        "### The headline: the mean gain of all suggestions, tested at the error rate of each look\n\n"
        "z: mean of (headline - truth) / its standard error, at the last look; 0 without a bias.\n"
    )
    rows = []
    for arms, mean, between, title in (
        *((arms, mean, 0.0, title) for arms in (5, 8) for mean in (0.0, 0.03) for title in list(SPREADS)[:2]),
        (5, 0.0, 0.0, "a third of .040, others .010"),
        (8, 0.0, 0.0, "a third of .040, others .010"),
        (5, 0.03, 0.03, "typical: log-normal, .007 to .030"),
        (8, 0.03, 0.03, "typical: log-normal, .007 to .030"),
    ):
        rng = np.random.default_rng(arms)
        truth = mean + between * rng.standard_normal((studies, arms))
        seen = take_looks(simulate(rng, truth, SPREADS[title](rng, studies, arms), 300), TWO)
        low, high = seen.heads[-1].interval()
        real = truth.mean(axis=1)
        z = float(((seen.heads[-1].mean - real) / seen.heads[-1].error).mean())
        better, worse = int((seen.head_sign > 0).sum()), int((seen.head_sign < 0).sum())
        covered = float(((low <= real) & (real <= high)).mean())
        where = f"{arms} suggestions, mean {mean:+.2f}, {title.split(':')[0]}"
        bar("coverage: headlines", covered, 0.93, 0.97, where)
        rows.append(
            [str(arms), title.split(":")[0], f"{mean:+.2f}", f"{between:.2f}", f"{better / studies:.1%}",
             f"{worse / studies:.1%}", f"{covered:.1%}", f"{z:+.2f}", f"{(seen.sign > 0).any(axis=1).mean():.1%}",
             rate(better + worse, studies) if not mean else ""]
        )  # fmt: skip
    table(
        ["suggestions", "spreads", "mean gain", "sd between them", "better", "worse", "covered", "z", "some arm better",
         "false verdicts"],
        rows,
    )  # fmt: skip
