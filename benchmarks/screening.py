"""Screening on trial: do short trials agree with full ones, what do they save, and do they keep the error rate?

python -P benchmarks/screening.py WORKSPACE ... --simulate 4000 > benchmarks/results/screening.md

WORKSPACE is a finished study in which every arm has full trials. Its short trials are run here, through the function of
the stage `screen`, and nothing is written but the store of pixels; `--jobs` trials at the same time.

--simulate draws studies on the search images that the short trials were judged by, and tests them by the functions of
metricloop.comparison.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import binom, spearmanr

from metricloop import layout
from metricloop.comparison.looks import Look, standings, total_alpha
from metricloop.comparison.screening import Screening, screened
from metricloop.comparison.spreads import Sample, spreads
from metricloop.comparison.statistics import Gain, contrast, interval, p_value, verdict
from metricloop.data.seeds import parse_seeds
from metricloop.data.tables import read_json
from metricloop.execution.engine import Work, in_order
from metricloop.execution.local import Local
from metricloop.params import Params, Screen, load_params
from metricloop.study.plan import load_plan
from metricloop.study.screens import screen_seeds
from metricloop.training.parallel import parallel_jobs
from metricloop.training.short_trial import short_trial, shortened
from metricloop.training.trials import read_inputs, trial_of

BASE = "random"
LOOKS = (Look(3, 12, 0.02), Look(6, 18, 0.03))
ARM_SD, BASE_SD, IMAGE_SD = 0.014, 0.02, 0.061  # of trials; IMAGE_SD: of a gain on one image
SHRUNKEN = 0.7  # a short trial shows this share of the true gain


# --- Real studies: short trials of every arm ------------------------------------------------------------------------


@dataclass(frozen=True)
class Trials:
    """An arm's mean mAP over all its full trials, and its mean over two short trials."""

    arm: str
    role: str
    full: float
    seeds: int
    verdict: str | None
    short: float


def trial(task: tuple[Path, str, int, Params], shared: None) -> float:
    """The mAP of one short trial."""
    folder, arm, seed, params = task
    os.chdir(folder)  # paths of a workspace are relative to it
    asked = trial_of(f"{arm} seed {seed}, short", arm, seed)
    numbers, trained = short_trial(asked, read_inputs(params, "search"))
    trained.clear_scratch()
    return numbers["mAP"]


def measure(folder: Path, params: Params, jobs: int) -> list[Trials]:
    """Run the short trials of a finished study."""
    rows = {arm["name"]: arm for arm in read_json(folder / layout.COMPARISON)["arms"]}
    seeds = {
        name: parse_seeds(screen_seeds(params.screen.baseline if row["role"] == "baseline" else params.screen.seeds))
        for name, row in rows.items()
    }
    tasks = [(folder, name, seed, params) for name, own in seeds.items() for seed in own]
    found: dict[str, list[float]] = {}
    numbers = in_order(Local().run(Work(trial, None, jobs=jobs), tasks))
    for (_, name, _, _), number in zip(tasks, numbers, strict=True):
        found.setdefault(name, []).append(number)
    return [
        Trials(name, row["role"], row["mAP"]["mean"], len(row["seeds"]), row["verdict"], float(np.mean(found[name])))
        for name, row in rows.items()
    ]


def real_study(folder: Path, share: float, jobs: int) -> None:
    """Report on one workspace."""
    params = load_params(folder / layout.PARAMS)
    params = params.model_copy(update={"screen": Screen(seeds=2, share=share)})
    began = time.monotonic()
    trials = measure(folder, params, parallel_jobs(params) if jobs == 0 else jobs)
    minutes = (time.monotonic() - began) / 60
    plan = {"arms": load_plan(folder)["arms"], "blocks": {}}
    tried = [one for one in trials if one.role != "control"]
    found = screened(plan, {one.arm: one.short for one in tried})
    print(f"\n## {params.study.name}\n")
    print(
        f"{shortened(params).train.iterations} of {params.train.iterations} iterations, 2 short trials of every arm "
        f"and {params.screen.baseline} of {BASE}, {minutes:.0f} minutes.\n"
    )
    head = ("arm", "role", "full mAP", "full trials", "verdict", "short mAP", "screening")
    table(head, [_row(one, found) for one in sorted(trials, key=lambda one: -one.full)])
    print()
    for line in conclusions(trials, found, params):
        print(f"- {line}")


