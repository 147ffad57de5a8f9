"""Compare every evaluated arm with the baseline on the search split: the content of comparison.json."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.statistics import (
    Gain,
    draw_weights,
    gain,
    holm,
    interval,
    p_value,
    paired_p,
    relative,
    resampling_units,
    seeds_needed,
    sign_flip_p,
    verdict,
)
from metricloop.data.dataset import Dataset
from metricloop.data.tables import SUBSET, column, read_json, read_table
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.evaluation.coco import Matches, read_matches

MEASURES = ("mAP", "mAR")  # gains are tested in both; the verdict uses the first
ROLES = ("baseline", "treatment", "control")  # the order of the table


class CompareError(ValueError):
    """These results cannot be compared; the message says which results and what to do."""


@dataclass(frozen=True)
class Result:
    """An evaluated block. numbers: {seed: the entry of metrics.json}; recipe: {"hash", "fields"}."""

    block: str
    arm: str
    numbers: Mapping[int, Mapping[str, Any]]
    matches: Mapping[int, Matches]
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class _Test:
    """An arm's gain in one measure. p: the input of Holm's procedure and of the verdict; `shown` holds another p."""

    shown: dict[str, Any]
    gain: Gain
    p: float | None


def compare(
    study: str,
    budget: float,
    plan: Mapping[str, Mapping[str, Any]],
    results: Iterable[Result],
    truth: Dataset,
    sizes: Mapping[str, tuple[int, int]],
    *,
    unsafe: Collection[str] = (),
    alpha: float = 0.05,
    replicates: int = 500,
    tests_planned: int = 1,
) -> dict[str, Any]:
    """The content of comparison.json: arms ordered baseline, treatments, controls, each by falling gain in mAP.

    truth: the search split; sizes: {arm: (images, boxes)} of its subset; unsafe: arms whose scores come from unread
    code that ran without the sandbox; tests_planned: how often the study plans to test. An arm is paired with the
    baseline by the seeds that both have. The family of tests is every arm but the baseline that has a block in the
    plan, also blocks that have not run yet.
    Errors: CompareError without a baseline, a shared seed or objects in the truth, and for different recipes.
    """
    results = list(results)
    baseline = _baseline(plan["arms"])
    recipe = _one_recipe(results)
    numbers = {arm: dict[int, Mapping[str, Any]]() for arm in plan["arms"]}
    for result in results:
        numbers[result.arm] |= {seed: _defined(values, result.block) for seed, values in result.numbers.items()}
    if not numbers[baseline]:
        raise CompareError(f"the baseline {baseline!r} has no results yet; evaluate one of its blocks first")
    present = {arm: dict(sorted(own.items())) for arm, own in numbers.items() if own}
    unit = resampling_units(truth.group)
    replicated = _replicate(study, results, truth, unit, replicates)
    planned = {block["arm"] for block in plan["blocks"].values()} | set(present)
    family = [arm for arm in plan["arms"] if arm in planned and arm != baseline]

    units = int(unit.max()) + 1
    tests = {
        arm: {measure: _test(arm, baseline, measure, present, replicated, units) for measure in MEASURES}
        for arm in family
        if arm in present
    }
    for measure in MEASURES:
        adjusted = holm([tests[arm][measure].p if arm in tests else None for arm in family], tests_planned)
        for arm, p in zip(family, adjusted, strict=True):
            if arm in tests:
                tests[arm][measure].shown["p_holm"] = p

    rows = []
    for name, own in present.items():
        row = _row(name, plan["arms"][name], sizes[name], own) | {"unsafe_in_process": name in unsafe}
        if name in tests:
            first = tests[name][MEASURES[0]]
            row["gain"] = {measure: test.shown for measure, test in tests[name].items()}
            row["verdict"] = verdict(first.shown["p_holm"], first.shown["ci95"], alpha)
            if row["verdict"] == "undecided":
                row["seeds_needed"] = seeds_needed(first.gain, alpha / (len(family) * tests_planned))
        rows.append(row)
    _set_share_of_oracle(rows)
    rows.sort(key=lambda row: (ROLES.index(row["role"]), -row["gain"]["mAP"]["abs"] if row["gain"] else 0, row["name"]))
    return {"study": study, "budget": budget, "recipe": recipe, "split": "search", "arms": rows}


def _baseline(arms: Mapping[str, Any]) -> str:
    names = [name for name, spec in arms.items() if spec["role"] == "baseline"]
    if len(names) != 1:
        raise CompareError(f"exactly one arm must have the role baseline, found {', '.join(names) or 'none'}")
    return names[0]


def _one_recipe(results: list[Result]) -> str | None:
    """The recipe hash of all blocks. Errors: CompareError with the fields in which two blocks differ."""
    for other in results[1:]:
        first, second = results[0].recipe, other.recipe
        if first["hash"] != second["hash"]:
            one, two = first["fields"], second["fields"]
            fields = [name for name in sorted({*one, *two}) if one.get(name) != two.get(name)]
            found = "; ".join(f"{name}: {one.get(name)!r} and {two.get(name)!r}" for name in fields)
            raise CompareError(
                f"blocks {results[0].block} and {other.block} cannot be compared: their recipes differ in {found}; "
                "train both again with the same parameters"
            )
    return results[0].recipe["hash"] if results else None


def _defined(values: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    if values["mAP"] is None:
        raise CompareError(f"block {block} has no mAP: the search split holds no object; give it labelled images")
    return values


def _replicate(
    study: str, results: list[Result], truth: Dataset, unit: np.ndarray, replicates: int
) -> dict[str, dict[int, dict[str, np.ndarray]]]:
    """{arm: {seed: {measure: (R,)}}}: bootstrap values; all arms and seeds use the same draws of search images."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(study.encode()).digest()[:8]))
    weights = draw_weights(unit, replicates, rng)
    positives = count_positives(truth)
    replicated: dict[str, dict[int, dict[str, np.ndarray]]] = {}
    for result in results:
        for seed, matches in result.matches.items():
            values = weighted_ap(matches, truth.image_id, positives, weights)
            replicated.setdefault(result.arm, {})[seed] = dict(zip(MEASURES, values, strict=True))
    return replicated


