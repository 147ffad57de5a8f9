"""Why no number of seeds is given for an undecided arm."""

from __future__ import annotations

from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, family_size, in_first_look, map_gain
from metricloop.comparison.looks import Look
from metricloop.comparison.power import FEW_IMAGES, TYPICAL, Noise, least_gain

Reason = Literal["small", "images", "scatter"]


def why_no_seeds(comparison: dict[str, Any], arm: Arm) -> Reason | None:
    """small: the gain is below the smallest of interest, or too small for FEW_IMAGES images and any number of seeds;
    images, scatter: it is not, and most of its error comes from the choice of search images, or from its trials.

    None where a number is given, the arm is decided or goes on, its first look is not complete, or nothing is known.
    """
    open_ = arm["verdict"] == "undecided" and not arm["goes_on"] and in_first_look(comparison, arm)
    if not open_ or arm["seeds_needed"]:
        return None
    images = comparison["search_images"]
    if arm["gain"]["mAP"]["ci95"] is None:
        return "images" if images < 2 else None
    looks, family = [Look(**look) for look in comparison["looks"]], max(family_size(comparison, arm["role"]), 1)
    least = least_gain(looks, family, max(images, FEW_IMAGES), noise_of(comparison))
    if abs(map_gain(arm)) < max(comparison["smallest_gain"], least):
        return "small"
    return "images" if share_for(comparison, arm) > 0.5 else "scatter"


def share_for(comparison: dict[str, Any], arm: Arm) -> float:
    """About how much of a gain's squared error is not from trials: 1 - (sd^2 / n + sd0^2 / n0) / error^2."""
    base = next(row for row in comparison["arms"] if row["role"] == "baseline")
    trials = (arm["mAP"]["sd"] or 0) ** 2 / len(arm["seeds"]) + (base["mAP"]["sd"] or 0) ** 2 / arm["baseline_seeds"]
    return 1 - trials * (arm["t"] / map_gain(arm)) ** 2  # t = gain / error


def noise_of(comparison: dict[str, Any]) -> Noise:
    """What made results differ in this study, or in others while too little has run."""
    return Noise(**comparison["noise"]) if comparison["noise"] else TYPICAL
