"""The forest plot of the report: each arm's gain over the baseline with its interval."""

from __future__ import annotations

from typing import Any

from metricloop.comparison.arm_rows import is_oracle, map_gain
from metricloop.figures import svg
from metricloop.text import numbers


def forest_plot(comparison: dict[str, Any]) -> dict[str, Any]:
    """The rows of the plot, best gain first, and its axis; no rows when nothing was compared with the baseline."""
    arms = sorted((arm for arm in comparison["arms"] if arm["gain"]), key=lambda arm: (-map_gain(arm), arm["name"]))
    if not arms:
        return {"rows": [], "axis": "", "oracle": False}
    bounds = [arm["gain"]["mAP"]["ci95"] for arm in arms]
    axis = svg.scale([*(map_gain(arm) for arm in arms), *(end for pair in bounds if pair for end in pair)])
    oracle = next((map_gain(arm) for arm in arms if is_oracle(arm)), None)
    rows = []
    for arm, pair in zip(arms, bounds, strict=True):
        change = arm["gain"]["mAP"]
        label = f"{arm['name']}: gain {numbers.signed(change['abs'])} mAP, 95 % interval {numbers.interval(pair)}"
        kind = f"{arm['verdict']} {arm['role']}"
        strip = svg.forest_strip(axis, change["abs"], pair, kind, label, oracle)
        rows.append({"arm": arm, "strip": strip, "gain": numbers.gain(change["abs"], change["rel"])})
    return {"rows": rows, "axis": svg.forest_axis(axis), "oracle": oracle is not None}