def _row(one: Trials, found: Screening) -> tuple[str, ...]:
    told = "stops" if one.arm in found.stopped else "goes on" if one.role == "treatment" else ""
    return one.arm, one.role, f"{one.full:.3f}", str(one.seeds), one.verdict or "", f"{one.short:.3f}", told


def conclusions(trials: Sequence[Trials], found: Screening, params: Params) -> list[str]:
    """Agreement with full trials, arms lost, and trials saved in units of a full trial."""
    treatments = [one for one in trials if one.role == "treatment"]
    stopped = [one for one in treatments if one.arm in found.stopped]
    lost = [one.arm for one in stopped if one.verdict == "better"]
    spent = params.screen.share * (params.screen.baseline + params.screen.seeds * len(treatments))
    first, all_trials = params.looks.arms[0], sum(one.seeds for one in trials)
    saved = sum(one.seeds for one in stopped)
    lines = [
        f"Spearman's rho of short and full means: {rho(trials):.2f} over all {len(trials)} arms, {rho(treatments):.2f} "
        f"over the {len(treatments)} treatments.",
        f"Stopped: {len(stopped)} of {len(treatments)} treatments; full means of these at or above {BASE}'s: "
        f"{sum(one.full >= baseline(trials) for one in stopped)}.",
        f"Arms that are better and would have been lost: {', '.join(lost) or 'none'}.",
        f"Full trials saved: {saved} of {all_trials} (at least {first} per stopped arm). Short trials cost {spent:.1f} "
        f"full ones. Net: {saved - spent:+.1f}, {100 * (saved - spent) / all_trials:+.0f} %.",
    ]
    return [*lines, "Equal decisions: " + ("yes." if not lost else "no.")]


def rho(trials: Sequence[Trials]) -> float:
    return float(spearmanr([one.short for one in trials], [one.full for one in trials]).statistic)


def baseline(trials: Sequence[Trials]) -> float:
    return next(one.full for one in trials if one.role == "baseline")


# --- Simulated studies: the error rate ------------------------------------------------------------------------------


@dataclass
class Tally:
    """What happened in simulated studies; `Screened` studies and the same ones without screening."""

    studies: int = 0
    wrong: int = 0
    heads: int = 0
    wrong_heads: int = 0
    covered: int = 0
    intervals: int = 0
    bias: float = 0.0
    found: int = 0
    trials: float = 0.0


def simulated_study(
    rng: np.random.Generator, truth: np.ndarray, images: int, same_draws: bool
) -> tuple[dict[str, Sample], set[str]]:
    """Full results of every arm, and the arms that short trials on the same images let go on.

    The luck of an arm with the search images is the same in short and full trials. same_draws: short trials have the
    seeds of the first full ones, and the luck of a draw is the same too; otherwise they have seeds of their own.
    """
    arms = [*(str(place) for place in range(len(truth))), BASE]
    sd = np.append(ARM_SD * np.exp(0.46 * rng.standard_normal(len(truth))), BASE_SD)
    size = IMAGE_SD / np.sqrt(2 * images)
    luck = size * rng.standard_normal(len(arms))
    drawn = size * np.sqrt(1 - 1 / images) * rng.standard_normal((images, len(arms)))
    means = np.append(truth, 0.0)
    samples, short = {}, {}
    for place, arm in enumerate(arms):
        n = 18 if arm == BASE else 6
        own = sd[place] * rng.standard_normal(n)
        samples[arm] = Sample(
            means[place] + luck[place] + own, np.broadcast_to(drawn[:, place : place + 1], (images, n))
        )
        few = 6 if arm == BASE else 2
        noise = own[:few] if same_draws else sd[place] * rng.standard_normal(few)
        short[arm] = float(np.mean(SHRUNKEN * means[place] + luck[place] + noise))
    plan = {"arms": {arm: {"role": "baseline" if arm == BASE else "treatment"} for arm in arms}, "blocks": {}}
    return samples, set(screened(plan, short).passed)


