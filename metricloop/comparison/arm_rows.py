"""The arms of comparison.json: by role, by gain, and which of them is the oracle. No text for people is made here."""

from __future__ import annotations

from typing import Any

Arm = dict[str, Any]  # one entry of `arms` in comparison.json


def map_gain(arm: Arm) -> float:
    """The absolute gain in mAP over the baseline; 0 for the baseline itself."""
    return arm["gain"]["mAP"]["abs"] if arm["gain"] else 0.0


def of_role(comparison: dict[str, Any], role: str) -> list[Arm]:
    """The arms of one role, highest gain first; arms of equal gain by name."""
    arms = (arm for arm in comparison["arms"] if arm["role"] == role)
    return sorted(arms, key=lambda arm: (-map_gain(arm), arm["name"]))


def is_oracle(arm: Arm) -> bool:
    """Whether an arm is the control that knows the damaged labels."""
    return arm["role"] == "control" and arm["policy"]["name"] == "oracle"
