"""The arms for the test split: the baseline, the best treatment and the oracle, each with the hash of its manifest.

They are written to a file of their own, so that `confirm` uses the test split again only when one of them changes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop.comparison.arm_rows import is_oracle, of_role

if TYPE_CHECKING:
    from metricloop.params import When


def finalists(comparison: dict[str, Any], subsets: Path, when: When) -> dict[str, Any]:
    """{"arms": role -> {"arm", "subset": sha256 of its manifest}, "reason": why there are none, or None}.

    when: `better` opens the test split only if a treatment is better. The winner is the better treatment with the
    highest gain, or, with `always`, the treatment with the highest gain.
    """
    treatments = of_role(comparison, "treatment")
    better = [arm for arm in treatments if arm["verdict"] == "better"]
    if reason := _why_closed(when, bool(treatments), bool(better)):
        return {"arms": {}, "reason": reason}
    chosen = {"baseline": of_role(comparison, "baseline")[:1], "winner": (better or treatments)[:1]}
    chosen["oracle"] = [arm for arm in of_role(comparison, "control") if is_oracle(arm)][:1]
    named = {
        role: {"arm": arm["name"], "subset": _sha256(subsets / f"{arm['name']}.parquet")}
        for role, arms in chosen.items()
        for arm in arms
    }
    return {"arms": named, "reason": None}


def _why_closed(when: When, tried: bool, better: bool) -> str | None:
    """Why the test split stays closed; None when it is opened."""
    if when == "never":
        return "confirm.when is never"
    if not tried:
        return "no metric was tried"
    return None if better or when == "always" else "no metric is better than the baseline on the search split"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
