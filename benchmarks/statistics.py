"""The statistics of a study on trial: error rates, coverage and power, on simulated studies and on real trials.

OMP_NUM_THREADS=1 python -P benchmarks/statistics.py [WORKSPACE ...] [--studies N] > benchmarks/results/statistics.md

Simulated studies follow a hierarchical model: true gains, arms of unequal spread, a baseline, and held-out images that
favour some arms. WORKSPACE is a finished study whose arms have many seeds; studies are drawn from its trials. Every
study is tested by the functions of metricloop.comparison, the ones that test a real study. One process, one thread.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from metricloop.comparison.compare import take_looks
from metricloop.comparison.looks import Look, standings, total_alpha
from metricloop.comparison.power import POWER, seeds_needed
from metricloop.comparison.results import numbers_by_seed, read_results
from metricloop.comparison.statistics import (
    Gain,
    Sample,
    Spread,
    contrast,
    draw_weights,
    interval,
    p_value,
    resampling_units,
    shrunken,
    spreads,
    verdict,
)
from metricloop.data.loading import load
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.study.plan import load_plan

BASE = "random"
ONE_SMALL, ONE_LARGE = (Look(3, 12, 0.05),), (Look(6, 18, 0.05),)
TWO = (Look(3, 12, 0.02), Look(6, 18, 0.03))
ARMS, BASE_SD, IMAGE_SD = 10, 0.02, 0.061  # IMAGE_SD: of a gain on one image
MOST_ERRORS, LEAST_POWER = 0.065, {0.06: 0.80, 0.04: 0.55}  # the bars
COVERED, MOST_TRIALS = (0.93, 0.97), 65


# --- One study, as it is run ---------------------------------------------------------------------------------------


SpreadsOf = Callable[[Mapping[str, Sample], Sequence[str], Sequence[str]], dict[str, Spread]]


class Study(NamedTuple):
    """verdicts: arm -> outcome after all looks; gains and samples: at the last look taken; trials: of all arms."""

    verdicts: dict[str, str]
    gains: dict[str, Gain]
    samples: dict[str, Sample]
    trials: int
    heads: tuple[tuple[Gain, float], ...]  # per look: the mean over all arms, and the look's error rate


def run_study(
    all_seeds: Mapping[str, Sample], looks: Sequence[Look], units: int, spreads_of: SpreadsOf = spreads
) -> Study:
    """Run the looks on arms whose results are known in advance; only what a look asks for is used."""
    arms = [arm for arm in all_seeds if arm != BASE]
    going, seen, found, heads = set(arms), {}, [], []
    for look in looks:
        if not going:
            break
        seen |= {arm: all_seeds[arm].first(look.arms) for arm in going} | {BASE: all_seeds[BASE].first(look.baseline)}
        spread = spreads_of(seen, arms, [BASE])
        gains = {arm: contrast({arm: 1.0, BASE: -1.0}, seen, spread, units) for arm in arms}
        found.append({arm: gains[arm] for arm in going})
        head = contrast(dict.fromkeys(arms, 1 / len(arms)) | {BASE: -1.0}, seen, spread, units)
        heads.append((head, look.alpha))
        standing = standings(arms, found, looks)
        going = {arm for arm in going if standing[arm].decided_at is None and not standing[arm].stopped}
    told = {arm: verdict(standing[arm].p, interval(gains[arm]), total_alpha(looks)) for arm in arms}
    return Study(told, gains, seen, sum(len(own.values) for own in seen.values()), tuple(heads))


def check(studies: int = 100) -> None:
    """Stop unless `compare` says the same as `run_study` of the same results."""
    rng = np.random.default_rng(3)
    for _ in range(studies):
        truth = 0.03 * rng.standard_normal(ARMS)
        study = run_study(simulate(rng, truth, typical(rng, ARMS), 300, (6, 18)), TWO, 300)
        numbers = {arm: {seed: {} for seed in range(len(own.values))} for arm, own in study.samples.items()}
        arms = [arm for arm in numbers if arm != BASE]
        tested = take_looks(
            study.samples,
            numbers=numbers,
            baseline=BASE,
            families={"treatment": arms, "control": []},
            groups={},
            paired=(),
            looks=TWO,
            units=300,
        )
        said = {arm: verdict(tested.standing[arm].p, interval(tested.gains[arm]), total_alpha(TWO)) for arm in arms}
        assert said == study.verdicts, (said, study.verdicts)


@dataclass
class Tally:
    """Sums over studies whose true gains are known. Arm "0" is the noisiest where arms differ by design."""

    studies: int = 0
    wrong: int = 0  # studies with a verdict that the true gain does not have
    covered: int = 0
    intervals: int = 0
    noisiest: int = 0  # studies whose interval of arm "0" covers
    trials: list[int] = field(default_factory=list)

    def add(self, study: Study, truth: Mapping[str, float]) -> None:
        self.studies += 1
        signs = {"better": 1, "worse": -1}
        self.wrong += any(
            told in signs and signs[told] * round(truth[arm], 12) <= 0 for arm, told in study.verdicts.items()
        )
        for arm, gain in study.gains.items():
            low, high = interval(gain)
            self.covered += low <= truth[arm] <= high
            self.noisiest += arm == "0" and low <= truth[arm] <= high
            self.intervals += 1
        self.trials.append(study.trials)

    def row(self) -> list[str]:
        return [rate(self.wrong, self.studies), f"{self.covered / self.intervals:.1%}", f"{np.mean(self.trials):.1f}"]


class Bar(NamedTuple):
    """One measured number against its bar."""

    what: str
    value: float
    least: float
    most: float


BARS: list[Bar] = []


def bars() -> None:
    """The worst number of each kind against its bar."""
    print("## Bars\n\nThe worst line of each table.\n")
    rows = []
    for what in dict.fromkeys(bar.what for bar in BARS):
        own = [bar for bar in BARS if bar.what == what]
        low, high = min(bar.value for bar in own), max(bar.value for bar in own)
        met = all(bar.least <= bar.value <= bar.most for bar in own)
        limits = f"{own[0].least:g} or more" if own[0].most == np.inf else f"{own[0].least:g} to {own[0].most:g}"
        rows.append([what, f"{low:.3g} to {high:.3g}", limits, "yes" if met else "**no**"])
    table(["", "seen", "bar", "met"], rows)


def upper(count: int, of: int) -> float:
    """Exact (Clopper-Pearson) one-sided 95 % upper bound of a rate."""
    return float(stats.beta.ppf(0.95, count + 1, of - count)) if count < of else 1.0


def rate(count: int, of: int) -> str:
    return f"{count / of:.1%} (below {upper(count, of):.1%})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


# --- Simulated studies ---------------------------------------------------------------------------------------------


Spreads = Callable[[np.random.Generator, int], np.ndarray]


def typical(rng: np.random.Generator, arms: int) -> np.ndarray:
    return 0.014 * np.exp(0.46 * rng.standard_normal(arms))  # nine of ten between .0066 and .030


def wide(rng: np.random.Generator, arms: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(0.004), np.log(0.056), arms))


def fixed(low: float, high: float, noisy: float) -> Spreads:
    """A share of the arms scatters by `high`, the others by `low`."""
    return lambda rng, arms: np.where(np.arange(arms) < max(round(noisy * arms), 1), high, low)


SPREADS: dict[str, Spreads] = {
    "typical: log-normal, .007 to .030": typical,
    "wide: log-uniform, .004 to .056": wide,
    "equal: .014": fixed(0.014, 0.014, 1),
    "one of .050, others .008": fixed(0.008, 0.05, 0),
    "a third of .040, others .010": fixed(0.01, 0.04, 0.3),
    "half of .030, others .006": fixed(0.006, 0.03, 0.5),
}


def simulate(
    rng: np.random.Generator, truth: np.ndarray, sd: np.ndarray, images: int, seeds: tuple[int, int]
) -> dict[str, Sample]:
    """Arms 0, 1, ... and the baseline, with seeds = (of an arm, of the baseline).

    The images' part is drawn directly: an effect per arm (the same in all its seeds), and replicates of it whose
    variance has the images - 1 degrees of freedom of a bootstrap over images. images = 0: the images have no part.
    """
    size = IMAGE_SD / np.sqrt(2 * images) if images else 0.0  # half of a gain's variance each to arm and baseline
    luck = size * rng.standard_normal(len(truth) + 1)
    drawn = size * np.sqrt(1 - 1 / max(images, 2)) * rng.standard_normal((max(images, 2), len(truth) + 1))
    samples = {}
    for place, (name, mean, spread) in enumerate(
        [*((str(a), truth[a], sd[a]) for a in range(len(truth))), (BASE, 0.0, BASE_SD)]
    ):
        n = seeds[name == BASE]
        values = mean + luck[place] + spread * rng.standard_normal(n)
        samples[name] = Sample(values, np.broadcast_to(drawn[:, place : place + 1], (len(drawn), n)))
    return samples


def units_of(images: int) -> int:
    return max(images, 2)


def named(gains: np.ndarray) -> dict[str, float]:
    return {str(a): float(gain) for a, gain in enumerate(gains)}


def null_studies(studies: int) -> None:
    """Family-wise error and coverage when no arm has a gain."""
    print(
        "### No arm has a gain: studies with a false verdict, and intervals that cover the truth\n\n"
        "In brackets: the exact 95 % upper bound of a rate; and the coverage of the noisiest arm alone.\n"
    )
    rows = []
    for arms in (ARMS, 3, 1):
        for title, spread in SPREADS.items():
            for images in (0, 300, 100) if arms == ARMS else (300,):
                if arms == 1 and "others" in title:
                    continue
                rng = np.random.default_rng([arms, images])
                tallies = {looks: Tally() for looks in (ONE_SMALL, ONE_LARGE, TWO)}
                zero = np.zeros(arms)
                for _ in range(studies):
                    drawn = simulate(rng, zero, spread(rng, arms), images, (6, 18))
                    for looks, tally in tallies.items():
                        tally.add(run_study(drawn, looks, units_of(images)), named(zero))
                cells = []
                for looks, tally in tallies.items():
                    cells += tally.row()[:2]
                    if "others" in title:
                        cells[-1] += f" ({tally.noisiest / tally.studies:.1%})"
                    if arms == ARMS:
                        of = "two kinds of arms" if "others" in title else "one kind of arms"
                        BARS.append(Bar(f"coverage, {of}", tally.covered / tally.intervals, *COVERED))
                    what = f"{arms} arm{'s' * (arms > 1)}, {design(looks)}"
                    BARS.append(
                        Bar(f"false verdicts, upper bound: {what}", upper(tally.wrong, studies), 0, MOST_ERRORS)
                    )
                rows.append([f"{arms}", title, str(images or "all"), *cells])
                print(rows[-1], file=sys.stderr, flush=True)
    head = ["arms", "standard deviations over seeds", "images"]
    for name in ("3/12", "6/18", "two looks"):
        head += [f"{name}: false verdicts", "covered"]
    table(head, rows)


POOLED = 1e6  # a prior as firm as this leaves nothing of an arm's own variance


def estimated_df(variances: np.ndarray, df: np.ndarray) -> float:
    """limma's d0, without a limit by the number of arms (Smyth 2004)."""
    z = np.log(variances) - special.digamma(df / 2) + np.log(df / 2)
    excess = z.var(ddof=1) - special.polygamma(1, df / 2).mean()
    if excess <= special.polygamma(1, POOLED):
        return POOLED
    return 2 * optimize.brentq(lambda half: special.polygamma(1, half) - excess, 1e-4, POOLED)


