"""The result of a study in a few sentences, made from comparison.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metricloop.comparison.arm_rows import Arm, is_oracle, map_gain, of_role
from metricloop.text.numbers import count, fixed, gain, interval, listing, percent, probability, signed


@dataclass(frozen=True)
class Verdict:
    """outcome: better, worse, undecided or none (no metric was tested); headline: one sentence; details: more."""

    outcome: str
    headline: str
    details: tuple[str, ...]


def summarise(comparison: dict[str, Any]) -> Verdict:
    """The verdict on a whole study. It names arms that are worse or undecided as clearly as arms that are better."""
    treatments = of_role(comparison, "treatment")
    oracle = next((arm for arm in of_role(comparison, "control") if is_oracle(arm)), None)
    baseline = next((arm for arm in comparison["arms"] if arm["role"] == "baseline"), None)
    if not treatments or baseline is None:
        return Verdict("none", "No metric was tested yet.", tuple(_oracle(oracle, None)))
    named = {word: [arm for arm in treatments if arm["verdict"] == word] for word in ("better", "worse", "undecided")}
    better, worse, open_ = named["better"], named["worse"], named["undecided"]
    best = treatments[0]
    if better:
        best = better[0]
        outcome = "better"
        headline = _beaten(better, treatments)
        details = [_evidence(best, baseline, comparison)]
    else:
        outcome = "worse" if worse and not open_ else "undecided"
        headline = _unbeaten(treatments, open_)
        details = [_prospect(open_[0], baseline)] if open_ else []
    if worse:
        details.append(f"Worse than random: {_named(worse)}.")
    if better and open_:
        details.append(f"Still undecided: {_named(open_)}.")
    return Verdict(outcome, headline, (*details, *_oracle(oracle, best if better else None)))


def _named(arms: list[Arm]) -> str:
    return listing([f"{arm['name']} ({signed(map_gain(arm))})" for arm in arms])


def _beaten(better: list[Arm], treatments: list[Arm]) -> str:
    if len(treatments) == 1:
        return f"Training on what {better[0]['name']} selects beats a random sample of the same size."
    if len(better) == 1:
        return f"One of {len(treatments)} metrics beats a random sample of the same size: {better[0]['name']}."
    some = "All" if len(better) == len(treatments) else f"{len(better)} of"
    return f"{some} {len(treatments)} metrics beat a random sample of the same size; the best is {better[0]['name']}."


def _unbeaten(treatments: list[Arm], open_: list[Arm]) -> str:
    if not open_:
        return "No gain: every metric that was tried does worse than a random sample of the same size."
    seeds = count(len(open_[0]["seeds"]), "seed")
    if len(treatments) == 1:
        return (
            f"Undecided: after {seeds}, {treatments[0]['name']} is not shown to beat a random sample of the same size."
        )
    who = f"none of the {len(treatments)} metrics"
    return f"Undecided: after {seeds} each, {who} is shown to beat a random sample of the same size."


def _evidence(arm: Arm, baseline: Arm, comparison: dict[str, Any]) -> str:
    change = arm["gain"]["mAP"]
    family = sum(1 for other in comparison["arms"] if other["gain"])
    return (
        f"{arm['name']} reaches mAP {fixed(arm['mAP']['mean'])} against {fixed(baseline['mAP']['mean'])}: "
        f"{gain(change['abs'], change['rel'])}, 95\u00a0% interval {interval(change['ci95'])}, "
        f"p {probability(change['p_holm'])} after correction for {count(family, 'comparison')} "
        f"({count(len(arm['seeds']), 'seed')})."
    )


def _prospect(arm: Arm, baseline: Arm) -> str:
    change = arm["gain"]["mAP"]
    needed = arm["seeds_needed"]
    future = (
        f"about {count(needed, 'seed')} would probably decide"
        if needed
        else "no reasonable number of seeds would decide"
    )
    place = "The most promising" if change["abs"] > 0 else "None is ahead; the nearest"
    return (
        f"{place} is {arm['name']}: mAP {fixed(arm['mAP']['mean'])} against {fixed(baseline['mAP']['mean'])}, "
        f"{gain(change['abs'], change['rel'])}, 95\u00a0% interval {interval(change['ci95'])}; {future}."
    )


def _oracle(oracle: Arm | None, winner: Arm | None) -> list[str]:
    if oracle is None:
        return []
    change = oracle["gain"]["mAP"]
    if oracle["verdict"] != "better":
        return [
            f"Even the oracle, which knows every deliberate mistake, is not shown to beat random here, "
            f"at {gain(change['abs'], change['rel'])}: a good metric would be hard to see in this study."
        ]
    most = (
        f"The oracle, which knows every deliberate mistake, gains {gain(change['abs'], change['rel'])}: "
        "about the most that choosing clean images can gain"
    )
    reached = winner and winner["oracle_gap_closed"]
    return [f"{most}; {winner['name']} reaches {percent(reached)} of it." if winner and reached else f"{most}."]
