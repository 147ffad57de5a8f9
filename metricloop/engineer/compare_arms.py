"""Answers the question `compare`: how two arms differ in their results on the search split, and in their subsets.

Arms that are made from the truth are in no comparison of a StudyView, and the test split is in no StudyView.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.results import Result, numbers_by_seed, read_results, samples_of
from metricloop.comparison.spreads import Sample, spreads
from metricloop.comparison.statistics import Gain, contrast, interval, resampling_units
from metricloop.data.manifest import read_first
from metricloop.engineer.data_card import table
from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.prompt_text import mean_sd
from metricloop.engineer.questions import Compare
from metricloop.engineer.study_view import errors_of
from metricloop.evaluation.coco import SIZES
from metricloop.evaluation.error_types import KINDS
from metricloop.figures import subset_changes
from metricloop.text.clean import class_name
from metricloop.text.nearest import did_you_mean
from metricloop.text.numbers import count, percent, signed
from metricloop.text.numbers import interval as interval_text

REPLICATES = 300  # draws of the held-out images
MOST_CLASSES = 20
Numbers = Mapping[str, Mapping[int, Mapping[str, Any]]]  # arm -> seed -> its entry of metrics.json


def compare_arms(ask: Compare, desk: Desk) -> Answer:
    """The difference with its interval, errors by type, overlap and properties. Errors: QuestionError."""
    rows = {row["name"]: row for row in desk.study.comparison["arms"]}
    other = ask.other or next(name for name, row in rows.items() if row["role"] == "baseline")
    for name in (ask.arm, other):
        if name not in rows:
            hint = did_you_mean(name, rows, f"those with full trials are {', '.join(rows)}")
            raise QuestionError(f"no arm {name} has results; {hint}")
    if ask.arm == other:
        raise QuestionError("name two arms that differ")
    pair = (rows[ask.arm], rows[other])
    results, numbers = _results(desk, *pair)
    parts = [
        _difference(desk, results, numbers, *pair),
        _numbers(desk, numbers, *pair),
        _overlap(desk, ask.arm, other),
        _properties(desk, *pair),
    ]
    return Answer("\n\n".join(part for part in parts if part))


def _results(desk: Desk, one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[Result], Numbers]:
    """The evaluated blocks of both arms, and the numbers of the seeds that the comparison counts.

    one, other: rows of the comparison. Errors: QuestionError when results of such a seed are missing.
    """
    plan, counted = desk.study.plan, {row["name"]: row["seeds"] for row in (one, other)}
    blocks = {name: block for name, block in plan["blocks"].items() if block["arm"] in counted}
    results = read_results(plan | {"blocks": blocks}, desk.study.folder)
    found = numbers_by_seed(results)
    if gone := [arm for arm, seeds in counted.items() if not {*seeds} <= {*found.get(arm, {})}]:
        raise QuestionError(f"the results of {gone[0]} are not all there")
    return results, {arm: {seed: found[arm][seed] for seed in seeds} for arm, seeds in counted.items()}


def _difference(
    desk: Desk, results: Sequence[Result], numbers: Numbers, one: Mapping[str, Any], other: Mapping[str, Any]
) -> str:
    """The difference of the means with its interval, and the differences at the seeds that both have."""
    gain = _gain(desk, results, numbers, (one["name"], other["name"]))
    own, others = (dict(zip(row["seeds"], row["mAP"]["per_seed"], strict=True)) for row in (one, other))
    shared = [seed for seed in own if seed in others]
    each = ", ".join(f"seed {seed} {signed(own[seed] - others[seed])}" for seed in shared)
    bounds = interval(gain)
    told = f", 95 % interval {interval_text(bounds)}" if bounds else ", interval unknown"
    seeds = " and ".join(count(len(row["seeds"]), "seed") for row in (one, other))
    return (
        f"`{one['name']}` minus `{other['name']}`: {signed(gain.mean)} mAP{told} over {seeds} and the held-out images, "
        "as the study tests gains, but for this pair alone: the interval of one pair that was picked among many is too "
        f"narrow. {f'At the same seeds, whose draws differ all the same: {each}.' if each else ''}".rstrip()
    )


def _gain(desk: Desk, results: Sequence[Result], numbers: Numbers, names: tuple[str, str]) -> Gain:
    """The first arm minus the second one in mAP, with the method of the study."""
    study = desk.study
    unit = resampling_units(study.search.group)
    samples = samples_of(study.params.study.name, results, numbers, study.search, unit, REPLICATES)["mAP"]
    arms = study.comparison["arms"]
    # Of the other arms, only how far they scatter counts.
    all_ = {a["name"]: Sample(np.array(a["mAP"]["per_seed"]), np.zeros((0, len(a["seeds"])))) for a in arms} | samples
    baseline = [arm["name"] for arm in arms if arm["role"] == "baseline"]
    spread = spreads(all_, [arm["name"] for arm in arms if arm["role"] == "treatment"], alone=baseline)
    return contrast({names[0]: 1.0, names[1]: -1.0}, samples, spread, int(unit.max()) + 1)


def _numbers(desk: Desk, numbers: Numbers, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """A table: mAP by size and by class, and the number of errors of each type, of both arms.

    Each cell is the mean ± standard deviation over the seeds of an arm. Of many classes those are shown whose AP
    differs most.
    """
    pair = (one, other)
    entries = [list(numbers[row["name"]].values()) for row in pair]
    errors = [desk.errors if row["role"] == "baseline" else errors_of(desk.study, [row["name"]]) for row in pair]
    lines = [
        _line(f"mAP of {size} objects", [[_map(seed["per_size"][size]) for seed in own] for own in entries], 3)
        for size in SIZES
    ]
    lines += _of_classes(desk.study.search.class_names, entries)
    lines.append(_line("correct", [[float(found.correct) for found in own] for own in errors], 0))
    lines += [_line(kind, [[float(found.counts[kind]) for found in own] for own in errors], 0) for kind in KINDS]
    head = ["on the search split, per detector", one["name"], other["name"], "difference"]
    told = [line for line in lines if line]
    classes = len(desk.study.search.class_names)
    more = f"\n\nOf {classes} classes those {MOST_CLASSES} whose AP differs most." if classes > MOST_CLASSES else ""
    return f"{table(head, told)}{more}" if told else ""


def _of_classes(names: Sequence[str], entries: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """A line for each of the classes whose AP differs most, in the order of the classes; none for a single class."""
    if len(names) < 2:
        return []
    found = [[[_map(seed["per_class"][name]) for seed in own] for own in entries] for name in names]
    apart = [abs(float(np.mean(a)) - float(np.mean(b))) for a, b in found]
    most = np.argsort([-value if math.isfinite(value) else 0.0 for value in apart], kind="stable")[:MOST_CLASSES]
    return [_line(f"AP of {class_name(names[label])}", found[label], 3) for label in sorted(most.tolist())]


def _line(name: str, pair: Sequence[Sequence[float]], digits: int) -> list[str]:
    """A row of the table; [] where a value is not known."""
    values = [np.array(own, float) for own in pair]
    if not all(len(own) and np.isfinite(own).all() for own in values):
        return []
    change = signed(float(values[0].mean() - values[1].mean()), digits)
    return [name, *(mean_sd(own, digits) for own in values), change]


def _map(values: Mapping[str, float | None]) -> float:
    """The mAP of some of the objects; nan where there are none."""
    return math.nan if values["mAP"] is None else values["mAP"]


def _overlap(desk: Desk, one: str, other: str) -> str:
    """How many images the first draws of two arms share, beside what chance would give."""
    if not (one in desk.subsets and other in desk.subsets):
        return ""
    a, b = desk.subsets[one], desk.subsets[other]
    by_chance = percent(float(b.mean()))
    return (
        f"Their first draws hold {count(int(a.sum()), 'image')} and {count(int(b.sum()), 'image')}, of which "
        f"{count(int((a & b).sum()))} are the same, {percent(float(b[a].mean()))} of `{one}` (by chance {by_chance}). "
        f"`show` with `arm: {one}` and `left_out_by: {other}` shows where they differ."
    )


def _properties(desk: Desk, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Boxes, sizes and classes of the first draws of two arms."""
    files = [desk.study.folder / layout.subset_file(row["name"]) for row in (one, other)]
    if not all(file.is_file() for file in files):
        return ""
    pool = desk.study.pool
    a, b = (subset_changes.subset_profile(read_first(file), pool) for file in files)
    changes = subset_changes.changes(a, b, pool.class_names)
    return table(
        ["what their first draws hold", one["name"], other["name"]], [[c.name, c.pool, c.subset] for c in changes]
    )
