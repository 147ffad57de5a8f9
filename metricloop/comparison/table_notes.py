"""The notes below the comparison table: what its numbers mean, and where to be careful with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metricloop.comparison.arm_rows import BOXES_APART, Arm, boxes_apart, family_size
from metricloop.comparison.compare import ROUND
from metricloop.comparison.looks import Look
from metricloop.comparison.power import FEW_IMAGES, TYPICAL, Noise, detectable_gain, least_gain
from metricloop.comparison.verdict import seeds_text, summarise
from metricloop.selection.policies import POLICIES
from metricloop.text.numbers import count, fixed, gain, interval, listing, percent, probability, signed

APART = "†"  # marks a number of boxes


def notes(comparison: dict[str, Any]) -> list[str]:
    """One note a line: how gain and p are made, looks, controls, numbers of boxes, seeds that would decide."""
    arms = comparison["arms"]
    lines = [_how(comparison)]
    if any(not look["planned"] for look in comparison["looks"][: comparison["looks_taken"]]):
        lines.append("The last look was added after the first trial: its verdicts have no guarantee.")
    if stopped := comparison.get("screened", ()):
        lines.append(_screened(stopped))
    if comparison["headlines"]:
        lines.append(
            "Each mean gain (95\u00a0% interval, p) is a test of its own, corrected for the looks and not for the "
            "other means."
        )
    if later := [arm["name"] for arm in arms if _later_round(arm)]:
        lines.append(
            f"The model had seen results of this search split when it proposed {listing(later)}: their p is "
            "conditional on this split, and only the test split is new to them."
        )
    for arm in arms:
        if arm["role"] == "control":
            lines.append(f"{arm['name']} (control): {POLICIES[arm['policy']['name']].about}.")
    lines += _boxes(arms)
    if unsafe := [arm["name"] for arm in arms if arm.get("unsafe_in_process")]:
        lines.append(f"Scored by unread code without the sandbox (--unsafe-in-process): {listing(unsafe)}.")
    if needed := [f"{arm['name']} {seeds_text(arm['seeds_needed'])}" for arm in arms if arm["seeds_needed"]]:
        lines.append(f"Would probably decide the undecided arms: {listing(needed)}.")
    undecided = [arm for arm in arms if arm["verdict"] == "undecided" and len(arm["seeds"]) > 1]
    if hopeless := [arm["name"] for arm in undecided if not arm["seeds_needed"]]:
        lines.append(f"Too close to the baseline for any reasonable number of seeds: {listing(hopeless)}.")
    if comparison["search_images"] < FEW_IMAGES and summarise(comparison).outcome == "undecided":
        lines.append(_out_of_reach(comparison))
    return lines


def _how(comparison: dict[str, Any]) -> str:
    arms = [arm for arm in comparison["arms"] if arm["role"] != "baseline"]
    base = next(arm for arm in comparison["arms"] if arm["role"] == "baseline")
    numbers = sorted({len(arm["seeds"]) for arm in arms})
    seeds = " to ".join(str(number) for number in dict.fromkeys(numbers[:1] + numbers[-1:]))
    own = f"{count(len(base['seeds']), 'seed')} of {base['name']}"
    if not arms:
        return f"{own}; nothing is compared with it yet."
    metrics = count(family_size(comparison), "metric")
    looks = sum(look["planned"] for look in comparison["looks"])
    return (
        f"{own}, {seeds} of every other arm; gain is the difference of their mean mAP, and its interval holds for "
        f"other seeds and other images of this kind. p is corrected for {metrics} (controls apart) and for "
        f"{count(looks, 'look')}; below {comparison['alpha']:g} an arm is decided."
    )


def _screened(stopped: Sequence[dict[str, Any]]) -> str:
    """The arms that got no full trials, and what that means for the numbers above."""
    named = [f"{arm['name']} ({fixed(arm['mAP'])} mAP)" for arm in stopped]
    one = len(stopped) == 1
    return (
        f"Stopped after short trials, below random's {fixed(stopped[0]['baseline'])} mAP: {listing(named)}. "
        f"{'It was' if one else 'They were'} tried, so {'it counts' if one else 'they count'} in the correction of p, "
        "but cannot be called better."
    )


def _later_round(arm: Arm) -> bool:
    number = str(arm["group"] or "").removeprefix(ROUND)
    return number != arm["group"] and number.isdigit() and int(number) > 1


def _boxes(arms: list[Arm]) -> list[str]:
    """Arms whose number of boxes may explain their gain, and what a control with as many boxes says."""
    lines = []
    if apart := [
        f"{arm['name']} ({signed(100 * (arm['boxes_ratio'] - 1), 0)}\u00a0%)" for arm in arms if boxes_apart(arm)
    ]:
        lines.append(
            f"{APART} over {percent(BOXES_APART)} more or fewer boxes than the baseline, so that the gain may come "
            f"from their number: {listing(apart)}."
        )
    for arm in arms:
        if arm["matches"] and (lead := arm["lead_over_it"]):
            lines.append(
                f"{arm['matches']} against {arm['name']}, random images with as many boxes: "
                f"{gain(lead['abs'], lead['rel'])}, 95\u00a0% interval {interval(lead['ci95'])}, "
                f"p {probability(lead['p'])}."
            )
    return lines


def _out_of_reach(comparison: dict[str, Any]) -> str:
    """Which gains so few search images cannot decide."""
    looks = [Look(**look) for look in comparison["looks"]]
    images, family = comparison["search_images"], max(family_size(comparison), 1)
    noise = Noise(**comparison["noise"]) if comparison["noise"] else TYPICAL
    planned = detectable_gain(looks, family, images, noise)
    ever = least_gain(looks, family, images, noise)
    return (
        f"Only {count(images, 'search image')} (or groups of images): the planned seeds decide a gain of "
        f"{signed(planned)} four times in five; below {signed(ever)} no number of seeds would, more images would."
    )
