"""Whether to drop images at all: what the control `full`, which trains on the whole pool, says.

All trials have as many iterations, so a subset is passed over more often than the whole pool. Where the whole pool is
passed over a few times only, a subset may win because it is trained to its end and the whole pool is not: nothing then
says that the images left out do harm. A random subset is never better data than the whole pool; where it wins, the
training is too short, however many passes there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from metricloop.comparison.arm_rows import Arm, in_first_look, of_role, winner_of
from metricloop.comparison.phrases import change_text, interval_text
from metricloop.text.numbers import count, fixed, percent

Dropping = Literal["pays", "costs", "open", "short"]
PASSES = 12  # over the whole pool, below which it counts as not trained to its end: the shortest usual schedule of
# detectors, "1x" (Girshick et al. 2018, Detectron; He, Girshick and Dollar 2019, Rethinking ImageNet Pre-training)


def whole_pool(comparison: dict[str, Any]) -> Arm | None:
    """The control that trains on the whole pool, once its first look is complete."""
    controls = (arm for arm in of_role(comparison, "control") if arm["policy"]["name"] == "full")
    return next((arm for arm in controls if arm["gain"]["mAP"]["ci95"] and in_first_look(comparison, arm)), None)


def dropping(comparison: dict[str, Any]) -> Dropping | None:
    """Whether a subset is better than the whole pool (pays), worse (costs), or whether that is open: by the ends of the
    interval. short: a subset is not worse, and the whole pool is not trained to its end, so that nothing is known. None
    without the control `full`. The subset is that of the best metric that is better than random, or else a random one,
    which is never said to pay.
    """
    found = _ends(comparison)
    if found is None:
        return None
    low, high = found
    if high < 0:
        return "costs"
    known = passes(comparison)
    if (low > 0 and _lead(comparison) is None) or (known is not None and known < PASSES):
        return "short"
    return "pays" if low > 0 else "open"


def passes(comparison: dict[str, Any]) -> float | None:
    """How often a trial passes over the whole pool; None where that is not known, or without the control `full`."""
    whole, trained = whole_pool(comparison), comparison.get("trained")
    if whole is None or trained is None or not whole["images"]:
        return None
    return float(trained["iterations"] * trained["batch_size"] / whole["images"])


def enough_iterations(comparison: dict[str, Any]) -> int | None:
    """So many iterations, in tens, pass PASSES times over the whole pool, or twice as many as now where that is more;
    None where the present number is not known."""
    known, trained = passes(comparison), comparison.get("trained")
    if known is None or trained is None:
        return None
    return math.ceil(trained["iterations"] * max(PASSES / known, 2) / 10) * 10


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
    if found == "short":
        return f"{_too_short(comparison, whole)} {text.partition('? ')[2]}{_of_best(comparison, share)}."
    return f"{text}{_of_best(comparison, share)}: {_conclusion(*(_ends(comparison) or (-1.0, 1.0)))}."


def _of_best(comparison: dict[str, Any], share: str) -> str:
    lead, best = _lead(comparison), winner_of(comparison)
    if not lead or not best:
        return ""
    return f", and the {share} of {best['name']} {change_text(lead)} ({interval_text(lead)})"


def _too_short(comparison: dict[str, Any], whole: Arm) -> str:
    """Why it is not known whether images should be dropped, and the setting of a run that finds out."""
    known, number, trained = passes(comparison), enough_iterations(comparison), comparison.get("trained")
    images = count(whole["images"], "image")
    if known is None or number is None or trained is None:
        return (
            f"Should anything be dropped? That is not known: the {images} of the whole pool are not trained to their "
            "end in so few iterations, or a random part of them could not win; compare with more (train.iterations)."
        )
    parts = known * whole["images"] / max(round(comparison["budget"] * whole["images"]), 1)
    return (
        f"Should anything be dropped? That is not known: {count(trained['iterations'], 'iteration')} of "
        f"{count(trained['batch_size'], 'image')} pass {known:.1f} times over the {images} of the whole pool and "
        f"{parts:.0f} times over a subset, so the whole pool is not trained to its end; "
        f"train.iterations={number} would tell."
    )


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
