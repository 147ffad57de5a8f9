"""Error rates, coverage and power on studies drawn from real trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from check_equal import covariance_of_means
from finished_trials import BASE, Trials, read_trials
from hierarchical import simulate
from many_studies import Outcome, Studies, take_looks
from tallies import DESIGNS, LEAST_POWER, TWO, Tally, bar, null_bars, rate, table

from metricloop.comparison.looks import Look

REPLICATES = 100
ARMS = 10
NEAR = 0.01  # an arm whose true gain is this near to a bar's counts for it


def real_studies(workspace: Path, studies: int, splits: int, keep: Path | None) -> None:
    """All tables of a workspace."""
    trials = read_trials(workspace, splits, REPLICATES, keep)
    count = {str(arm): len(trials.of(arm)) for arm in np.unique(trials.arm)}
    others = sorted((arm for arm in count if arm != BASE), key=lambda arm: -trials.truth(arm))
    most = max(count[arm] for arm in others)
    arms = [arm for arm in others if count[arm] == most]
    print(
        f"## Real trials: {workspace.name}\n\n{len(trials.arm)} trials, {trials.images} search images; {count[BASE]} "
        f"seeds of random, {most} of {len(arms)} arms, which are used, and fewer of {len(others) - len(arms)} others. "
        f"{studies:,} studies a line, spread over {splits} search splits that are drawn with replacement from the "
        "images.\n"
    )
    table(
        ["arm", "seeds", "mean mAP", "gain", "sd over seeds"],
        [
            [arm, str(count[arm]), f"{trials.truth(arm):.4f}", f"{trials.truth(arm) - trials.truth(BASE):+.4f}",
             f"{trials.whole[trials.of(arm)].std(ddof=1):.4f}"]
            for arm in (BASE, *others)
        ],
    )  # fmt: skip
    _null_studies(trials, arms, studies, workspace.name)
    _as_they_are(trials, arms, studies, workspace.name)


def _null_studies(trials: Trials, arms: Sequence[str], studies: int, name: str) -> None:
    rng, rows = np.random.default_rng(19), []
    base = trials.of(BASE)
    for design, looks in DESIGNS.items():
        disjoint = min(ARMS, (len(base) - looks[-1].baseline) // looks[-1].arms)
        kinds = {f"{ARMS} arms of random's own trials, with replacement": [base] * ARMS}
        if disjoint > 0:
            kinds = {f"{disjoint} arms of random's own trials, disjoint": [base] * disjoint} | kinds
        kinds[f"{len(arms)} arms, true gains taken away"] = [trials.of(arm) for arm in arms]
        for kind, places in kinds.items():
            tally = Tally()
            for split in range(len(trials.values)):
                chosen = _choose(rng, places, base, studies // len(trials.values), looks, apart="disjoint" in kind)
                minus = [float(trials.whole[own].mean() - trials.whole[base].mean()) for own in places]
                drawn = _studies(trials, split, chosen, minus)
                tally.add(take_looks(drawn, looks), np.zeros(len(places)))
            rows.append([kind, design, *tally.row(), f"{np.mean(np.concatenate(tally.trials)):.0f}"])
            null_bars(tally, f"{name}, {kind}", kind, design)
    table(["no arm has a gain", "looks", "false verdicts", "covered", "trials"], rows)
    _few_values(trials, arms, studies)


def _few_values(trials: Trials, arms: Sequence[str], studies: int) -> None:
    """What it does to the error rate that an arm has few trials to draw from."""
    few = len(trials.of(arms[0]))
    sd = np.array([trials.whole[trials.of(arm)].std(ddof=1) for arm in arms])
    rows = []
    for kind, of in ((f"drawn from {few} normal values per arm", few), ("every value new", 0)):
        rng, cells = np.random.default_rng(37), []
        for looks in DESIGNS.values():
            none = np.zeros((studies, len(arms)))
            drawn, tally = simulate(rng, none, none, trials.images), Tally()
            scatter = rng.standard_normal((studies, len(arms), of or drawn.values.shape[2]))
            if of:
                scatter -= scatter.mean(axis=2, keepdims=True)  # the mean of these values is the truth
                again = rng.integers(0, of, (studies, len(arms), drawn.values.shape[2]))
                scatter = np.take_along_axis(scatter, again, axis=2)
            drawn.values[:, :-1] += sd[:, None] * scatter
            tally.add(take_looks(drawn, looks), np.zeros(len(arms)))
            cells += tally.row()
        rows.append([kind, *cells])
    print(
        "The last line again with normal values of the same sd in place of trials: what few trials to draw from do.\n"
    )
    table(["", *(text for name in DESIGNS for text in (f"{name}: false verdicts", "covered"))], rows)


def _as_they_are(trials: Trials, arms: Sequence[str], studies: int, name: str) -> None:
    rng, base = np.random.default_rng(31), trials.of(BASE)
    truth = np.array([trials.truth(arm) - trials.truth(BASE) for arm in arms])
    mean = Tally()
    outcomes: dict[str, list[Outcome]] = {design: [] for design in DESIGNS}
    for split in range(len(trials.values)):
        chosen = _choose(rng, [trials.of(arm) for arm in arms], base, studies // len(trials.values), TWO, apart=False)
        drawn = _studies(trials, split, chosen, [0.0] * len(arms))
        for design, looks in DESIGNS.items():
            outcomes[design].append(take_looks(drawn, looks))
    for seen in outcomes["two looks"]:
        mean.add(seen, truth)
    heads = [(seen.heads[-1].interval(), seen.head_sign) for seen in outcomes["two looks"]]
    head_covered = np.mean([(low <= truth.mean()) & (truth.mean() <= high) for (low, high), _ in heads])
    head_better = np.mean([sign > 0 for _, sign in heads])
    taken = np.concatenate(mean.trials)
    print(
        f"Arms as they are, seeds with replacement, two looks: {mean.coverage():.1%} of the intervals cover the truth, "
        f"{mean.decided_covered / mean.decided:.1%} of decided arms'; wrong verdicts in "
        f"{rate(mean.wrong, mean.studies)} of studies; {taken.mean():.0f} trials on average, at most {taken.max()}. "
        f"The mean of all arms ({truth.mean():+.3f}) is called better in {head_better:.0%}; its interval covers in "
        f"{head_covered:.1%}.\n"
    )
    better = {design: np.mean([(s.sign > 0).mean(axis=0) for s in seen], axis=0) for design, seen in outcomes.items()}
    table(
        ["arm", "true gain", *(f"better: {design}" for design in DESIGNS)],
        [[arm, f"{truth[k]:+.4f}", *(f"{better[design][k]:.0%}" for design in DESIGNS)] for k, arm in enumerate(arms)],
    )
    bar(f"coverage: {name}, arms as they are", mean.coverage(), 0.93, 0.97, "two looks")
    bar(f"coverage: {name}, mean of all arms", float(head_covered), 0.93, 0.97, "two looks")
    for gain, least in LEAST_POWER.items():
        for k, arm in enumerate(arms):
            if abs(truth[k] - gain) <= NEAR:
                what = f"power, {name}, true gain within .01 of +{gain:.2f}"
                bar(what, better["two looks"][k], least, np.inf, f"{arm} {truth[k]:+.3f}")


def _choose(
    rng: np.random.Generator,
    places: Sequence[np.ndarray],
    base: np.ndarray,
    studies: int,
    looks: Sequence[Look],
    apart: bool,
) -> np.ndarray:
    """The trials of every study, (S, A + 1, N), with replacement from each arm's; apart: no trial twice."""
    n, n0 = looks[-1].arms, looks[-1].baseline
    chosen = np.zeros((studies, len(places) + 1, max(n, n0)), int)
    if apart:
        order = rng.permuted(np.tile(base, (studies, 1)), axis=1)
        chosen[:, -1, :n0] = order[:, :n0]
        for arm in range(len(places)):
            chosen[:, arm, :n] = order[:, n0 + arm * n : n0 + (arm + 1) * n]
        return chosen
    for arm, own in enumerate((*places, base)):
        chosen[:, arm] = own[rng.integers(0, len(own), chosen[:, arm].shape)]
    return chosen


def _studies(trials: Trials, split: int, chosen: np.ndarray, minus: Sequence[float]) -> Studies:
    """Studies of chosen trials on a drawn split; minus: taken from every value of an arm."""
    values = trials.values[split][chosen] - np.append(minus, 0.0)[:, None]
    covariance, many, means = trials.covariance[split], len(chosen), chosen.shape[1]

    def images(n: int, n0: int) -> np.ndarray:
        weights = np.zeros((many, means, len(covariance)))
        at = np.arange(many)
        for arm in range(means):
            for seed in range(n0 if arm == means - 1 else n):
                np.add.at(weights[:, arm], (at, chosen[:, arm, seed]), 1)
        return covariance_of_means(covariance, weights)

    return Studies(values, images, trials.images)
