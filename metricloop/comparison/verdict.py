"""The result of a study in a few sentences, made from comparison.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metricloop.comparison.arm_rows import (
    Arm,
    boxes_apart,
    family_size,
    in_first_look,
    is_oracle,
    map_gain,
    matched_control,
    of_role,
    planned_looks,
    tried,
    unplanned_looks,
)
from metricloop.comparison.bottleneck import bottleneck_text
from metricloop.comparison.headlines import headlines, sentence
from metricloop.comparison.no_winner import NONE_FOUND, no_winner
from metricloop.comparison.parts import strongest_part
from metricloop.comparison.phrases import (
    AS_MANY_BOXES,
    OTHERS,
    both_or_all,
    change_text,
    interval_text,
    levels,
    named,
    unplanned_mark,
)
from metricloop.comparison.whole_pool import dropping_text
from metricloop.text.numbers import count, listing, p_value, percent, signed

NAMED = 3  # undecided arms that a verdict with a winner names; the table has all
NO_CONTROL = "no control with as many boxes has results yet"


@dataclass(frozen=True)
class Verdict:
    """What was decided. headline: one sentence; details: more; means: one sentence for each mean gain of a group.

    outcome: better (a metric is), together (their mean is, no single one), worse (all are), no_gain (shown, or none was
    found), undecided or none (no metric was tested).
    """

    outcome: str
    headline: str
    details: tuple[str, ...]
    means: tuple[str, ...] = ()


def summarise(comparison: dict[str, Any]) -> Verdict:
    """The verdict on a whole study. It names arms that are worse or undecided as clearly as arms that are better."""
    treatments = of_role(comparison, "treatment")
    oracle = next((arm for arm in of_role(comparison, "control") if is_oracle(arm)), None)
    baseline = next((arm for arm in comparison["arms"] if arm["role"] == "baseline"), None)
    stopped, pending = comparison["screened"], _pending(comparison)
    if baseline is None or not treatments:
        whole = bool(stopped) and not pending
        headline = _all_stopped(stopped) if whole else "No metric was tested yet."
        details = [*([] if whole else _not_trained(stopped)), *pending, *_oracle(comparison, oracle, None)]
        return Verdict("no_gain" if whole else "none", headline, tuple(details))
    better, worse, open_ = (
        [arm for arm in treatments if arm["verdict"] == word] for word in ("better", "worse", "undecided")
    )
    if better:
        outcome = "better"
        headline = f"{_beaten(comparison, better)}{_beside(comparison, treatments, oracle)}"
        details = [
            _evidence(better[0], comparison),
            *_lead_over_part(comparison, better[0]),
            *_boxes(comparison, better),
        ]
    else:
        outcome, headline, details = no_winner(comparison, treatments, baseline)
    if worse:
        details.append(f"Worse than random: {named(worse)}.")
    if stopped:
        details += _not_trained(stopped)
    if better and open_:
        details.append(f"Still undecided: {named(open_, NAMED)}.")
    if going := [arm for arm in treatments if arm["goes_on"]]:
        one = len(going) == 1
        details.append(
            f"{count(len(going), 'metric is', 'metrics are')} ahead; `metricloop run` would give "
            f"{'it' if one else 'them'} more seeds."
        )
    details += [*pending, *_oracle(comparison, oracle, better[0] if better else None)]
    asked = outcome in ("undecided", "together") or headline.startswith(NONE_FOUND)
    details += filter(None, [dropping_text(comparison), bottleneck_text(comparison) if asked else ""])
    return Verdict(outcome, headline, tuple(details), tuple(map(sentence, headlines(comparison))))


def _pending(comparison: dict[str, Any]) -> list[str]:
    """A line about metrics of the plan without results; none where every one has some."""
    number = family_size(comparison) - tried(comparison)
    if number <= 0:
        return []
    one = number == 1
    return [
        f"{count(number, 'more metric', 'more metrics')} of the plan {'has' if one else 'have'} no results yet; "
        f"{'it counts' if one else 'they count'} in the correction of p."
    ]


def _short(stopped: Sequence[Mapping[str, Any]]) -> str:
    """The arms that short trials stopped, each with its gain over the baseline there."""
    return listing([f"{arm['name']} ({signed(arm['mAP'] - arm['baseline'])} mAP)" for arm in stopped])


def _not_trained(stopped: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why arms that have short trials were not trained further: they are below random, or another variant is better."""
    below = [arm for arm in stopped if arm["mAP"] < arm["baseline"]]
    behind = [arm for arm in stopped if arm["mAP"] >= arm["baseline"]]
    lines = [f"Below random in short trials, and not trained further: {_short(below)}."] if below else []
    if behind:
        lines.append(f"Not trained further, as another variant did better in short trials: {_short(behind)}.")
    return lines


def _all_stopped(stopped: Sequence[Mapping[str, Any]]) -> str:
    one = len(stopped) == 1
    who = "the metric that was tried is" if one else f"{both_or_all(len(stopped))} metrics are"
    return f"No gain found: {who} below {OTHERS} in short trials: {_short(stopped)}."