def other_spreads() -> dict[str, SpreadsOf]:
    """Other ways to estimate an arm's variance, for comparison."""

    def shrink(limit: float, keep_larger: bool) -> SpreadsOf:
        def spreads_of(seen: Mapping[str, Sample], alike: Sequence[str], alone: Sequence[str]) -> dict[str, Spread]:
            found = spreads(seen, (), alone)
            s2, df = (np.array([getattr(found[arm], key) for arm in alike]) for key in ("variance", "df"))
            d0 = limit if limit in (0.0, POOLED) else min(limit, estimated_df(s2, df))
            shrunk = (d0 * s2.mean() + df * s2) / (d0 + df)
            kept = np.maximum(s2, shrunk) if keep_larger else shrunk
            most = df.sum()
            return found | {a: Spread(v, min(d0 + d, most)) for a, v, d in zip(alike, kept, df, strict=True)}

        return spreads_of

    return {
        "as it is": spreads,
        "an arm's own variance": shrink(0.0, True),
        "shrunk, no maximum": shrink(4.0, False),
        "shrunk with the maximum, d0 up to 4": shrink(4.0, True),
        "all arms pooled": shrink(POOLED, False),
    }


def alternatives(studies: int) -> None:
    """Why the arm's variance is estimated as it is."""
    print("### Other estimates of an arm's variance: studies with a false verdict, no gains, 300 images, 3/12 at .05\n")
    rows = []
    for arms, title in [*((ARMS, name) for name in SPREADS), (3, "a third of .040, others .010")]:
        spread, cells = SPREADS[title], []
        for spreads_of in other_spreads().values():
            rng, tally = np.random.default_rng(23), Tally()
            for _ in range(studies):
                drawn = simulate(rng, np.zeros(arms), spread(rng, arms), 300, (3, 12))
                tally.add(run_study(drawn, ONE_SMALL, 300, spreads_of), named(np.zeros(arms)))
            cells.append(f"{tally.wrong / studies:.1%}")
        rows.append([f"{arms} arms, {title}", *cells])
        print(rows[-1], file=sys.stderr, flush=True)
    table(["", *other_spreads()], rows)


