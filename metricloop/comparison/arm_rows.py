"""The arms of comparison.json: by role, by gain, and which need a remark. No text for people is made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Arm = dict[str, Any]  # one entry of `arms` in comparison.json

BOXES_APART = 0.15  # an arm with so many boxes more or less than the baseline, as a share, may gain by their number
OF_OTHER_SIZE = ("full", "match")  # policies whose number of boxes is meant to differ from the baseline's


def map_gain(arm: Arm) -> float:
    """The absolute gain in mAP over the baseline; 0 for the baseline itself."""
    return arm["gain"]["mAP"]["abs"] if arm["gain"] else 0.0


def of_role(comparison: dict[str, Any], role: str) -> list[Arm]:
    """The arms of one role, highest gain first; arms of equal gain by name."""
    arms = (arm for arm in comparison["arms"] if arm["role"] == role)
    return sorted(arms, key=lambda arm: (-map_gain(arm), arm["name"]))


def winner_of(comparison: dict[str, Any]) -> Arm | None:
    """The treatment with the highest gain of those that are better than the baseline; None where none is."""
    return next((arm for arm in of_role(comparison, "treatment") if arm["verdict"] == "better"), None)


def family_size(comparison: dict[str, Any], role: str = "treatment") -> int:
    """How many arms p is corrected for: all of this role in the plan, also those without results."""
    return int(comparison["family"][role])


def tried(comparison: dict[str, Any]) -> int:
    """How many metrics have results, those that short trials stopped included."""
    return len(of_role(comparison, "treatment")) + len(comparison["screened"])


def unplanned_looks(comparison: dict[str, Any]) -> list[int]:
    """The numbers, from 1, of the looks that were taken without being planned before the first trial."""
    taken = comparison["looks"][: comparison["looks_taken"]]
    return [number for number, look in enumerate(taken, start=1) if not look["planned"]]


def planned_looks(comparison: dict[str, Any]) -> int:
    """How many looks p is corrected for: those planned before the first trial, taken or not."""
    return sum(look["planned"] for look in comparison["looks"])


def in_first_look(comparison: dict[str, Any], arm: Arm) -> bool:
    """Whether the first look is complete for an arm: it has the seeds, and the baseline has."""
    return comparison["looks_taken"] > 0 and len(arm["seeds"]) >= comparison["looks"][0]["arms"]


def matched_control(comparison: dict[str, Any], arm: Arm) -> Arm | None:
    """The control with as many boxes as an arm, at random; None without one, or without results to hold against."""
    return next((row for row in comparison["arms"] if row["matches"] == arm["name"] and row["lead_over_it"]), None)


def is_oracle(arm: Arm) -> bool:
    """Whether an arm is the control that knows the damaged labels."""
    return arm["role"] == "control" and arm["policy"]["name"] == "oracle"


def boxes_apart(arm: Arm) -> bool:
    """Whether an arm trains on far more or fewer boxes than the baseline, so that their number alone may explain it."""
    ratio = arm.get("boxes_ratio")
    return ratio is not None and abs(ratio - 1) > BOXES_APART and arm["policy"]["name"] not in OF_OTHER_SIZE


def undecided_above_zero(comparison: Mapping[str, Any]) -> list[str]:
    """Names of the arms whose verdict is "undecided" and whose 95 % interval of the gain in mAP lies above zero.

    Such an arm looks like a winner to a reader. The verdict is stricter than the interval: it is corrected for several
    looks and several metrics.
    """
    arms = (arm for arm in comparison["arms"] if arm["gain"] and arm["verdict"] == "undecided")
    return [arm["name"] for arm in arms if (bounds := arm["gain"]["mAP"]["ci95"]) and bounds[0] > 0]
