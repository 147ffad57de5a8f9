"""Evaluate predictions against labels, and compare ways to train."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from metricloop.api.data import Data, InputError, known_name
from metricloop.api.predictions import Predictions, detections_of
from metricloop.comparison.results import Result, numbers_by_seed, samples_of
from metricloop.comparison.spreads import Sample, collapsed, spreads
from metricloop.comparison.statistics import contrast, holm, interval, p_value, resampling_units, shown, verdict
from metricloop.data.frame import Detections
from metricloop.evaluation.coco import Matches, coco_evaluate

COLUMNS = ("seeds", "mean", "sd", "gain", "gain_relative", "low", "high", "p", "p_holm", "verdict")
REPLICATES = 500  # draws of held-out images
SAME = {  # what evaluations must have in common to be compared
    "images": ("sha256", "image_id"),
    "labels": ("class_names", "offsets", "boxes", "labels", "crowd"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How good predictions are on a data set, as COCO measures it. All numbers are in 0..1, higher is better.

    mAP: mean average precision over the IoU thresholds 0.50 to 0.95 and the classes.
    mAP50: the same at an IoU of 0.5 alone.
    mAR: mean recall over the same thresholds.
    table: the three for "all" and for each class; missing for a class without an object.
    matches: which detection hit which object, for `compare`.
    """

    data: Data
    table: pd.DataFrame
    numbers: Mapping[str, Any]
    matches: Matches

    def __repr__(self) -> str:
        return f"Evaluation(mAP {self.mAP:.3f}, mAP50 {self.mAP50:.3f}, mAR {self.mAR:.3f})"

    @property
    def mAP(self) -> float:  # noqa: N802
        return float(self.table.loc["all", "mAP"])

    @property
    def mAP50(self) -> float:  # noqa: N802
        return float(self.table.loc["all", "mAP50"])

    @property
    def mAR(self) -> float:  # noqa: N802
        return float(self.table.loc["all", "mAR"])


def evaluate(predictions: Predictions, data: Data, *, max_detections: int = 100) -> Evaluation:
    """Evaluate predictions of a detector against the labels of a data set, as COCO does.

    predictions: a table with a row per detection and the columns file or image_id, x1, y1, x2, y2 (pixels of the
        original picture), score, label (a class name or its index); or {file or image_id: Detections}. An image without
        a row counts as one where nothing was found.
    max_detections: the detections per image and class that count, the best first.
    Errors: InputError for a missing column, an unknown file, image or class.

    >>> found = data.boxes.assign(score=0.9)  # the labels themselves, as if a perfect detector had found them
    >>> ml.evaluate(found, data).table.round(2)
           mAP  mAP50  mAR
    all    1.0    1.0  1.0
    panda  1.0    1.0  1.0
    """
    found = detections_of(predictions, data)
    images = [found.get(int(image), Detections.empty()) for image in data.arrays.image_id]
    made = coco_evaluate(data.arrays, images, max_detections)
    rows = {"all": [made.numbers[name] for name in ("mAP", "mAP50", "mAR")]}
    for name, own in made.numbers["per_class"].items():
        rows[name] = [own["mAP"], made.ap50[name], own["mAR"]]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mAP", "mAP50", "mAR"], dtype=float)
    return Evaluation(data, table, made.numbers, made.matches)


BySeed: TypeAlias = Mapping[int, float] | Mapping[int, Evaluation] | Sequence[float] | Sequence[Evaluation]


