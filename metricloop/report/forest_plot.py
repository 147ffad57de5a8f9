"""The forest plot of the report: each arm's gain over the baseline with its interval, and that of its seeds."""

from __future__ import annotations

from typing import Any

from metricloop.comparison.arm_rows import is_oracle, map_gain
from metricloop.figures import svg
from metricloop.text import numbers


def seed_gains(arm: dict[str, Any]) -> list[float]:
    """The mAP of every seed minus the baseline's mean; their mean is the arm's gain."""
    baseline = arm["mAP"]["mean"] - map_gain(arm)
    return [value - baseline for value in arm["mAP"]["per_seed"]]


def forest_plot(comparison: dict[str, Any]) -> dict[str, Any]:
    """The rows of the plot, best gain first, and its axis; no rows when nothing was compared with the baseline."""
    arms = sorted((arm for arm in comparison["arms"] if arm["gain"]), key=lambda arm: (-map_gain(arm), arm["name"]))
    if not arms:
        return {"rows": [], "axis": "", "oracle": False}
    bounds = [arm["gain"]["mAP"]["ci95"] for arm in arms]
    seeds = [seed_gains(arm) for arm in arms]
    axis = svg.scale([*(end for pair in bounds if pair for end in pair), *(gain for own in seeds for gain in own)])
    oracle = next((map_gain(arm) for arm in arms if is_oracle(arm)), None)
    rows = []
    for arm, pair, own in zip(arms, bounds, seeds, strict=True):
        change = arm["gain"]["mAP"]
        label = f"{arm['name']}: gain {numbers.signed(change['abs'])} mAP, 95 % interval {numbers.interval(pair)}"
        kind = f"{arm['verdict']} {arm['role']}"
        strip = svg.forest_strip(axis, change["abs"], pair, kind, label, oracle, own)
        rows.append({"arm": arm, "strip": strip, "gain": numbers.gain(change["abs"], change["rel"])})
    return {"rows": rows, "axis": svg.forest_axis(axis), "oracle": oracle is not None}
