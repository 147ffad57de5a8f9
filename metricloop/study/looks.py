"""The looks of a study: those of params.yaml, and which of them were planned before the first trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.looks import Look
from metricloop.params import Params
from metricloop.study.plan import load_plan, replace_rounds, rounds_of, write_rounds


def record_looks(folder: Path, params: Params) -> None:
    """Write the looks of params.yaml to rounds.yaml, unless a trial has been evaluated: then they cannot be planned."""
    plan = load_plan(folder)
    if any(folder.glob(layout.numbers_file("*"))):
        return
    looks = {f"look{number}": look for number, look in enumerate(_entries(params), start=1)}
    if plan["looks"] != looks:
        if plan["looks"]:  # others were planned, and nothing has run yet
            replace_rounds({**rounds_of(folder), "looks": {}}, folder)
        write_rounds({"looks": looks}, folder)


def looks_of(plan: Mapping[str, Any], params: Params) -> list[Look]:
    """The looks of params.yaml; planned is False from the first one on that rounds.yaml has not in its place."""
    recorded = list(plan["looks"].values())
    looks, planned = [], True
    for place, entry in enumerate(_entries(params)):
        planned = planned and recorded[place : place + 1] == [entry]
        looks.append(Look(**entry, planned=planned))
    return looks


def _entries(params: Params) -> list[dict[str, Any]]:
    looks = params.looks
    return [
        {"arms": arms, "baseline": baseline, "alpha": alpha}
        for arms, baseline, alpha in zip(looks.arms, looks.baseline, looks.alpha, strict=True)
    ]