def compare(
    arms: Mapping[str, BySeed] | pd.DataFrame, baseline: str = "random", *, alpha: float = 0.05
) -> pd.DataFrame:
    """Compare ways to train ("arms") with a baseline over several seeds: who is better, and is it more than chance?

    arms: {arm: numbers}, higher is better, as {seed: number} or as a list (seeds 0, 1, ...); or a table with a row per
        seed and a column per arm. Arms are not paired: they may have other seeds than the baseline, and more or fewer.
        The baseline is part of every comparison, so it deserves the most seeds; an arm and the baseline need two at
        least. Numbers are plain ones such as mAP, or what `ml.evaluate` returns. NaN counts as no number.
    alpha: the chance of a false verdict that you accept over all arms together, between 0 and 1.

    Plain numbers say how much seeds differ, and nothing about the choice of held-out images: the interval then holds
    for these very images. Give evaluations, all on the same data, and interval, p and verdict in mAP cover other images
    of the same kind, too. The p values hold if you do not add seeds after seeing them.

    Returns a row per arm, the baseline first: seeds (their number), mean, sd, gain (difference of the means from the
    baseline), gain_relative, low and high (95 % interval of the gain), p (t test with Satterthwaite's degrees of
    freedom; an arm's variance is that of its seeds, raised towards the mean of all arms where it is lower), p_holm
    (corrected for the number of arms), verdict (better, worse or undecided).
    Errors: InputError for an unknown baseline, an arm without numbers, evaluations on different images or labels, an
        alpha outside 0 to 1, and arms in another form.

    >>> table = ml.compare({"random": [0.30, 0.32, 0.31, 0.30], "sharp": [0.34, 0.35, 0.35]})
    >>> table.loc[["sharp"], ["seeds", "mean", "gain", "verdict"]].round(3)
           seeds   mean   gain verdict
    sharp      3  0.347  0.039  better
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha={alpha}; it must lie between 0 and 1, such as 0.05")
    if not isinstance(arms, (pd.DataFrame, Mapping)):
        raise InputError(f"arms are a {type(arms).__name__}; give {{arm: numbers}}, or a table with a column per arm")
    by_seed = {str(arm): _numbers_by_seed(str(arm), own) for arm, own in arms.items()}
    known_name("baseline", baseline, by_seed)
    for arm, own in by_seed.items():
        if not own:
            raise InputError(f"{arm} has no number; give one per seed, or leave it out")
    kinds = {isinstance(number, Evaluation) for own in by_seed.values() for number in own.values()}
    if len(kinds) > 1:
        raise InputError("some numbers are evaluations and some are not; give all as one or the other")
    rows = _over_seeds_and_images(by_seed, baseline, alpha) if True in kinds else _over_seeds(by_seed, baseline, alpha)
    ordered = [baseline, *(arm for arm in by_seed if arm != baseline)]
    return pd.DataFrame.from_dict({arm: rows[arm] for arm in ordered}, orient="index", columns=list(COLUMNS))


def _numbers_by_seed(arm: str, own: Any) -> dict[int, Any]:
    """The numbers of one arm by seed, without NaN. Errors: InputError."""
    if isinstance(own, pd.Series):  # such as the column of a table
        own = own.dropna().to_dict()
    if not isinstance(own, Iterable) or isinstance(own, str):
        raise InputError(f"{arm} is a {type(own).__name__}; give its numbers as {{seed: number}} or as a list")
    numbers = dict(own) if isinstance(own, Mapping) else dict(enumerate(own))
    for seed, number in numbers.items():
        if not isinstance(number, (Evaluation, Real)):
            raise InputError(
                f"{arm}, seed {seed}, is a {type(number).__name__}; give a number, or what `evaluate` returns"
            )
    return {
        seed: number for seed, number in numbers.items() if isinstance(number, Evaluation) or not math.isnan(number)
    }


def _over_seeds(by_seed: Mapping[str, dict[int, float]], baseline: str, alpha: float) -> dict[str, list[Any]]:
    """The rows from plain numbers."""
    values = {arm: np.array(list(own.values()), float) for arm, own in by_seed.items()}
    # equal replicates, so that no part of the error is laid to the choice of images
    return _rows({arm: Sample(own, np.stack([own, own])) for arm, own in values.items()}, baseline, alpha, units=2)


def _over_seeds_and_images(
    by_seed: Mapping[str, dict[int, Evaluation]], baseline: str, alpha: float
) -> dict[str, list[Any]]:
    """The rows from evaluations: their mAP, on the held-out images and on draws of them."""
    data = next(iter(by_seed[baseline].values())).data.arrays
    for arm, own in by_seed.items():
        for seed, made in own.items():
            for what, names in SAME.items():
                if not all(np.array_equal(getattr(made.data.arrays, name), getattr(data, name)) for name in names):
                    raise InputError(f"{arm}, seed {seed}, was evaluated on other {what} than {baseline}")
    results = [
        Result(
            block=arm,
            arm=arm,
            numbers={seed: made.numbers for seed, made in own.items()},
            matches={seed: made.matches for seed, made in own.items()},
            recipe={},
        )
        for arm, own in by_seed.items()
    ]
    unit = resampling_units(data.group)
    samples = samples_of("", results, numbers_by_seed(results), data, unit, REPLICATES)
    return _rows(samples["mAP"], baseline, alpha, int(unit.max()) + 1)


def _rows(samples: Mapping[str, Sample], baseline: str, alpha: float, units: int) -> dict[str, list[Any]]:
    """A row per arm. units: how many images, or groups of them, the replicates were drawn from."""
    others = [arm for arm in samples if arm != baseline]
    # a trial that learnt next to nothing says nothing about other arms; below 0 there is no "next to nothing"
    alike = [arm for arm in others if samples[arm].values.min() < 0 or not collapsed(samples[arm])]
    spread = spreads(samples, alike, alone=[baseline])
    gains = {arm: contrast({arm: 1.0, baseline: -1.0}, samples, spread, units) for arm in others}
    corrected = dict(zip(others, holm([p_value(gains[arm]) for arm in others]), strict=True))
    rows = {}
    for arm, own in samples.items():
        change = shown(gains[arm], float(samples[baseline].values.mean())) if arm in gains else None
        told = verdict(corrected[arm], interval(gains[arm]), alpha) if arm in gains else None
        sd = float(own.values.std(ddof=1)) if len(own.values) > 1 else None
        rows[arm] = _row(len(own.values), float(own.values.mean()), sd, change, corrected.get(arm), told)
    return rows


def _row(
    seeds: int, mean: float, sd: float | None, change: Mapping[str, Any] | None, corrected: float | None, told: Any
) -> list[Any]:
    """One row of the table that `compare` returns: a value for each of COLUMNS."""
    if change is None:
        return [seeds, mean, sd, None, None, None, None, None, None, told]
    low, high = change["ci95"] or (None, None)
    return [seeds, mean, sd, change["abs"], change["rel"], low, high, change["p"], corrected, told]
