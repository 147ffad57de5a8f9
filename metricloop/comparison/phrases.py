"""Pieces of sentences about arms that the verdict and the notes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metricloop.comparison.arm_rows import Arm, map_gain, unplanned_looks
from metricloop.text.numbers import count, fixed, gain, interval, listing, signed

OTHERS = "a random sample of the same size"
AS_MANY_BOXES = "random images with as many boxes"
SURE = "95\u00a0%"
# Why an arm may be undecided though its interval lies above zero.
ONE_ARM_ALONE = (
    f"a {SURE} interval speaks of one arm alone, and of forty arms without a gain one lies above zero by luck; p is "
    "corrected for all arms and looks, and decides"
)


def change_text(change: Mapping[str, Any], measure: str = "mAP") -> str:
    """+0.070 mAP (+30 %)"""
    return gain(change["abs"], change["rel"], measure)


def interval_text(change: Mapping[str, Any]) -> str:
    """95 % interval +0.040 to +0.100"""
    return f"{SURE} interval {interval(change['ci95'])}"


def levels(arm: Arm) -> str:
    """mAP 0.301 against 0.231: of an arm, and of the baseline at the same look."""
    return f"mAP {fixed(arm['mAP']['mean'])} against {fixed(arm['mAP']['mean'] - map_gain(arm))}"


def named(arms: Sequence[Arm], most: int | None = None) -> str:
    """a (+0.010 mAP) and b (+0.008 mAP); of more than `most` arms the first ones and the number of the others."""
    texts = [f"{arm['name']} ({signed(map_gain(arm))} mAP)" for arm in arms]
    left = 0 if most is None else len(texts) - most
    return listing([*texts[:most], f"{left} more"] if left > 1 else texts)


def both_or_all(number: int) -> str:
    """2 -> both, 6 -> all 6."""
    return "both" if number == 2 else f"all {number}"


def none_of(metrics: int) -> str:
    """2 -> neither of the 2 metrics, 6 -> none of the 6 metrics."""
    return f"{'neither' if metrics == 2 else 'none'} of the {metrics} metrics"


def seeds_text(needed: Sequence[int | None]) -> str:
    """[4, 6] -> 4 to 6 seeds; [13, None] -> 13 or more seeds."""
    low, high = needed
    if high is None:
        return f"{low} or more seeds"
    return count(low, "seed") if low == high else f"{low} to {high} seeds"


def groups_text(comparison: dict[str, Any]) -> str:
    """400 search images, or 39 groups of search images where some belong together, such as those of one recording."""
    units = comparison["search_images"]
    if comparison.get("search_pictures", units) > units:
        return f"{count(units, 'group')} of search images"
    return count(units, "search image")


def unplanned_mark(comparison: dict[str, Any]) -> str:
    """What a verdict carries when a look was taken that was not planned before the first trial; else ""."""
    return " (unplanned look)" if unplanned_looks(comparison) else ""