def power_studies(studies: int) -> None:
    """Power of the two looks for one arm's gain, and the trials that it takes."""
    print(f"### One of {ARMS} arms has a gain: how often two looks call it better\n")
    rows = []
    for title in list(SPREADS)[:3]:
        for gain in (0.06, 0.04, 0.03):
            for others in (0.0, 0.03):
                for images in (300,) if others else (300, 1000):
                    rng = np.random.default_rng(7)
                    tally, first, better = Tally(), 0, 0
                    for _ in range(studies):
                        truth = others * rng.standard_normal(ARMS)
                        truth[0] = gain
                        study = run_study(simulate(rng, truth, SPREADS[title](rng, ARMS), images, (6, 18)), TWO, images)
                        tally.add(study, named(truth))
                        better += study.verdicts["0"] == "better"
                        first += len(study.samples["0"].values) == 3 and study.verdicts["0"] == "better"
                    if gain in LEAST_POWER and not title.startswith("equal"):
                        what = f"power for +{gain:.2f}, {title.split(':')[0]} spreads"
                        BARS.append(Bar(what, better / studies, LEAST_POWER[gain], np.inf))
                    BARS.append(Bar("trials of a study, the most", max(tally.trials), 0, MOST_TRIALS))
                    trials = [np.mean(tally.trials), np.percentile(tally.trials, 95), max(tally.trials)]
                    rows.append(
                        [
                            title.split(":")[0],
                            f"+{gain:.2f}",
                            f"sd {others:.2f}" if others else "zero",
                            str(images),
                            f"{better / studies:.1%}",
                            f"{first / studies:.1%}",
                            f"{tally.covered / tally.intervals:.1%}",
                            " / ".join(f"{number:.0f}" for number in trials),
                        ]
                    )
                    print(rows[-1], file=sys.stderr, flush=True)
    table(
        ["spreads", "its gain", "gains of others", "images", "better", "at the first look", "covered",
         "trials: mean / 95th percentile / most"],
        rows,
    )  # fmt: skip


