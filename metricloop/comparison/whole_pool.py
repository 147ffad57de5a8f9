"""Whether to drop images at all: what the control `full`, which trains on the whole pool, says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, in_first_look, of_role, winner_of
from metricloop.comparison.phrases import change_text, interval_text
from metricloop.text.numbers import fixed, percent

Dropping = Literal["pays", "costs", "open"]


def whole_pool(comparison: dict[str, Any]) -> Arm | None:
    """The control that trains on the whole pool, once its first look is complete."""
    controls = (arm for arm in of_role(comparison, "control") if arm["policy"]["name"] == "full")
    return next((arm for arm in controls if arm["gain"]["mAP"]["ci95"] and in_first_look(comparison, arm)), None)


def dropping(comparison: dict[str, Any]) -> Dropping | None:
    """Whether a subset is better than the whole pool (pays), worse (costs), or whether that is open: by the ends of the
    interval alone. None without the control `full`. The subset is that of the best metric that is better than random,
    or else a random one.
    """
    found = _ends(comparison)
    if found is None:
        return None
    low, high = found
    return "pays" if low > 0 else "costs" if high < 0 else "open"


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
    return f"{text}: {_conclusion(*(_ends(comparison) or (-1.0, 1.0)))}."


def _conclusion(low: float, high: float) -> str:
    """Whether dropping images pays, in words that name both ends of the interval, low and high, in mAP.

    >>> _conclusion(0.01, 0.03)
    'yes, that gains 0.010 to 0.030 mAP'
    >>> _conclusion(-0.004, 0.03)
    'not decided; it costs at most 0.004 mAP and gains at most 0.030'
    """
    if low > 0:
        return f"yes, that gains {fixed(low)} to {fixed(high)} mAP"
    if high < 0:
        return f"no, that costs {fixed(-high)} to {fixed(-low)} mAP; train on all of them where you can"
    return f"not decided; it costs at most {fixed(-low)} mAP and gains at most {fixed(high)}"


def _ends(comparison: dict[str, Any]) -> tuple[float, float] | None:
    """Lowest and highest plausible gain in mAP of the subset over the whole pool; None without the control `full`."""
    whole = whole_pool(comparison)
    if whole is None:
        return None
    low, high = (_lead(comparison) or reverse(whole["gain"]["mAP"]))["ci95"] or (-1.0, 1.0)
    return low, high


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
