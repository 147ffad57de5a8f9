"""The arms for the test split: the baseline, the best treatment and the oracle, each with the hash of its manifest.

They are written to a file of their own, so that `confirm` uses the test split again only when one of them changes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from metricloop.comparison.arm_rows import is_oracle, of_role


def finalists(comparison: dict[str, Any], subsets: Path) -> dict[str, dict[str, str]]:
    """Role -> {"arm", "subset": sha256 of its manifest}; the best treatment is the one with the highest paired gain."""
    chosen = {"baseline": of_role(comparison, "baseline")[:1], "winner": of_role(comparison, "treatment")[:1]}
    chosen["oracle"] = [arm for arm in of_role(comparison, "control") if is_oracle(arm)][:1]
    return {
        role: {"arm": arm["name"], "subset": _sha256(subsets / f"{arm['name']}.parquet")}
        for role, arms in chosen.items()
        for arm in arms
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