def headline_studies(studies: int) -> None:
    """The mean over all suggestions: power, and errors over both looks."""
    print("### The headline: the mean gain of all suggestions, tested at the error rate of each look\n")
    rows = []
    for arms in (5, 8):
        for mean, between in ((0.0, 0.0), (0.03, 0.0), (0.03, 0.03)):
            rng = np.random.default_rng(arms)
            better = wrong = covered = single = 0
            for _ in range(studies):
                truth = mean + between * rng.standard_normal(arms)
                study = run_study(simulate(rng, truth, typical(rng, arms), 300, (6, 18)), TWO, 300)
                told = {verdict(p_value(gain), interval(gain), alpha) for gain, alpha in study.heads}
                better += "better" in told
                wrong += bool(told - {"undecided"}) and not mean
                low, high = interval(study.heads[-1][0])
                covered += low <= truth.mean() <= high
                single += any(v == "better" for v in study.verdicts.values())
            rows.append(
                [str(arms), f"{mean:+.2f}", f"{between:.2f}", f"{better / studies:.1%}",
                 rate(wrong, studies) if not mean else "", f"{covered / studies:.1%}", f"{single / studies:.1%}"]
            )  # fmt: skip
    table(
        ["suggestions", "mean gain", "sd between them", "better", "false verdicts", "covered", "some arm better"], rows
    )