def _beside(comparison: dict[str, Any], treatments: list[Arm], oracle: Arm | None) -> str:
    """The mean gain of all metrics and the oracle's gain, where they are decided; "" where none is."""
    names = {arm["name"] for arm in treatments}
    who = f"the {len(treatments)} trained in full" if comparison["screened"] else both_or_all(len(treatments))
    said = [
        f"on average {who} gain {change_text(mean.gain['mAP'])}"
        for mean in headlines(comparison)
        if set(mean.arms) == names and mean.verdict == "better"
    ][:1]
    if oracle and oracle["verdict"] == "better":
        said.append(f"the oracle gains {change_text(oracle['gain']['mAP'])}")
    text = ", ".join(said)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _beaten(comparison: dict[str, Any], better: list[Arm]) -> str:
    best, number = better[0], tried(comparison)
    others = f"{OTHERS}{unplanned_mark(comparison)}"
    reached = f"{levels(best)}{_but(comparison, best)}"
    if number == 1:
        return f"Training on what {best['name']} selects beats {others}: {reached}."
    if len(better) == 1:
        return f"One of {number} metrics beats {others}: {best['name']}, {reached}."
    some = f"{len(better)} of {number}"
    if len(better) == number:
        some = both_or_all(number).capitalize()
    return f"{some} metrics beat {others}; the best is {best['name']}: {reached}."


def _but(comparison: dict[str, Any], winner: Arm) -> str:
    """What the first line adds where the number of boxes may explain the gain."""
    control = matched_control(comparison, winner) if boxes_apart(winner) else None
    if control is None:
        return ""
    lead = control["lead_over_it"]
    low, high = lead["ci95"] or (-math.inf, math.inf)
    if low > 0:
        return ""
    if high < 0:
        return f", but {AS_MANY_BOXES} do better"
    return f", but {AS_MANY_BOXES} do as well" if lead["abs"] <= 0 else f", but it is not shown to beat {AS_MANY_BOXES}"


def _boxes(comparison: dict[str, Any], better: list[Arm]) -> list[str]:
    """A line for each winner whose number of boxes may explain its gain."""
    lines = []
    for place, arm in ((place, arm) for place, arm in enumerate(better) if boxes_apart(arm)):
        more = arm["boxes_ratio"] - 1
        on = f"{arm['name']} trains on {percent(abs(more))} {'more' if more > 0 else 'fewer'} boxes than random"
        control = matched_control(comparison, arm)
        if control is None:  # the study adds one for the best winner only
            lines.append(f"{on}, which may explain its gain{'' if place else f'; {NO_CONTROL}'}.")
        elif (lead := control["lead_over_it"])["ci95"] is None or lead["ci95"][0] <= 0:
            lines.append(
                f"{on}, which may explain its gain: its lead over {control['name']}, {AS_MANY_BOXES}, is "
                f"{change_text(lead)}, {interval_text(lead)}."
            )
    return lines


def _lead_over_part(comparison: dict[str, Any], winner: Arm) -> list[str]:
    """A line with the winner's lead over the best arm that uses only a part of what it uses. [] if none gains."""
    found = strongest_part(comparison, winner)
    if found is None or map_gain(found[0]) <= 0:
        return []
    part, lead = found
    unsure = lead["ci95"] is not None and lead["ci95"][0] <= 0
    return [
        f"{part['name']}, which uses only a part of what {winner['name']} uses, gains "
        f"{change_text(part['gain']['mAP'])}: the lead over it is {signed(lead['abs'])} mAP, {interval_text(lead)}"
        f"{', so that the rest is not shown to add anything' if unsure else ''}."
    ]


def _evidence(arm: Arm, comparison: dict[str, Any]) -> str:
    change, family = arm["gain"]["mAP"], family_size(comparison)
    expected = arm["shrunken_gain"]
    text = (
        f"{arm['name']} gains {change_text(change)}, {interval_text(change)}, "
        f"{p_value(change['p_holm'])} after correction for {count(family, 'metric')}{_at(comparison, arm)} "
        f"({count(len(arm['seeds']), 'seed')} against {arm['baseline_seeds']})."
    )
    if family > 1 and expected is not None:
        text += f" The best of several looks better than it is: expect about {signed(expected)} mAP."
    return text


def _at(comparison: dict[str, Any], arm: Arm) -> str:
    """For which looks p is corrected; or which unplanned look decided the arm."""
    if arm["decided_at"] in unplanned_looks(comparison):
        return f", at look {arm['decided_at']}, which was not planned"
    return f" and {count(planned_looks(comparison), 'look')}"


def _oracle(comparison: dict[str, Any], oracle: Arm | None, winner: Arm | None) -> list[str]:
    if oracle is None or oracle["goes_on"] or not in_first_look(comparison, oracle):
        return []
    change = oracle["gain"]["mAP"]
    reached = f"{change_text(change)}, {interval_text(change)}"
    if oracle["verdict"] != "better":
        return [
            f"Even the oracle, which knows every deliberate mistake, is not shown to beat random here, at {reached}: "
            "a good metric would be hard to see in this study."
        ]
    if winner and (share := winner["oracle_gap_closed"]):
        return [
            f"On the search split, where it was chosen, {winner['name']} reaches {percent(share)} of the gain of the "
            "oracle, which knows every deliberate mistake."
        ]
    return [
        f"The oracle, which knows every deliberate mistake, is better, by {reached}: "
        "about the most that choosing clean images can gain."
    ]
