"""The result of a study in a few sentences, made from comparison.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metricloop.comparison.arm_rows import Arm, family_size, is_oracle, map_gain, of_role
from metricloop.comparison.headlines import headlines, sentence
from metricloop.text.numbers import count, fixed, gain, interval, listing, percent, probability, signed

OTHERS = "a random sample of the same size"
SURE = "95\u00a0%"


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
    stopped = comparison.get("screened", ())
    if (not treatments and not stopped) or baseline is None:
        return Verdict("none", "No metric was tested yet.", tuple(_oracle(oracle, None)))
    if not treatments:
        return Verdict("no_gain", _all_stopped(stopped), tuple(_oracle(oracle, None)))
    better, worse, open_ = (
        [arm for arm in treatments if arm["verdict"] == word] for word in ("better", "worse", "undecided")
    )
    if better:
        outcome = "better"
        headline = f"{_beaten(better, family_size(comparison), baseline)}{_beside(comparison, treatments, oracle)}"
        details = [_evidence(better[0], baseline, comparison)]
    else:
        outcome, headline, details = _unbeaten(comparison, treatments, baseline)
    if worse:
        details.append(f"Worse than random: {_named(worse)}.")
    if stopped:
        details.append(f"Below random in short trials, and not trained further: {_short(stopped)}.")
    if better and open_:
        details.append(f"Still undecided: {_named(open_)}.")
    if going := [arm for arm in treatments if arm["goes_on"]]:
        one = len(going) == 1
        details.append(
            f"{count(len(going), 'metric is', 'metrics are')} ahead and {'gets' if one else 'get'} more seeds."
        )
    details += _oracle(oracle, better[0] if better else None)
    return Verdict(outcome, headline, tuple(details), tuple(map(sentence, headlines(comparison))))


def seeds_text(needed: Sequence[int | None]) -> str:
    """[4, 6] -> 4 to 6 seeds; [13, None] -> 13 or more seeds."""
    low, high = needed
    if high is None:
        return f"{low} or more seeds"
    return count(low, "seed") if low == high else f"{low} to {high} seeds"


def _named(arms: list[Arm]) -> str:
    return listing([f"{arm['name']} ({signed(map_gain(arm))})" for arm in arms])


def _short(stopped: Sequence[Mapping[str, Any]]) -> str:
    """The arms that short trials stopped, each with how far it was below the baseline there."""
    return listing([f"{arm['name']} ({signed(arm['mAP'] - arm['baseline'])})" for arm in stopped])


def _all_stopped(stopped: Sequence[Mapping[str, Any]]) -> str:
    one = len(stopped) == 1
    who = "The metric that was tried is" if one else f"All {len(stopped)} metrics are"
    return f"No gain found: {who[0].lower()}{who[1:]} below {OTHERS} in short trials: {_short(stopped)}."


def _levels(arm: Arm, baseline: Arm) -> str:
    return f"mAP {fixed(arm['mAP']['mean'])} against {fixed(baseline['mAP']['mean'])}"


def _beside(comparison: dict[str, Any], treatments: list[Arm], oracle: Arm | None) -> str:
    """The mean gain of all metrics and the oracle's gain, where they are decided; "" where none is."""
    names = {arm["name"] for arm in treatments}
    who = f"the {len(treatments)} trained in full" if comparison.get("screened") else f"all {len(treatments)}"
    said = [
        f"on average {who} gain {gain(mean.gain['mAP']['abs'], mean.gain['mAP']['rel'])}"
        for mean in headlines(comparison)
        if set(mean.arms) == names and mean.verdict == "better"
    ][:1]
    if oracle and oracle["verdict"] == "better":
        change = oracle["gain"]["mAP"]
        said.append(f"the oracle gains {gain(change['abs'], change['rel'])}")
    text = ", ".join(said)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _beaten(better: list[Arm], tried: int, baseline: Arm) -> str:
    best = better[0]
    if tried == 1:
        return f"Training on what {best['name']} selects beats {OTHERS}: {_levels(best, baseline)}."
    if len(better) == 1:
        return f"One of {tried} metrics beats {OTHERS}: {best['name']}, {_levels(best, baseline)}."
    some = "All" if len(better) == tried else f"{len(better)} of"
    return (
        f"{some} {tried} metrics beat {OTHERS}; the best is {best['name']}: "
        f"{_levels(best, baseline)}."
    )  # fmt: skip


def _unbeaten(comparison: dict[str, Any], treatments: list[Arm], baseline: Arm) -> tuple[str, str, list[str]]:
    """Outcome, headline and details of a study in which no metric is better. "No gain" is only said where it is shown
    for every metric; "no gain found" where the looks are over and nothing hints at one.
    """
    if all(arm["verdict"] == "worse" for arm in treatments):
        return "worse", f"No gain: {_every(comparison)} does worse than {OTHERS}.", []
    smallest, ends = comparison["smallest_gain"], [arm["gain"]["mAP"]["ci95"] for arm in treatments]
    if all(ci and ci[1] < smallest for ci in ends):
        return "no_gain", _shown_none(treatments, smallest), []
    whole, decided = _overall(comparison, treatments)
    if decided == "better" and len(treatments) > 1:
        return (
            "together",
            _together(whole, len(treatments), bool(comparison.get("screened"))),
            [_prospect(treatments[0], baseline)],
        )
    hinted = [ci for ci in (*ends, whole["ci95"]) if ci is None or ci[0] > 0]
    if hinted or any(arm["goes_on"] for arm in treatments) or not _first_look_done(comparison, treatments, baseline):
        first = next(arm for arm in treatments if arm["verdict"] == "undecided")
        return "undecided", _undecided(treatments), [_prospect(first, baseline)]
    return "no_gain", _none_found(treatments, whole), [_not_ruled_out(treatments, whole, smallest)]