def seeds_needed_studies(studies: int) -> None:
    """Follow the advice: give an undecided arm that many seeds, and see whether it is decided."""
    print(
        "### Following `seeds_needed`: how often an undecided arm is decided, and rightly, after that many seeds\n\n"
        f"{ARMS} arms of typical spread, 300 images; gains of all arms drawn with the standard deviation given.\n"
    )
    rows = []
    for between in (0.03, 0.05):
        for name, looks in (("first", TWO[:1]), ("second", TWO)):
            rng = np.random.default_rng(11)
            followed = {0: [], 1: []}
            seeds: dict[int, list[int]] = {0: [], 1: []}
            asked = none = 0
            for _ in range(studies):
                truth = between * rng.standard_normal(ARMS)
                drawn = simulate(rng, truth, typical(rng, ARMS), 300, (99, 297))
                study = run_study(drawn, looks, 300)
                expected = shrunken(study.gains)
                for arm, told in study.verdicts.items():
                    if told != "undecided":
                        continue
                    asked += 1
                    now = (len(study.samples[arm].values), len(study.samples[BASE].values))
                    needed = seeds_needed(study.gains[arm], expected[arm], now, TWO, ARMS)
                    none += needed is None
                    for place, n in enumerate(needed or ()):
                        if n is not None:
                            more = {arm: drawn[arm].first(n), BASE: drawn[BASE].first(max(now[1], 3 * n))}
                            seen = study.samples | more
                            spread = spreads(seen, [a for a in seen if a != BASE], alone=[BASE])
                            gain = contrast({arm: 1.0, BASE: -1.0}, seen, spread, 300)
                            right = gain.mean * truth[int(arm)] > 0
                            followed[place].append(right and p_value(gain) < TWO[-1].alpha / ARMS)
                            seeds[place].append(n)
            BARS.append(Bar("seeds_needed, upper number: decided", float(np.mean(followed[1])), POWER, np.inf))
            rows.append(
                [f"{between:.2f}", name, str(asked), f"{none / asked:.0%}"]
                + [cell for p in (0, 1) for cell in (f"{np.mean(followed[p]):.1%}", f"{np.median(seeds[p]):.0f}",
                                                     str(len(seeds[p])))]
            )  # fmt: skip
            print(rows[-1], file=sys.stderr, flush=True)
    table(
        ["sd of gains", "after look", "undecided", "no number", "lower number: decided", "median seeds", "arms",
         "upper number: decided", "median seeds", "arms"],
        rows,
    )  # fmt: skip


def image_studies(studies: int) -> None:
    """The estimator of the images' part, on whole matrices of seeds x images."""
    print(
        "### Whole matrices of seeds x images: is each part of the error counted once?\n\n"
        "Five arms without a gain over all images of the kind, 100 images in the split; 3 seeds of an arm, 12 of the "
        "baseline; numbers are standard deviations.\n"
    )
    rows = []
    for seed_sd, image_sd, cross_sd in ((0.014, 0.0, 0.0), (0.01, 0.06, 0.0), (0.01, 0.0, 0.15), (0.01, 0.06, 0.15)):
        rng = np.random.default_rng(13)
        tally = Tally()
        arms, images = 5, 100
        for _ in range(studies):
            weights = draw_weights(np.arange(images), 200, rng) / images
            samples = {}
            for name in [*map(str, range(arms)), BASE]:
                n = 12 if name == BASE else 3
                favour = image_sd * rng.standard_normal((1, images)) / np.sqrt(2)
                values = favour + cross_sd * rng.standard_normal((n, images))
                values += (BASE_SD if name == BASE else seed_sd) * rng.standard_normal((n, 1))
                samples[name] = Sample(values.mean(axis=1), weights @ values.T)
            tally.add(run_study(samples, ONE_SMALL, images), dict.fromkeys(map(str, range(arms)), 0.0))
        rows.append([f"{seed_sd}", f"{image_sd}", f"{cross_sd}", *tally.row()[:2]])
        print(rows[-1], file=sys.stderr, flush=True)
    table(["seeds", "images, of a gain", "seeds x images", "false verdicts", "covered"], rows)


