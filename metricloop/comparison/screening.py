"""Screening: short trials decide which arms get full trials.

An arm goes on if its mean mAP in short trials is at least the baseline's. Where an idea has several variants, the best
of them goes on, even if it is below the baseline, and the others stop. An arm that stops was tried, so it stays in its
family of tests and counts with p = 1. Arms that pass are tested with full trials only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.results import CompareError
from metricloop.data.tables import read_json


@dataclass(frozen=True)
class Screening:
    """What short trials decided. All numbers are mean mAP over short trials.

    baseline: None while it has none. passed, stopped: arms without full trials that go on, and that do not. A variant
    waits until all variants of its idea have short trials.
    """

    baseline: float | None
    passed: Mapping[str, float]
    stopped: Mapping[str, float]


NONE = Screening(None, {}, {})


def read_screening(plan: Mapping[str, Mapping[str, Any]], folder: Path = Path()) -> Screening:
    """What the short trials of a workspace decided, as far as they have run. Errors: those of `short_trials`."""
    return screened(plan, {arm: float(np.mean(values)) for arm, values in short_trials(plan, folder).items()})


def short_trials(plan: Mapping[str, Mapping[str, Any]], folder: Path = Path()) -> dict[str, list[float]]:
    """The mAP of every short trial that has run, by arm. Errors: CompareError for a trial without mAP."""
    short: dict[str, list[float]] = {}
    for name, screen in plan.get("screens", {}).items():
        file = folder / layout.screening_file(name)
        for numbers in read_json(file)["seeds"].values() if file.is_file() else ():
            if numbers["mAP"] is None:
                raise CompareError(
                    f"the short trials of {name} have no mAP: the search split holds no object; give it labelled images"
                )
            short.setdefault(screen["arm"], []).append(numbers["mAP"])
    return short


def screened(plan: Mapping[str, Mapping[str, Any]], short: Mapping[str, float]) -> Screening:
    """The decision on every arm that has short trials and no block of full ones. short: arm -> mean mAP."""
    baseline = next((short[arm] for arm in short if plan["arms"][arm]["role"] == "baseline"), None)
    if baseline is None:
        return NONE
    trained = {block["arm"] for block in plan["blocks"].values()}
    waiting = {arm: mean for arm, mean in short.items() if arm not in trained}
    goes_on = {arm: _goes_on(arm, plan, short, trained, baseline) for arm in waiting}
    return Screening(
        baseline,
        passed={arm: mean for arm, mean in waiting.items() if goes_on[arm]},
        stopped={arm: mean for arm, mean in waiting.items() if goes_on[arm] is False},
    )


def _goes_on(
    arm: str,
    plan: Mapping[str, Mapping[str, Any]],
    short: Mapping[str, float],
    trained: Collection[str],
    baseline: float,
) -> bool | None:
    """Whether an arm gets full trials; None until all variants of its idea have short trials.

    Where two variants are equally good, the one that comes first in the plan goes on.
    """
    rivals = variants_of(arm, plan)
    if len(rivals) == 1:
        return short[arm] >= baseline
    if any(rival in trained for rival in rivals):
        return False
    if any(rival not in short for rival in rivals):
        return None
    return arm == max(rivals, key=lambda rival: short[rival])


def variants_of(arm: str, plan: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The arms of the plan that are variants of the same idea, this one too, in the order of the plan."""
    arms = plan["arms"]
    first = arms[arm].get("variant_of", arm)
    return [name for name, entry in arms.items() if first in (name, entry.get("variant_of"))]
