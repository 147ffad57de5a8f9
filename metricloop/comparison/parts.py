"""Arms that use a part of what another arm uses: what an arm of several metrics adds to one of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from metricloop.comparison.arm_rows import Arm, map_gain
from metricloop.selection.options import strengths_in

Used = frozenset[tuple[str, str]]
# The policies that select by scores, but for band, which prefers neither end, and inverse. They are named here, since
# the comparison does not depend on the code of policies; a test holds them against those that there are.
BY_SCORES = frozenset({"best", "drop_worst", "among", "strata", "class_balanced", "diverse"})
BAND, INVERSE = "band", "inverse"
OPPOSITE = {"higher": "lower", "lower": "higher"}


def used_by(entry: Mapping[str, Any]) -> Used:
    """What an arm of the plan selects by: (metric, direction) of each of its metrics, and (repair, "mend").

    Of an arm that reads no scores, only a repair of random images counts; of one that reads the truth or another arm's
    subset, nothing. Other options of the policy are not looked at. A metric that ranks with strength 0 is not used.
    """
    policy = entry["policy"]
    name, repair = policy["name"], (policy.get("mend") or {}).get("repair")
    scored = name in BY_SCORES | {BAND, INVERSE}
    if not scored and name != "random":
        return frozenset()
    ways = _metrics(entry) if scored else {}
    if name == BAND:
        ways = dict.fromkeys(ways, name)
    elif name == INVERSE:
        ways = {metric: OPPOSITE[way] for metric, way in ways.items()}
    return frozenset({*ways.items(), *({(repair, "mend")} if repair else ())})


def _metrics(entry: Mapping[str, Any]) -> dict[str, str]:
    """The metrics of a policy by scores, each with the direction that the policy prefers."""
    policy = entry["policy"]
    if objectives := policy.get("objectives"):
        return {name: "higher" if strength > 0 else "lower" for name, strength in strengths_in(objectives).items()}
    found = {}
    if float(policy.get("strength", 1)):
        found[_metric(entry, "a")] = policy.get("direction", "higher")
    if policy.get("combine") and float(policy.get("strength_b", 1)):
        found[_metric(entry, "b")] = policy.get("direction_b", "higher")
    return found


def _metric(entry: Mapping[str, Any], which: str) -> str:
    return PurePosixPath(entry[which]).stem


def parts_of(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """For each treatment, the other treatments that use only a part of what it uses. arms: entries of the plan."""
    used = {name: used_by(entry) for name, entry in arms.items() if entry["role"] == "treatment"}
    return {name: [other for other, part in used.items() if part and part < own] for name, own in used.items()}


def strongest_part(comparison: Mapping[str, Any], arm: Arm) -> tuple[Arm, dict[str, Any]] | None:
    """The arm with the highest gain among those that use only a part of what `arm` uses; and the lead of `arm` over it.

    None if no such arm has results.
    """
    leads = arm.get("lead_over_parts") or {}
    found = [row for row in comparison["arms"] if row["name"] in leads]
    if not found:
        return None
    best = max(found, key=map_gain)
    return best, leads[best["name"]]
