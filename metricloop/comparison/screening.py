"""Screening: an arm whose short trials stay below the baseline's gets no full trials.

It was tried, so it stays in its family of tests and counts with p = 1. Arms that pass are tested with full trials only.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    baseline: None while it has none. passed, stopped: arms without full trials that go on, and that do not.
    """

    baseline: float | None
    passed: Mapping[str, float]
    stopped: Mapping[str, float]


NONE = Screening(None, {}, {})


def read_screening(plan: Mapping[str, Mapping[str, Any]], folder: Path = Path()) -> Screening:
    """What the short trials of a workspace decided, as far as they have run.

    Errors: CompareError for a trial without mAP.
    """
    short: dict[str, list[float]] = {}
    for name, screen in plan["screens"].items():
        file = folder / layout.screening_file(name)
        for numbers in read_json(file)["seeds"].values() if file.is_file() else ():
            if numbers["mAP"] is None:
                raise CompareError(
                    f"the short trials of {name} have no mAP: the search split holds no object; give it labelled images"
                )
            short.setdefault(screen["arm"], []).append(numbers["mAP"])
    return screened(plan, {arm: float(np.mean(values)) for arm, values in short.items()})


def screened(plan: Mapping[str, Mapping[str, Any]], short: Mapping[str, float]) -> Screening:
    """The decision on every arm that has short trials and no block of full ones. short: arm -> mean mAP."""
    baseline = next((short[arm] for arm in short if plan["arms"][arm]["role"] == "baseline"), None)
    if baseline is None:
        return NONE
    trained = {block["arm"] for block in plan["blocks"].values()}
    waiting = {arm: mean for arm, mean in short.items() if arm not in trained}
    return Screening(
        baseline,
        passed={arm: mean for arm, mean in waiting.items() if mean >= baseline},
        stopped={arm: mean for arm, mean in waiting.items() if mean < baseline},
    )
