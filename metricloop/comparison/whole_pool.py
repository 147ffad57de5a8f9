"""Whether to drop images at all: what the control `full`, which trains on the whole pool, says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, in_first_look, of_role, winner_of
from metricloop.comparison.phrases import change_text, interval_text
from metricloop.text.numbers import percent

Dropping = Literal["pays", "costs", "same", "open"]


def whole_pool(comparison: dict[str, Any]) -> Arm | None:
    """The control that trains on the whole pool, once its first look is complete."""
    controls = (arm for arm in of_role(comparison, "control") if arm["policy"]["name"] == "full")
    return next((arm for arm in controls if arm["gain"]["mAP"]["ci95"] and in_first_look(comparison, arm)), None)


def dropping(comparison: dict[str, Any]) -> Dropping | None:
    """Whether a subset is better than the whole pool (pays), worse (costs), no worse by the smallest gain of interest
    (same), or whether that is open. None without the control `full`. The subset is that of the best metric that is
    better than random, or else a random one.
    """
    whole = whole_pool(comparison)
    if whole is None:
        return None
    low, high = (_lead(comparison) or reverse(whole["gain"]["mAP"]))["ci95"] or (-1.0, 1.0)
    if low > 0:
        return "pays"
    if high < 0:
        return "costs"
    return "same" if low > -comparison["smallest_gain"] else "open"


def dropping_text(comparison: dict[str, Any]) -> str:
    """What the control `full` says, in a sentence or two; "" without it."""
    whole, found = whole_pool(comparison), dropping(comparison)
    if whole is None or found is None:
        return ""
    share, change = percent(comparison["budget"]), reverse(whole["gain"]["mAP"])
    text = (
        f"Should anything be dropped? With as many iterations, a random {share} of the images is "
        f"{change_text(change)} against all of them ({interval_text(change)})"
    )
    lead, best = _lead(comparison), winner_of(comparison)
    if lead and best:
        text += f", and the {share} of {best['name']} {change_text(lead)} ({interval_text(lead)})"
    return f"{text}: {_CONCLUSIONS[found]}."


_CONCLUSIONS = {
    "pays": "yes, the subset is better than all of them",
    "costs": "no, train on all of them where you can",
    "same": "you may, at little or no loss",
    "open": "that is not decided",
}


def reverse(change: Mapping[str, Any]) -> dict[str, Any]:
    """The gain of the baseline over an arm, from the arm's gain over the baseline; rel: where it is known."""
    ci, rel = change["ci95"], change["rel"]
    return {
        "abs": -change["abs"],
        "rel": None if rel is None or rel <= -1 else 1 / (1 + rel) - 1,
        "ci95": ci and [-ci[1], -ci[0]],
    }


def _lead(comparison: dict[str, Any]) -> dict[str, Any] | None:
    """The gain of the best metric over the whole pool; None where no metric is better than random."""
    best = winner_of(comparison)
    return best.get("lead_over_full") if best else None