def _test(arm: str, baseline: str, measure: str, numbers: dict, replicated: dict, units: int) -> _Test:
    seeds = [seed for seed in numbers[arm] if seed in numbers[baseline]]
    if not seeds:
        raise CompareError(
            f"{arm} (seeds {list(numbers[arm])}) shares no seed with {baseline} (seeds {list(numbers[baseline])}); "
            f"add a block of {baseline} with the seeds of {arm}"
        )
    own, base = (np.array([numbers[name][seed][measure] for seed in seeds]) for name in (arm, baseline))
    drawn, drawn_base = (
        np.stack([replicated[name][seed][measure] for seed in seeds], axis=1) for name in (arm, baseline)
    )
    differences = own - base
    found = gain(differences, drawn - drawn_base, units)
    ci = interval(found)
    shown = {
        "abs": found.mean,
        "rel": relative(float(own.mean()), float(base.mean())),
        "ci95": ci and list(ci),
        "p": paired_p(differences),
        "p_holm": None,
        "p_sign_flip": sign_flip_p(differences),
    }
    return _Test(shown, found, p_value(found, differences))


def _row(name: str, spec: Mapping[str, Any], size: tuple[int, int], numbers: Mapping[int, Mapping[str, Any]]) -> dict:
    """An arm as in comparison.json; the keys that need the baseline are still null."""
    return {
        "name": name,
        "role": spec["role"],
        "metric": spec.get("metric"),
        "direction": spec["policy"].get("direction"),
        "policy": dict(spec["policy"]),
        "images": size[0],
        "boxes": size[1],
        "seeds": list(numbers),
        **{measure: _spread([numbers[seed][measure] for seed in numbers]) for measure in ("mAP", "mAR", "mAP50")},
        "gain": None,
        "oracle_gap_closed": None,
        "verdict": None,
        "seeds_needed": None,
    }


def _spread(values: list[float]) -> dict[str, Any]:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "per_seed": values}


def _set_share_of_oracle(rows: list[dict[str, Any]]) -> None:
    """Set every arm's gain as a share of the oracle's gain; null unless the oracle beats the baseline."""
    oracle = next((row for row in rows if row["policy"]["name"] == "oracle" and row["verdict"] == "better"), None)
    for row in rows:
        if oracle and row["gain"]:
            row["oracle_gap_closed"] = row["gain"]["mAP"]["abs"] / oracle["gain"]["mAP"]["abs"]


def read_results(plan: Mapping[str, Mapping[str, Any]], folder: Path = Path()) -> list[Result]:
    """The blocks of the plan that have been evaluated."""
    results = []
    for name, block in plan["blocks"].items():
        if not (folder / layout.numbers_file(name)).is_file():
            continue
        seeds = {int(seed): numbers for seed, numbers in read_json(folder / layout.numbers_file(name))["seeds"].items()}
        matches = read_matches(folder / layout.matches_file(name), seeds)
        results.append(Result(name, block["arm"], seeds, matches, read_json(folder / layout.recipe_file(name))))
    return results


def subset_size(path: Path) -> tuple[int, int]:
    """How many images and kept boxes a subset has: the mean over its draws, rounded."""
    table = read_table(path, SUBSET)
    draw, image_id = column(table, "draw"), column(table, "image_id")
    draws = max(len(np.unique(draw)), 1)
    images = len(np.unique(np.stack([draw, image_id], axis=1), axis=0))
    return round(images / draws), round(np.count_nonzero(column(table, "use") == "keep") / draws)
