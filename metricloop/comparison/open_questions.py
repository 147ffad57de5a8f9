"""Why no number of seeds is given for an undecided arm."""

from __future__ import annotations

from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, family_size, in_first_look, map_gain
from metricloop.comparison.looks import Look
from metricloop.comparison.power import FEW_IMAGES, TYPICAL, Noise, least_gain

Reason = Literal["small", "images", "scatter"]


def why_no_seeds(comparison: dict[str, Any], arm: Arm) -> Reason | None:
    """small: the gain is below the smallest of interest, or too small for FEW_IMAGES images and any number of seeds;
    images: it is not, and the search images are fewer; scatter: its trials differ too much to tell.

    None where a number is given, the arm is decided or goes on, its first look is not complete, or nothing is known.
    """
    open_ = arm["verdict"] == "undecided" and not arm["goes_on"] and in_first_look(comparison, arm)
    if not open_ or arm["seeds_needed"]:
        return None
    images = comparison["search_images"]
    if arm["gain"]["mAP"]["ci95"] is None:
        return "images" if images < 2 else None
    looks, family = [Look(**look) for look in comparison["looks"]], max(family_size(comparison, arm["role"]), 1)
    usual = least_gain(looks, family, max(images, FEW_IMAGES), noise_of(comparison))
    if abs(map_gain(arm)) < max(comparison["smallest_gain"], usual):
        return "small"
    return "images" if images < FEW_IMAGES else "scatter"


def noise_of(comparison: dict[str, Any]) -> Noise:
    """What made results differ in this study, or in others while too little has run."""
    return Noise(**comparison["noise"]) if comparison["noise"] else TYPICAL