def tested(
    samples: dict[str, Sample], on: Iterable[str], images: int
) -> tuple[dict[str, str], dict[str, Gain], Gain, int]:
    """Verdicts, gains and their mean at the first look, and the number of trials; arms that are not `on` have p = 1."""
    family = [arm for arm in samples if arm != BASE]
    going = started = [arm for arm in family if arm in set(on)]
    seen: dict[str, Sample] = {}
    per_look: list[dict[str, Gain]] = []
    mean = None
    standing = standings(family, [], LOOKS)
    for look in LOOKS:
        if not going:
            break
        seen |= {arm: samples[arm].first(look.arms) for arm in going} | {BASE: samples[BASE].first(look.baseline)}
        spread = spreads(seen, started, [BASE])
        gains = {arm: contrast({arm: 1.0, BASE: -1.0}, seen, spread, images) for arm in started}
        mean = mean or contrast(dict.fromkeys(started, 1 / len(started)) | {BASE: -1.0}, seen, spread, images)
        per_look.append({arm: gains[arm] for arm in going})
        standing = standings(family, per_look, LOOKS)
        going = [arm for arm in going if standing[arm].decided_at is None and not standing[arm].stopped]
    told = {
        arm: verdict(standing[arm].p, interval(gains[arm]), total_alpha(LOOKS)) for arm in started if standing[arm].p
    }
    return told, per_look[0] if per_look else {}, mean, sum(len(own.values) for own in seen.values()) or 12


def tally(studies: int, truth: np.ndarray, images: int, *, screen: bool, same_draws: bool, target: float) -> Tally:
    """Simulate studies. target: a true gain of this size counts as found if its verdict is better."""
    rng, found = np.random.default_rng(11), Tally()
    for _ in range(studies):
        samples, passed = simulated_study(rng, truth, images, same_draws)
        told, gains, mean, trials = tested(samples, passed if screen else samples, images)
        found.studies += 1
        found.trials += trials + (0.4 * (2 * len(truth) + 6) if screen else 0.0)
        found.wrong += any(word != "undecided" and truth[int(arm)] == 0 for arm, word in told.items())
        found.found += any(word == "better" and truth[int(arm)] == target for arm, word in told.items())
        for arm, gain in gains.items():
            low, high = interval(gain)
            found.covered += low <= truth[int(arm)] <= high
            found.bias += gain.mean - truth[int(arm)]
            found.intervals += 1
        if mean is not None and len(gains) > 1:
            found.heads += 1
            found.wrong_heads += (p_value(mean) or 1.0) < 0.05
    return found


def simulations(studies: int) -> None:
    """False verdicts without any gain, and what one arm with a gain costs and finds."""
    print(f"\n## Simulated studies\n\n{studies} studies a row, 10 arms, looks 3/12 and 6/18 at .02 and .03.\n")
    print("No arm has a gain:\n")
    rows = []
    for images in (100, 300, 1000):
        for name, screen, same in (("none", False, False), ("own seeds", True, False), ("same seeds", True, True)):
            one = tally(studies, np.zeros(10), images, screen=screen, same_draws=same, target=1.0)
            rows.append((
                str(images), name, rate(one.wrong, one.studies), rate(one.wrong_heads, one.heads),
                f"{100 * one.covered / one.intervals:.1f} %", f"{one.bias / one.intervals:+.4f}",
                f"{one.trials / one.studies:.1f}",
            ))  # fmt: skip
    head = ("images", "screening", "false verdicts", "false mean gain (one look, .05)", "covered", "bias", "trials")
    table(head, rows)
    print("\nOne arm gains, five lose .03, four have no gain; 300 images, own seeds:\n")
    rows = []
    for gain in (0.03, 0.04, 0.06):
        truth = np.array([gain] + [-0.03] * 5 + [0.0] * 4)
        for name, screen in (("none", False), ("own seeds", True)):
            one = tally(studies, truth, 300, screen=screen, same_draws=False, target=gain)
            power = f"{100 * one.found / one.studies:.0f} %"
            rows.append((f"{gain:+.2f}", name, power, rate(one.wrong, one.studies), f"{one.trials / one.studies:.1f}"))
    table(("gain", "screening", "found", "false verdicts on the four", "trials"), rows)


def rate(count: int, of: int) -> str:
    """A share with the upper 95 % bound: 3.1 % (3.9)."""
    bound = next(p for p in np.linspace(count / of, 1, 2001) if binom.cdf(count, of, p) <= 0.05) if count < of else 1.0
    return f"{100 * count / of:.1f} % ({100 * bound:.1f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workspaces", nargs="*", type=Path)
    parser.add_argument("--simulate", type=int, default=0, metavar="STUDIES")
    parser.add_argument("--share", type=float, default=0.4, help="of the iterations")
    parser.add_argument("--jobs", type=int, default=0, help="trials at the same time; 0: as many as a study would run")
    given = parser.parse_args()
    if given.workspaces or given.simulate:
        print(f"# Screening\n\n{date.today()}, {platform.machine()}, {os.cpu_count()} cores.")
    for folder in given.workspaces:
        real_study(folder.resolve(), given.share, given.jobs)
    if given.simulate:
        simulations(given.simulate)


if __name__ == "__main__":
    main()
