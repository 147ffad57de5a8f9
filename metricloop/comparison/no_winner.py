"""The result of a study in which no metric is better than the baseline, in a few sentences."""

from __future__ import annotations

from typing import Any

from metricloop.comparison.arm_rows import Arm, family_size, in_first_look, tried
from metricloop.comparison.headlines import headlines
from metricloop.comparison.open_questions import why_no_seeds
from metricloop.comparison.phrases import (
    OTHERS,
    SURE,
    change_text,
    groups_text,
    interval_text,
    levels,
    none_of,
    seeds_text,
    unplanned_mark,
)
from metricloop.text.numbers import count, p_value, signed

NONE_FOUND = "No gain found"  # begins the headline where none was found, and none is shown to be impossible
AT_RANDOM = "Choosing by {what} gains nothing worth having here: take images at random, or all of them."


def no_winner(comparison: dict[str, Any], treatments: list[Arm], baseline: Arm) -> tuple[str, str, list[str]]:
    """Outcome, headline and details. "No gain" is only said where it is shown for every metric; "no gain found" where
    the looks are over and nothing hints at one.
    """
    mark = unplanned_mark(comparison)
    if all(arm["verdict"] == "worse" for arm in treatments):
        return "worse", f"No gain{mark}: {_every(comparison)} does worse than {OTHERS}.", []
    smallest, ends = comparison["smallest_gain"], [arm["gain"]["mAP"]["ci95"] for arm in treatments]
    looked = all(in_first_look(comparison, arm) for arm in treatments)
    if looked and all(ci and ci[1] < smallest for ci in ends):
        what = f"{'this metric' if len(treatments) == 1 else 'these metrics'}"
        return "no_gain", _shown_none(treatments, smallest, mark), [AT_RANDOM.format(what=what)]
    whole, decided = _overall(comparison, treatments)
    if decided == "better" and len(treatments) > 1:
        together = _together(whole, len(treatments), bool(comparison["screened"]), mark)
        return "together", together, [_prospect(comparison, treatments[0])]
    hinted = [ci for ci in (*ends, whole["ci95"]) if ci is None or ci[0] > 0]
    waiting = not looked or family_size(comparison) > tried(comparison)
    if hinted or waiting or any(arm["goes_on"] for arm in treatments):
        first = next(arm for arm in treatments if arm["verdict"] == "undecided")
        return "undecided", _undecided(comparison, treatments, baseline, mark), [_prospect(comparison, first)]
    return "no_gain", _none_found(treatments, whole, mark), [_not_ruled_out(treatments, whole, smallest)]


def _every(comparison: dict[str, Any]) -> str:
    return "every metric that was trained in full" if comparison["screened"] else "every metric that was tried"


def _overall(comparison: dict[str, Any], treatments: list[Arm]) -> tuple[dict[str, Any], str]:
    """The mean gain in mAP of all treatments, and the verdict on it."""
    names = {arm["name"] for arm in treatments}
    for headline in headlines(comparison):
        if set(headline.arms) == names:
            return headline.gain["mAP"], headline.verdict
    return treatments[0]["gain"]["mAP"], treatments[0]["verdict"]


def _shown_none(treatments: list[Arm], smallest: float, mark: str) -> str:
    who = treatments[0]["name"] if len(treatments) == 1 else f"each of the {len(treatments)} metrics"
    if smallest <= 0:
        return f"No gain{mark}: with {SURE} confidence, {who} does worse than {OTHERS}."
    return (
        f"No gain{mark}: with {SURE} confidence, {who} gains less than {signed(smallest)} mAP, the smallest gain of "
        f"interest, over {OTHERS}."
    )


def _together(whole: dict[str, Any], metrics: int, screened: bool, mark: str) -> str:
    return (
        f"Together, the {metrics} metrics{' trained in full' if screened else ''} beat {OTHERS}{mark}: their mean gain "
        f"is {change_text(whole)}. No single one is shown to."
    )


def _undecided(comparison: dict[str, Any], treatments: list[Arm], baseline: Arm, mark: str) -> str:
    if not comparison["looks_taken"]:
        look = comparison["looks"][0]
        return (
            f"Undecided: the first look, with {count(look['arms'], 'seed')} of a metric and {look['baseline']} of "
            f"{baseline['name']}, is not complete."
        )
    numbers = sorted({len(arm["seeds"]) for arm in treatments})
    seeds = count(numbers[0], "seed") if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} seeds"
    if len(treatments) == 1:
        return f"Undecided{mark}: after {seeds}, {treatments[0]['name']} is not shown to beat {OTHERS}."
    return f"Undecided{mark}: after {seeds} each, {none_of(len(treatments))} is shown to beat {OTHERS}."


def _none_found(treatments: list[Arm], whole: dict[str, Any], mark: str) -> str:
    reached = f"{signed(whole['abs'])} mAP ({interval_text(whole)})"
    if len(treatments) == 1:
        return f"{NONE_FOUND}{mark}: {treatments[0]['name']} is not shown to beat {OTHERS}; its gain is {reached}."
    who = none_of(len(treatments))
    if whole["ci95"][1] < 0:
        return f"{NONE_FOUND}{mark}: {who} is shown to beat {OTHERS}; on average they do worse: {reached}."
    return f"{NONE_FOUND}{mark}: {who} is shown to beat {OTHERS}, and their mean gain is {reached}."


def _not_ruled_out(treatments: list[Arm], whole: dict[str, Any], smallest: float) -> str:
    """Which gains the study leaves possible: no gain found is not the same as no gain."""
    most = max(treatments, key=lambda arm: arm["gain"]["mAP"]["ci95"][1])
    end, single = whole["ci95"][1], f"up to {signed(most['gain']['mAP']['ci95'][1])} mAP for {most['name']}"
    if len(treatments) == 1:
        return f"Not ruled out: a gain of {single}."
    if end < smallest:
        return (
            f"On average they gain less than {signed(smallest)} mAP, the smallest gain of interest, with {SURE} "
            f"confidence; one alone may gain more: {single} is not ruled out."
        )
    return f"Not ruled out: a mean gain of up to {signed(end)} mAP, and {single}."


def _prospect(comparison: dict[str, Any], arm: Arm) -> str:
    change = arm["gain"]["mAP"]
    place = "The most promising" if change["abs"] > 0 else "None is ahead; the nearest"
    reached = f"{change_text(change)}, {interval_text(change)}, {p_value(change['p_holm'])}"
    future = _future(comparison, arm)
    return f"{place} is {arm['name']}: {levels(arm)}, {reached}{f'; {future}' if future else ''}."


def _future(comparison: dict[str, Any], arm: Arm) -> str:
    """What would decide an arm; "" while it is too early to say."""
    if arm["seeds_needed"]:
        return f"{seeds_text(arm['seeds_needed'])} would probably decide"
    reasons = {
        "small": "its gain so far is too small for any reasonable number of seeds to decide",
        "images": f"{groups_text(comparison)} are too few for any number of seeds to decide",
        "scatter": "its trials differ too much to say how many seeds would decide",
    }
    return reasons.get(why_no_seeds(comparison, arm) or "", "")
