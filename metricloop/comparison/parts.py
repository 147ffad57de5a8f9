"""Arms that use a part of what another arm uses: what an arm of several metrics adds to one of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from metricloop.comparison.arm_rows import Arm, map_gain
from metricloop.selection.options import strengths_in

Used = frozenset[tuple[str, str]]


def used_by(entry: Mapping[str, Any]) -> Used:
    """What an arm of the plan selects by: (metric, direction) of each of its metrics, and (repair, "mend").

    Other options of the policy are not looked at. A metric that ranks with strength 0 is not used.
    """
    policy, metric = entry["policy"], entry.get("metric")
    found = set()
    if objectives := policy.get("objectives"):
        found = {
            (name, "higher" if strength > 0 else "lower") for name, strength in strengths_in(str(objectives)).items()
        }
    elif metric:
        if policy.get("strength") != 0:
            found.add((metric, policy.get("direction", "higher")))
        if policy.get("combine") and policy.get("strength_b") != 0:
            found.add((PurePosixPath(entry["b"]).stem, policy.get("direction_b", "higher")))
    if mend := policy.get("mend"):
        found.add((mend["repair"], "mend"))
    return frozenset(found)


def parts_of(name: str, arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The treatments among `arms`, entries of the plan, that use some of what a treatment uses, and nothing else."""
    if arms[name]["role"] != "treatment":
        return []
    own = used_by(arms[name])
    used = {other: used_by(entry) for other, entry in arms.items() if entry["role"] == "treatment"}
    return [other for other, part in used.items() if part and part < own]


def strongest_part(comparison: Mapping[str, Any], arm: Arm) -> tuple[Arm, dict[str, Any]] | None:
    """The part of an arm with the highest gain, and the arm's lead over it; None where no part has results."""
    leads = arm.get("lead_over_parts") or {}
    found = [row for row in comparison["arms"] if row["name"] in leads]
    if not found:
        return None
    best = max(found, key=map_gain)
    return best, leads[best["name"]]
