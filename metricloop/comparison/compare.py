"""Compare every evaluated arm with the baseline on the search split: the content of comparison.json."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from metricloop.comparison import statistics
from metricloop.comparison.arm_entry import arm_entry, set_share_of_oracle
from metricloop.comparison.groups import ALL, MODEL, ROUND
from metricloop.comparison.looks import Look, total_alpha
from metricloop.comparison.parts import parts_of
from metricloop.comparison.power import Noise, seeds_needed
from metricloop.comparison.results import (
    MEASURES,
    CompareError,
    Result,
    numbers_by_seed,
    one_recipe,
    samples_of,
)
from metricloop.comparison.screening import NONE, Screening
from metricloop.comparison.spreads import collapsed
from metricloop.comparison.statistics import contrast, resampling_units
from metricloop.comparison.tested import Roles, Tested, tested_at_looks
from metricloop.data.dataset import Dataset

ROLES = ("baseline", "treatment", "control")  # the order of the table; the last two are families of tests
FAMILIES = ROLES[1:]
WHOLE = "full"  # the policy of the control with all images, which a metric is held against as well
PAIRED = ("relabelled", "relabel")  # policies whose draws hold the baseline's images: compared seed by seed


def compare(
    study: str,
    budget: float,
    plan: Mapping[str, Mapping[str, Any]],
    results: Iterable[Result],
    truth: Dataset,
    sizes: Mapping[str, tuple[int, int]],
    *,
    looks: Sequence[Look],
    unsafe: Collection[str] = (),
    screening: Screening = NONE,
    replicates: int = 500,
    smallest_gain: float = 0.0,
) -> dict[str, Any]:
    """The content of comparison.json: arms ordered baseline, treatments, controls, each by falling gain in mAP.

    truth: the search split; sizes: {arm: (images, boxes)} of its subset; unsafe: arms whose scores come from unread
    code that ran without the sandbox; screening: what short trials decided; smallest_gain: in mAP, shown with the
    verdicts. A family of tests is every treatment, or every control, that has a block or short trials in the plan,
    also those that have not run yet and arms that were stopped: they count with p = 1.
    Errors: CompareError without a baseline or objects in the truth, and for different recipes.
    """
    results = list(results)
    arms = plan["arms"]
    baseline = _baseline(arms)
    recipe = one_recipe(results)
    numbers = numbers_by_seed(results)
    numbers = {arm: numbers[arm] for arm in arms if arm in numbers}
    if baseline not in numbers:
        raise CompareError(f"the baseline {baseline!r} has no results yet; evaluate one of its blocks first")
    unit = resampling_units(truth.group)
    units = int(unit.max()) + 1
    samples = samples_of(study, results, numbers, truth, unit, replicates)
    tried = (*plan["blocks"].values(), *plan.get("screens", {}).values())
    planned = {entry["arm"] for entry in tried} | set(numbers)
    families = _families(arms, planned)
    stopped = [arm for arm in screening.stopped if arm not in numbers]
    named = _groups(arms, [arm for arm in families["treatment"] if arm in numbers or arm in stopped])
    groups = {name: [arm for arm in own if arm in numbers] for name, own in named.items()}
    groups = {name: own for name, own in groups.items() if len(own) > 1}
    paired = {arm for arm in arms if arms[arm]["policy"]["name"] in PAIRED}
    whole = next((arm for arm in numbers if arms[arm]["policy"]["name"] == WHOLE), None)
    alike = next((there for role in FAMILIES if (there := [arm for arm in families[role] if arm in numbers])), [])
    roles = Roles(baseline, families, groups, paired, alike)
    tested = {measure: tested_at_looks(samples[measure], numbers, roles, looks, units) for measure in MEASURES}
    rows, parts = [], parts_of({name: arms[name] for name in numbers})
    for name, own in numbers.items():
        state = tested[MEASURES[0]].states.get(name)
        used = len(state.sample.values) if state else looks[max(tested[MEASURES[0]].looks, 1) - 1].baseline
        row = arm_entry(name, arms[name], sizes[name], own, used) | {"unsafe_in_process": name in unsafe}
        row["boxes_ratio"] = sizes[name][1] / sizes[baseline][1] if sizes[baseline][1] else None
        if name != baseline:
            _add_test(row, tested, families, looks)
        if copied := _matched(arms[name]):
            row["matches"] = copied
            row["lead_over_it"] = _lead(tested[MEASURES[0]], copied, name, units)
        if whole and row["role"] == "treatment":
            row["lead_over_full"] = _lead(tested[MEASURES[0]], name, whole, units)
        for part in parts.get(name, ()):
            row["lead_over_parts"][part] = _lead(tested[MEASURES[0]], name, part, units)
        rows.append(row)
    set_share_of_oracle(rows)
    rows.sort(key=lambda row: (ROLES.index(row["role"]), -row["gain"]["mAP"]["abs"] if row["gain"] else 0, row["name"]))
    return {
        "study": study,
        "budget": budget,
        "recipe": recipe,
        "split": "search",
        "search_images": units,
        "looks": [asdict(look) for look in looks],
        "looks_taken": tested[MEASURES[0]].looks,
        "alpha": total_alpha(looks),
        "smallest_gain": smallest_gain,
        "family": {role: len(families[role]) for role in FAMILIES},
        "noise": _noise(tested[MEASURES[0]], baseline, units),
        "headlines": [
            headline | {"stopped": [arm for arm in named[headline["name"]] if arm in stopped]}
            for headline in _headlines(groups, baseline, tested, looks)
        ],
        "screened": [{"name": arm, "mAP": screening.stopped[arm], "baseline": screening.baseline} for arm in stopped],
        "arms": rows,
    }


def _baseline(arms: Mapping[str, Any]) -> str:
    names = [name for name, spec in arms.items() if spec["role"] == "baseline"]
    if len(names) != 1:
        raise CompareError(f"exactly one arm must have the role baseline, found {', '.join(names) or 'none'}")
    return names[0]


def _add_test(
    row: dict[str, Any],
    tested: Mapping[str, Tested],
    families: Mapping[str, Sequence[str]],
    looks: Sequence[Look],
) -> None:
    """Add the gain over the baseline and everything that follows from it to the row of an arm.

    Gain, interval and p are those of the look that decided the arm, or else of the last in which it took part.
    """
    name, first = row["name"], tested[MEASURES[0]]
    family = next(own for own in families.values() if name in own)
    row["gain"] = {
        measure: statistics.shown(found.states[name].gain, float(found.states[name].baseline.values.mean()))
        | {"p_holm": found.standing[name].p}
        for measure, found in tested.items()
    }
    state, standing = first.states[name], first.standing[name]
    gain, change = state.gain, row["gain"][MEASURES[0]]
    row["t"] = None if gain.t is None else float(np.clip(gain.t, -1e6, 1e6))  # JSON knows no infinity
    row["verdict"] = statistics.verdict(change["p_holm"], change["ci95"], total_alpha(looks))
    row["decided_at"] = standing.decided_at
    # The whole pool is there for one question, which the seeds of the first look answer.
    open_ = standing.decided_at is None and not standing.stopped and row["policy"]["name"] != WHOLE
    row["goes_on"] = open_ and 0 < state.look < len(looks)
    row["baseline_seeds"] = len(state.baseline.values)
    row["shrunken_gain"] = statistics.shrunken({a: first.states[a].gain for a in family if a in first.states})[name]
    if row["verdict"] == "undecided":
        seeds = (len(state.sample.values), len(state.baseline.values))
        row["seeds_needed"] = seeds_needed(gain, row["shrunken_gain"], seeds, looks, len(family))


def _families(arms: Mapping[str, Any], planned: Collection[str]) -> dict[str, list[str]]:
    """The arms whose tests are corrected for each other, in the order of the plan.

    A control that the study added by itself is a family of its own, so that it changes no verdict.
    """
    families: dict[str, list[str]] = {role: [] for role in FAMILIES}
    for arm in (arm for arm in arms if arm in planned and arms[arm]["role"] in FAMILIES):
        families.setdefault(arm if arms[arm].get("automatic") else arms[arm]["role"], []).append(arm)
    return families


def _matched(spec: Mapping[str, Any]) -> str | None:
    """The arm whose box counts a control copies; None for any other arm."""
    return PurePosixPath(spec["b"]).stem if spec["policy"]["name"] == "match" and "b" in spec else None


def _lead(tested: Tested, arm: str, control: str, units: int) -> dict[str, Any] | None:
    """The gain of an arm over another one, each with the seeds of its own last look, as in their rows."""
    if arm not in tested.states:
        return None
    samples = {name: tested.states[name].sample for name in (arm, control)}
    lead = contrast({arm: 1.0, control: -1.0}, samples, tested.spread, units)
    return statistics.shown(lead, float(samples[control].values.mean()))


def _groups(arms: Mapping[str, Any], treatments: Sequence[str]) -> dict[str, list[str]]:
    """The groups of treatments whose mean gain is tested: those of the plan, all rounds of the model, all treatments.

    A group has two arms or more.
    """
    groups: dict[str, list[str]] = {}
    for arm in treatments:
        if group := arms[arm].get("group"):
            groups.setdefault(str(group), []).append(arm)
    rounds = [name for name in groups if name.startswith(ROUND)]
    if len(rounds) > 1:
        groups[MODEL] = [arm for name in rounds for arm in groups[name]]
    if len(treatments) > max((len(own) for own in groups.values()), default=1):
        groups[ALL] = list(treatments)
    return {name: own for name, own in groups.items() if len(own) > 1}


def _headlines(
    groups: Mapping[str, Sequence[str]], baseline: str, tested: Mapping[str, Tested], looks: Sequence[Look]
) -> list[dict[str, Any]]:
    """The mean gain of every group. It has power where single arms have none, because their errors average out.

    p_looks is corrected for the looks, not for the other groups; the verdict is about the first measure.
    """
    found = []
    for name, own in groups.items():
        gain = {
            measure: statistics.shown(one.means[name], float(one.samples[baseline].values.mean()))
            | {"p_looks": one.standing_of_means[name].p}
            for measure, one in tested.items()
        }
        first = gain[MEASURES[0]]
        told = statistics.verdict(first["p_looks"], first["ci95"], total_alpha(looks))
        found.append({"name": name, "arms": list(own), "gain": gain, "verdict": told})
    return found


def _noise(tested: Tested, baseline: str, units: int) -> dict[str, float] | None:
    """What made results differ in this study, for the next plan; None while too little has run."""
    variance = {
        arm: own.values.var(ddof=1) for arm, own in tested.samples.items() if len(own.values) > 1 and not collapsed(own)
    }
    base = variance.pop(baseline, None)
    images = [state.gain.image_part[0] * units for state in tested.states.values()]
    if base is None or not variance or not images:
        return None
    parts = (np.mean(list(variance.values())), base, np.median(images))
    return asdict(Noise(*(float(np.sqrt(part)) for part in parts)))
