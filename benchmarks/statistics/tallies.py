"""Sums over studies whose true gains are known, tables, and bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from many_studies import Outcome
from scipy import stats

from metricloop.comparison.looks import Look

ONE_SMALL, ONE_LARGE = (Look(3, 12, 0.05),), (Look(6, 18, 0.05),)
TWO = (Look(3, 12, 0.02), Look(6, 18, 0.03))
DESIGNS = {"3/12": ONE_SMALL, "6/18": ONE_LARGE, "two looks": TWO}
MOST_ERRORS, LEAST_POWER = 0.065, {0.06: 0.80, 0.04: 0.55}  # the bars
COVERED, MOST_TRIALS = (0.93, 0.97), 65


@dataclass
class Tally:
    """Counts over studies. Arm 0 is the noisiest where arms differ by design."""

    studies: int = 0
    wrong: int = 0  # studies with a verdict that the true gain does not have
    too_good: int = 0  # studies in which a "better" is wrong
    covered: np.ndarray = field(default_factory=lambda: np.zeros(0, int))  # by arm
    decided: int = 0
    decided_covered: int = 0
    trials: list[np.ndarray] = field(default_factory=list)

    def add(self, seen: Outcome, truth: np.ndarray) -> None:
        """truth: (S, A) or (A,) true gains."""
        truth = np.broadcast_to(np.round(truth, 12), seen.sign.shape)
        low, high = seen.shown.interval()
        inside = (low <= truth) & (truth <= high)
        self.studies += len(truth)
        self.wrong += int(((seen.sign != 0) & (seen.sign * truth <= 0)).any(axis=1).sum())
        self.too_good += int(((seen.sign > 0) & (truth <= 0)).any(axis=1).sum())
        self.covered = (self.covered if len(self.covered) else 0) + inside.sum(axis=0)
        self.decided += int((seen.sign != 0).sum())
        self.decided_covered += int((inside & (seen.sign != 0)).sum())
        self.trials.append(seen.trials)

    def coverage(self) -> float:
        return float(self.covered.sum() / (self.studies * len(self.covered)))

    def row(self) -> list[str]:
        return [rate(self.wrong, self.studies), f"{self.coverage():.1%}"]


class Bar(NamedTuple):
    """One measured number against its bar; where: the line of the table."""

    what: str
    value: float
    least: float
    most: float
    where: str


BARS: list[Bar] = []


def bar(what: str, value: float, least: float, most: float, where: str) -> None:
    BARS.append(Bar(what, float(value), least, most, where))


def null_bars(tally: Tally, what: str, where: str, looks: str) -> None:
    """The two bars of studies without a gain."""
    bar(f"false verdicts, upper 95 % bound: {what}, {looks}", upper(tally.wrong, tally.studies), 0, MOST_ERRORS, where)
    bar(f"coverage: {what}", tally.coverage(), *COVERED, f"{where}, {looks}")


def print_bars() -> None:
    """The range of each kind of number against its bar, and the lines that miss it."""
    print("## Bars\n")
    rows = []
    for what in dict.fromkeys(one.what for one in BARS):
        own = [one for one in BARS if one.what == what]
        low, high = min(one.value for one in own), max(one.value for one in own)
        out = [one for one in own if not one.least <= one.value <= one.most]
        out.sort(key=lambda one: min(one.value - one.least, one.most - one.value))  # the worst first
        missed = [f"{one.where}: {one.value:.3g}" for one in out]
        limits = f"{own[0].least:g} or more" if own[0].most == np.inf else f"{own[0].least:g} to {own[0].most:g}"
        met = f"**no** in {len(missed)} of {len(own)} lines ({'; '.join(missed[:3])})" if missed else "yes"
        rows.append([what, f"{low:.3g} to {high:.3g}", limits, met])
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
