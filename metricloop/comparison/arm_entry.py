"""An arm's entry in comparison.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metricloop.comparison.spreads import COLLAPSED


def arm_entry(
    name: str, spec: Mapping[str, Any], size: tuple[int, int], numbers: Mapping[int, Mapping[str, Any]], used: int
) -> dict[str, Any]:
    """An arm as in comparison.json; the keys that need the baseline are still null. used: how many of its seeds count,
    the first ones; those beyond a look are only named.
    """
    beyond = list(numbers)[used:]
    numbers = {seed: numbers[seed] for seed in list(numbers)[:used]}
    low = COLLAPSED * float(np.median([values["mAP"] for values in numbers.values()]))
    return {
        "name": name,
        "role": spec["role"],
        "group": spec.get("group"),
        "metric": spec.get("metric"),
        "direction": spec["policy"].get("direction"),
        "policy": dict(spec["policy"]),
        "images": size[0],
        "boxes": size[1],
        "boxes_ratio": None,
        "seeds": list(numbers),
        "seeds_beyond": beyond,
        "baseline_seeds": None,
        "collapsed": [seed for seed, values in numbers.items() if values["mAP"] < low],
        **{measure: _spread([numbers[seed][measure] for seed in numbers]) for measure in ("mAP", "mAR", "mAP50")},
        "gain": None,
        "t": None,
        "oracle_gap_closed": None,
        "verdict": None,
        "decided_at": None,
        "goes_on": False,
        "shrunken_gain": None,
        "seeds_needed": None,
        "matches": None,
        "lead_over_it": None,
        "lead_over_full": None,
        "lead_over_parts": {},
    }


def _spread(values: list[float]) -> dict[str, Any]:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "per_seed": values}


def set_share_of_oracle(rows: list[dict[str, Any]]) -> None:
    """Set every arm's gain as a share of the oracle's gain; null unless the oracle beats the baseline."""
    oracle = next((row for row in rows if row["policy"]["name"] == "oracle" and row["verdict"] == "better"), None)
    for row in rows:
        if oracle and row["gain"]:
            row["oracle_gap_closed"] = row["gain"]["mAP"]["abs"] / oracle["gain"]["mAP"]["abs"]