# --- Studies drawn from real trials --------------------------------------------------------------------------------


class Trials(NamedTuple):
    """Finished trials: arm -> (values, replicated), and the number of bootstrap units; on `splits` drawn splits.

    truth: arm -> mean mAP of all seeds on the whole search split. Each split is drawn with replacement from the search
    images, as the search images were from all images of their kind, and its replicates from its own images.
    """

    truth: dict[str, float]
    splits: list[dict[str, Sample]]
    units: int


def read_trials(workspace: Path, splits: int, replicates: int) -> Trials:
    """Read a finished workspace; splits = 0 keeps the search split as it is."""
    plan = load_plan(workspace)
    results = read_results(plan, workspace)
    data = load(workspace / "data", workspace, "search")  # labels only: the pictures are not read
    numbers = numbers_by_seed(results)
    unit = resampling_units(data.group)
    units, positives = int(unit.max()) + 1, count_positives(data)
    rng = np.random.default_rng(17)
    drawn, chunks = [], [np.ones((1, len(unit)), int)]
    for _ in range(splits):
        counts = rng.multinomial(units, np.full(units, 1 / units))
        again = rng.multinomial(units, counts / units, size=replicates)
        chunks.append(np.vstack([counts, again])[:, unit])
    weights = np.vstack(chunks)
    values: dict[str, list[np.ndarray]] = {}
    for result in results:
        for matches in result.matches.values():
            values.setdefault(result.arm, []).append(weighted_ap(matches, data.image_id, positives, weights)[0])
    whole = {arm: np.stack(own, axis=1) for arm, own in values.items()}
    for split in range(splits):
        begin = 1 + split * (replicates + 1)
        drawn.append({arm: Sample(own[begin], own[begin + 1 : begin + 1 + replicates]) for arm, own in whole.items()})
    baseline = next(arm for arm, spec in plan["arms"].items() if spec["role"] == "baseline")
    rename = {arm: BASE if arm == baseline else arm for arm in numbers}
    return Trials(
        {rename[arm]: float(own[0].mean()) for arm, own in whole.items()},
        [{rename[arm]: own for arm, own in split.items()} for split in drawn],
        units,
    )


def take(sample: Sample, seeds: np.ndarray, add: float = 0.0) -> Sample:
    return Sample(sample.values[seeds] + add, sample.replicated[:, seeds] + add)


