"""The section of the report about the test split: whether it was opened, and what the winner did there."""

from __future__ import annotations

from typing import Any

import numpy as np

from metricloop.comparison.comparison_table import confirmed_text, other_openings

ROLES = {"baseline": "baseline", "winner": "winner", "oracle": "oracle", "full": "whole pool"}


def confirmation_section(
    confirmation: dict[str, Any] | None, comparison: dict[str, Any], openings: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The values for the template; None where the test split was never opened.

    confirmation: confirmation.json; openings: the lines of opened.jsonl.
    """
    if not confirmation or not confirmation["arms"]:
        return None
    searched = {arm["name"]: arm for arm in comparison["arms"]}
    rows = []
    for role, arm in confirmation["arms"].items():
        change = confirmation["gain"].get(role, {}).get("mAP")
        row = searched.get(arm["arm"], {})
        rows.append(
            {
                "role": ROLES.get(role, role),
                "arm": arm["arm"],
                "seeds": len(arm["mAP"]),
                **{name: None if None in arm[name] else float(np.mean(arm[name])) for name in ("mAP", "mAR")},
                "searched": ((row.get("gain") or {}).get("mAP") or {}).get("abs"),
                "expected": row.get("shrunken_gain"),
                "change": change,
            }
        )
    return {
        "said": confirmed_text(confirmation, searched),
        "images": confirmation["test_images"],
        "rows": rows,
        "openings": other_openings(confirmation, openings),
    }