def _every(comparison: dict[str, Any]) -> str:
    return "every metric that was trained in full" if comparison.get("screened") else "every metric that was tried"


def _overall(comparison: dict[str, Any], treatments: list[Arm]) -> tuple[dict[str, Any], str]:
    """The mean gain in mAP of all treatments, and the verdict on it."""
    names = {arm["name"] for arm in treatments}
    for headline in headlines(comparison):
        if set(headline.arms) == names:
            return headline.gain["mAP"], headline.verdict
    return treatments[0]["gain"]["mAP"], treatments[0]["verdict"]


def _first_look_done(comparison: dict[str, Any], treatments: list[Arm], baseline: Arm) -> bool:
    look = comparison["looks"][0]
    return len(baseline["seeds"]) >= look["baseline"] and all(len(arm["seeds"]) >= look["arms"] for arm in treatments)


def _shown_none(treatments: list[Arm], smallest: float) -> str:
    who = treatments[0]["name"] if len(treatments) == 1 else f"each of the {len(treatments)} metrics"
    if smallest <= 0:
        return f"No gain: with {SURE} confidence, {who} does worse than {OTHERS}."
    return (
        f"No gain: with {SURE} confidence, {who} gains less than {signed(smallest)} mAP, the smallest gain of "
        f"interest, over {OTHERS}."
    )


def _together(whole: dict[str, Any], metrics: int, screened: bool) -> str:
    return (
        f"Together, the {metrics} metrics{' trained in full' if screened else ''} beat {OTHERS}: their mean gain is "
        f"{gain(whole['abs'], whole['rel'])} mAP. No single one is shown to."
    )


def _undecided(treatments: list[Arm]) -> str:
    numbers = sorted({len(arm["seeds"]) for arm in treatments})
    seeds = count(numbers[0], "seed") if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} seeds"
    if len(treatments) == 1:
        return f"Undecided: after {seeds}, {treatments[0]['name']} is not shown to beat {OTHERS}."
    return f"Undecided: after {seeds} each, none of the {len(treatments)} metrics is shown to beat {OTHERS}."


def _none_found(treatments: list[Arm], whole: dict[str, Any]) -> str:
    reached = f"{signed(whole['abs'])} mAP ({SURE} interval {interval(whole['ci95'])})"
    if len(treatments) == 1:
        return f"No gain found: {treatments[0]['name']} is not shown to beat {OTHERS}; its gain is {reached}."
    who = f"none of the {len(treatments)} metrics"
    return f"No gain found: {who} is shown to beat {OTHERS}, and their mean gain is {reached}."


def _not_ruled_out(treatments: list[Arm], whole: dict[str, Any], smallest: float) -> str:
    """Which gains the study leaves possible: no gain found is not the same as no gain."""
    most = max(treatments, key=lambda arm: arm["gain"]["mAP"]["ci95"][1])
    end, single = whole["ci95"][1], f"up to {signed(most['gain']['mAP']['ci95'][1])} for {most['name']}"
    if len(treatments) == 1:
        return f"Not ruled out: a gain of {single}."
    if end < smallest:
        return (
            f"Their mean gain is below {signed(smallest)}, the smallest gain of interest, with {SURE} confidence; "
            f"not ruled out is a gain of {single}."
        )
    return f"Not ruled out: a mean gain of up to {signed(end)}, and {single}."


def _evidence(arm: Arm, baseline: Arm, comparison: dict[str, Any]) -> str:
    change = arm["gain"]["mAP"]
    family = family_size(comparison)
    looks = sum(look["planned"] for look in comparison["looks"])
    expected = arm["shrunken_gain"]
    text = (
        f"{arm['name']} gains {gain(change['abs'], change['rel'])}, {SURE} interval {interval(change['ci95'])}, "
        f"p {probability(change['p_holm'])} after correction for {count(family, 'metric')} and {count(looks, 'look')} "
        f"({count(len(arm['seeds']), 'seed')} against {len(baseline['seeds'])})."
    )
    if family > 1 and expected is not None:
        text += f" The best of several looks better than it is: expect about {signed(expected)}."
    return text


def _prospect(arm: Arm, baseline: Arm) -> str:
    change = arm["gain"]["mAP"]
    needed = arm["seeds_needed"]
    future = f"{seeds_text(needed)} would probably decide" if needed else "no reasonable number of seeds would decide"
    place = "The most promising" if change["abs"] > 0 else "None is ahead; the nearest"
    return (
        f"{place} is {arm['name']}: {_levels(arm, baseline)}, {gain(change['abs'], change['rel'])}, "
        f"{SURE} interval {interval(change['ci95'])}, p {probability(change['p_holm'])}; {future}."
    )


def _oracle(oracle: Arm | None, winner: Arm | None) -> list[str]:
    if oracle is None:
        return []
    change = oracle["gain"]["mAP"]
    reached = f"{gain(change['abs'], change['rel'])}, {SURE} interval {interval(change['ci95'])}"
    if oracle["verdict"] != "better":
        return [
            f"Even the oracle, which knows every deliberate mistake, is not shown to beat random here, at {reached}: "
            "a good metric would be hard to see in this study."
        ]
    most = (
        f"The oracle, which knows every deliberate mistake, is better, by {reached}: "
        "about the most that choosing clean images can gain"
    )
    share = winner and winner["oracle_gap_closed"]
    return [f"{most}; {winner['name']} reaches {percent(share)} of it." if winner and share else f"{most}."]
