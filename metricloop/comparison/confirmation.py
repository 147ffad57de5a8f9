"""The finalists on the test split: gains over the baseline, over fresh seeds and test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metricloop.comparison.results import MEASURES, Result, numbers_by_seed, samples_of
from metricloop.comparison.spreads import spreads
from metricloop.comparison.statistics import contrast, resampling_units, shown
from metricloop.data.dataset import Dataset

REPLICATES = 1000  # bootstrap samples of test images; fixed, so that no setting opens the test split again


def confirmed_gains(study: str, results: Sequence[Result], test: Dataset) -> dict[str, dict[str, dict[str, Any]]]:
    """Role -> measure -> {"abs", "rel", "ci95", "p"}; one result per role, `arm` being the role; one is "baseline".

    Each arm has its own variance and one test at 5 %, without correction: the arms were chosen before, on other images.
    Errors: CompareError when the test split holds no object.
    """
    numbers = numbers_by_seed(results)
    unit = resampling_units(test.group)
    samples = samples_of(study, results, numbers, test, unit, REPLICATES)
    gains: dict[str, dict[str, dict[str, Any]]] = {}
    for role in (role for role in numbers if role != "baseline"):
        gains[role] = {}
        for measure in MEASURES:
            found = samples[measure]
            weights = {role: 1.0, "baseline": -1.0}
            gain = contrast(weights, found, spreads(found, ()), int(unit.max()) + 1)
            gains[role][measure] = shown(gain, float(found["baseline"].values.mean()))
    return gains
