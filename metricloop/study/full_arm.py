"""Add the control `full`, which trains on the whole pool, to a study that has none."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.comparison.compare import WHOLE
from metricloop.params import load_params
from metricloop.study.add_arm import AppendError, append_entries
from metricloop.study.plan import Plan, load_plan
from metricloop.study.screens import first_trials


def add_full_arm(folder: Path) -> tuple[str, Plan]:
    """Write the arm and its first trials to arms.yaml; returns its name and what was added.

    It is a family of tests of its own (automatic), so that no verdict of the study changes.
    Errors: AppendError when the study has such an arm.
    """
    plan = load_plan(folder)
    there = next((name for name, arm in plan["arms"].items() if arm["policy"]["name"] == WHOLE), None)
    if there:
        raise AppendError(f"the study has the whole pool as an arm already: {there}")
    name = WHOLE if WHOLE not in plan["arms"] else "whole_pool"
    arm = {"role": "control", "automatic": True, "a": layout.IMAGES, "b": layout.IMAGES, "policy": {"name": WHOLE}}
    arms = {**plan, "arms": {**plan["arms"], name: arm}}
    addition: Plan = {"arms": {name: arm}, **first_trials(name, arms, load_params(folder / layout.PARAMS))}
    append_entries(folder / layout.ARMS, addition)
    return name, addition
