"""The results of a study's trials: read from its blocks, and as samples for the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from metricloop import layout
from metricloop.comparison.spreads import Sample
from metricloop.comparison.statistics import draw_weights
from metricloop.data.dataset import Dataset
from metricloop.data.manifest import each_draw
from metricloop.data.tables import column, read_json
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.evaluation.coco import Matches, read_matches

MEASURES = ("mAP", "mAR")  # gains are tested in both; the verdict uses the first


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


def one_recipe(results: Sequence[Result]) -> str | None:
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


def numbers_by_seed(results: Iterable[Result]) -> dict[str, dict[int, Mapping[str, Any]]]:
    """{arm: {seed: the entry of metrics.json}}, seeds ascending. Errors: CompareError for a trial without mAP."""
    numbers: dict[str, dict[int, Mapping[str, Any]]] = {}
    for result in results:
        for seed, values in result.numbers.items():
            if values["mAP"] is None:
                raise CompareError(
                    f"block {result.block} has no mAP: the search split holds no object; give it labelled images"
                )
            numbers.setdefault(result.arm, {})[seed] = values
    return {arm: dict(sorted(own.items())) for arm, own in numbers.items()}


Samples = dict[str, dict[str, Sample]]  # measure -> arm -> its results, seeds ascending


def samples_of(
    study: str,
    results: Sequence[Result],
    numbers: Mapping[str, Mapping[int, Mapping[str, Any]]],
    truth: Dataset,
    unit: np.ndarray,
    replicates: int,
) -> Samples:
    """Every arm's results on the held-out images, and under draws of them that are the same for all arms and seeds.

    study: its name seeds the draws. unit: (n,), from `resampling_units`.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(study.encode()).digest()[:8]))
    weights = draw_weights(unit, replicates, rng)
    positives = count_positives(truth)
    replicated: dict[tuple[str, int], tuple[np.ndarray, ...]] = {}
    for result in results:
        for seed, matches in result.matches.items():
            replicated[result.arm, seed] = weighted_ap(matches, truth.image_id, positives, weights)
    return {
        measure: {
            arm: Sample(
                np.array([values[measure] for values in own.values()]),
                np.stack([replicated[arm, seed][place] for seed in own], axis=1),
            )
            for arm, own in numbers.items()
        }
        for place, measure in enumerate(MEASURES)
    }


def subset_size(path: Path) -> tuple[int, int]:
    """How many images and kept boxes a subset has: the mean over its draws, rounded."""
    sizes = [
        (len(np.unique(column(draw, "image_id"))), pc.sum(pc.equal(draw["use"], "keep")).as_py())
        for _, draw in each_draw(path)
    ]
    images, boxes = np.mean(sizes, axis=0) if sizes else (0.0, 0.0)
    return round(images), round(boxes)
