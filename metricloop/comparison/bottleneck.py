"""What stands in the way of a decision: too short a training, too few search images, or too few seeds."""

from __future__ import annotations

import math
from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, in_first_look, of_role
from metricloop.comparison.looks import FEW_ON, LEAST_T, MOST_ON
from metricloop.comparison.open_questions import noise_of, share_for, why_no_seeds
from metricloop.comparison.phrases import groups_text
from metricloop.text.numbers import fixed, percent

LOW_MAP = 0.1  # a baseline below it has hardly learnt: its subsets differ by less than its trials
Bottleneck = Literal["training", "images", "seeds"]


def undertrained(comparison: dict[str, Any]) -> bool:
    """Whether the baseline's mAP is so low that its detector has hardly learnt."""
    base = of_role(comparison, "baseline")
    return bool(base) and base[0]["mAP"]["mean"] < LOW_MAP


def share_of_images(comparison: dict[str, Any]) -> float | None:
    """The share of a gain's squared error that the choice of search images makes; the rest comes from the trials.

    It takes the median number of seeds of the metrics. None before anything is known about the errors.
    """
    treatments, base = of_role(comparison, "treatment"), of_role(comparison, "baseline")
    if not treatments or not base or not comparison["noise"]:
        return None
    noise = noise_of(comparison)
    seeds = sorted(len(arm["seeds"]) for arm in treatments)[len(treatments) // 2]
    trials = noise.arm**2 / seeds + noise.baseline**2 / len(base[0]["seeds"])
    images = noise.image**2 / max(comparison["search_images"], 1)
    return images / (images + trials) if images + trials else None


def may_go_on(comparison: dict[str, Any]) -> list[Arm]:
    """The undecided metrics that would get more seeds if there were another look, as in `looks.go_on`; best first."""
    taken = comparison["looks_taken"]
    if not taken:
        return []
    now = comparison["looks"][taken - 1]["arms"]
    ahead = [
        arm
        for arm in of_role(comparison, "treatment")
        if arm["verdict"] == "undecided" and arm["decided_at"] is None and len(arm["seeds"]) >= now
        if arm["t"] is not None and arm["t"] >= LEAST_T
    ]
    family = int(comparison["family"]["treatment"])
    return sorted(ahead, key=lambda arm: -arm["t"])[: max(FEW_ON, math.ceil(MOST_ON * family))]


def _open(comparison: dict[str, Any]) -> list[Arm]:
    return [arm for arm in of_role(comparison, "treatment") if arm["verdict"] == "undecided"]


def bottleneck(comparison: dict[str, Any]) -> Bottleneck | None:
    """What keeps the metrics from a decision; None where they are decided, or nothing is known yet."""
    open_ = _open(comparison)
    if not open_ or not any(in_first_look(comparison, arm) for arm in open_):
        return None
    if undertrained(comparison):
        return "training"
    if why_no_seeds(comparison, open_[0]) == "images" or comparison["search_images"] < 2:
        return "images"
    share = share_of_images(comparison)
    if share is None:
        return None
    return "seeds" if share <= 0.5 or any(arm["seeds_needed"] for arm in open_) else "images"


def bottleneck_text(comparison: dict[str, Any]) -> str:
    """The bottleneck in a sentence; "" where there is none."""
    found, share = bottleneck(comparison), share_of_images(comparison)
    if found is None:
        return ""
    if found == "training":
        (base, *_) = of_role(comparison, "baseline")
        return (
            f"The bottleneck is the detector: with {base['name']} images it reaches mAP {fixed(base['mAP']['mean'])} "
            "only, too little to tell subsets apart."
        )
    images = groups_text(comparison)
    if found == "images":
        part = "" if share is None else f" (they make {percent(share)} of the squared error of a gain)"
        first = _open(comparison)[0]
        if first["t"] and why_no_seeds(comparison, first) == "images":
            part = (
                f" (they make {percent(share_for(comparison, first))} of the squared error of {first['name']}'s gain)"
            )
        return f"The bottleneck is the {images}{part}: more seeds would change little."
    assert share is not None
    if share > 0.5:
        return (
            f"More seeds can still decide, though {percent(share)} of the squared error of a gain comes from the "
            f"choice of the {images}."
        )
    return (
        f"The bottleneck is the seeds: {percent(1 - share)} of the squared error of a gain comes from them, the rest "
        f"from the choice of the {images}."
    )