def real_studies(workspace: Path, studies: int) -> None:
    """Error rates, coverage and power on the trials of a workspace."""
    trials = read_trials(workspace, splits=40, replicates=150)
    first = trials.splits[0]
    seeds = {arm: len(own.values) for arm, own in first.items()}
    arms = [arm for arm, n in seeds.items() if arm != BASE and n > 2]
    print(
        f"## Real trials: {workspace.name}\n\n{sum(seeds.values())} trials, {trials.units} search images; seeds per "
        f"arm: {', '.join(f'{arm} {n}' for arm, n in seeds.items())}.\n"
    )
    table(
        ["arm", "mean mAP", "gain", "standard deviation over seeds"],
        [
            [arm, f"{trials.truth[arm]:.4f}", f"{trials.truth[arm] - trials.truth[BASE]:+.4f}",
             f"{np.mean([np.std(split[arm].values, ddof=1) for split in trials.splits]):.4f}"]
            for arm in (BASE, *arms)
        ],
    )  # fmt: skip
    rng = np.random.default_rng(19)
    rows = []
    if seeds[BASE] >= 12 + 3:
        for looks in (ONE_SMALL, ONE_LARGE, TWO):
            per, need = looks[-1].arms, looks[-1].baseline
            family = min(ARMS, (seeds[BASE] - need) // per)
            if family < 1:
                continue
            tally = Tally()
            for _ in range(studies):
                split = trials.splits[rng.integers(len(trials.splits))]
                order = rng.permutation(seeds[BASE])
                drawn = {BASE: take(split[BASE], order[:need])}
                for a in range(family):
                    drawn[str(a)] = take(split[BASE], order[need + a * per : need + (a + 1) * per])
                tally.add(run_study(drawn, looks, trials.units), dict.fromkeys(map(str, range(family)), 0.0))
            rows.append([f"{family} arms of random's own seeds, disjoint", design(looks), *tally.row()])
            real_bars(workspace, tally)
    for looks in (ONE_SMALL, ONE_LARGE, TWO):
        tally = Tally()
        for _ in range(studies):
            drawn, _ = resampled(rng, trials, arms, looks, centred=True)
            tally.add(run_study(drawn, looks, trials.units), dict.fromkeys(arms, 0.0))
        rows.append([f"{len(arms)} arms, true gains taken away", design(looks), *tally.row()])
        real_bars(workspace, tally)
    table(["no arm has a gain", "looks", "false verdicts", "covered", "trials"], rows)
    tally, better = Tally(), dict.fromkeys(arms, 0)
    for _ in range(studies):
        drawn, truth = resampled(rng, trials, arms, TWO, centred=False)
        study = run_study(drawn, TWO, trials.units)
        tally.add(study, truth)
        for arm, told in study.verdicts.items():
            better[arm] += told == "better"
    print(
        f"Arms as they are, two looks: {tally.covered / tally.intervals:.1%} of the intervals cover the truth; wrong "
        f"verdicts in {rate(tally.wrong, studies)} of the studies; {np.mean(tally.trials):.0f} trials on average.\n"
    )
    truth = {arm: trials.truth[arm] - trials.truth[BASE] for arm in arms}
    table(
        ["arm", "true gain", "called better"],
        [[arm, f"{truth[arm]:+.3f}", f"{better[arm] / studies:.0%}"] for arm in sorted(arms, key=lambda a: -truth[a])],
    )


def real_bars(workspace: Path, tally: Tally) -> None:
    BARS.append(
        Bar(f"false verdicts, upper bound: {workspace.name}", upper(tally.wrong, tally.studies), 0, MOST_ERRORS)
    )
    BARS.append(Bar(f"coverage, {workspace.name}", tally.covered / tally.intervals, *COVERED))


def resampled(
    rng: np.random.Generator, trials: Trials, arms: Sequence[str], looks: Sequence[Look], centred: bool
) -> tuple[dict[str, Sample], dict[str, float]]:
    """A study of these arms on one of the splits: seeds with replacement; centred: their true gains are taken away."""
    split = trials.splits[rng.integers(len(trials.splits))]
    truth = {arm: trials.truth[arm] - trials.truth[BASE] for arm in arms}
    drawn = {}
    for arm in (*arms, BASE):
        n = looks[-1].baseline if arm == BASE else looks[-1].arms
        seeds = rng.integers(0, len(split[arm].values), n)
        drawn[arm] = take(split[arm], seeds, -truth[arm] if centred and arm != BASE else 0.0)
    return drawn, truth


def design(looks: Sequence[Look]) -> str:
    return ", then ".join(f"{look.arms}/{look.baseline} at {look.alpha:g}" for look in looks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", nargs="*", type=Path, metavar="WORKSPACE")
    parser.add_argument("--studies", type=int, default=2000, help="studies per line of a table")
    parser.add_argument("--real-only", action="store_true", help="leave the simulated studies out")
    given = parser.parse_args()
    begin = time.perf_counter()
    check()
    command = " ".join(["OMP_NUM_THREADS=1 python -P benchmarks/statistics.py", *sys.argv[1:]])
    print(f"# The statistics on trial\n\n`{command}`, {date.today()}, Python {platform.python_version()}.\n")
    if not given.real_only:
        print(f"## Simulated studies\n\n{given.studies:,} studies per line.\n")
        null_studies(given.studies)
        alternatives(given.studies)
        power_studies(given.studies)
        headline_studies(given.studies)
        seeds_needed_studies(max(given.studies // 4, 50))
        image_studies(given.studies)
    for workspace in given.workspaces:
        real_studies(workspace, given.studies)
    bars()
    print(f"{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
