"""The MLflow runs of a study's arms, read from its files: one run per arm, with one child run per trial."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from metricloop import layout
from metricloop.comparison.arm_rows import of_role
from metricloop.comparison.comparison_file import read_comparison
from metricloop.comparison.headlines import headlines
from metricloop.data.tables import column, read_json
from metricloop.study.old_labels import subset_digest
from metricloop.study.plan import load_plan
from metricloop.text import numbers
from metricloop.tracking.records import RATE, RunRecord
from metricloop.tracking.times import during, trial_times

CURVE_POINTS = 100  # most points of a loss curve; longer curves are averaged


def arm_runs(folder: Path) -> list[tuple[RunRecord, list[RunRecord]]]:
    """Every arm of the study in `folder` with its trials; the baseline first, then treatments, then controls."""
    comparison = read_comparison(folder)
    blocks = _blocks(folder)
    arms = [arm for role in ("baseline", "treatment", "control") for arm in of_role(comparison, role)]
    shown = []
    for rank, arm in enumerate(arms):
        found = [(block, numbers) for block, numbers in blocks if numbers["arm"] == arm["name"]]
        trials = [trial for block, numbers in found for trial in trial_runs(folder, block, numbers)]
        run = arm_run(folder, comparison, arm, rank, [block for block, _ in found])
        shown.append((during(run, trials), trials))
    return shown


def arm_run(folder: Path, comparison: dict[str, Any], arm: dict[str, Any], rank: int, blocks: list[str]) -> RunRecord:
    """The run of an arm: means over seeds, and the gains of comparison.json.

    The baseline's own gains are 0; its run holds the mean gains of groups of arms.
    """
    subset = layout.subset_file(arm["name"])
    md5 = subset_md5(folder, arm["name"])
    recipes = (folder / layout.recipe_file(block) for block in blocks)
    recipe = next((file for file in recipes if file.is_file()), None)
    fields = read_json(recipe)["fields"] if recipe else {}
    headline = ("detector", "weights", "image_size", "iterations", "batch_size")
    params = {
        "metric": arm["metric"],
        "direction": arm["direction"],
        "policy": numbers.policy(arm["policy"]),
        "budget": comparison["budget"],
        **{name: fields.get(name) for name in headline},
    }
    gains = arm["gain"] or {"mAP": {"abs": 0.0, "p_holm": None}, "mAR": {"abs": 0.0}}
    metrics = {
        **{name: arm[name]["mean"] for name in ("mAP", "mAR", "mAP50")},
        "gain_mAP": gains["mAP"]["abs"],
        "gain_mAR": gains["mAR"]["abs"],
        "gain_mAP_shrunken": arm["shrunken_gain"],
        "p_holm": gains["mAP"]["p_holm"],
        **{name: arm[name] for name in ("images", "boxes")},
        **(_headline_gains(comparison) if arm["role"] == "baseline" else {}),
    }
    tags = {
        "kind": "arm",
        "study": comparison["study"],
        "arm": arm["name"],
        "role": arm["role"],
        "group": arm["group"],
        "verdict": arm["verdict"],
        "recipe": comparison["recipe"],
        "subset_md5": md5,
        "blocks": " ".join(blocks),
        **_trust(folder, arm["name"]),
    }
    role = "" if arm["role"] == "treatment" else f" ({arm['role']})"
    return RunRecord(
        name=f"{arm['name']}{role}",
        params=_texts(params),
        tags=_texts(tags),
        metrics={name: round(float(value), 6) for name, value in metrics.items() if value is not None},
        dataset=(subset, md5) if md5 else None,
        file=_with_digest(folder, layout.REPORT) if arm["role"] == "baseline" else None,
        sheet=subset if md5 else "",
        rank=rank,
    )


def _headline_gains(comparison: dict[str, Any]) -> dict[str, float]:
    """The mean gain in mAP of every group of arms, as metrics with names that MLflow allows."""
    return {
        f"headline_{re.sub(r'[^0-9A-Za-z]+', '_', headline.name).strip('_')}_mAP": headline.gain["mAP"]["abs"]
        for headline in headlines(comparison)
    }


def trial_runs(folder: Path, block: str, numbers: dict[str, Any]) -> Iterator[RunRecord]:
    """A run per seed of a block: its metrics and, where the model folder is on this machine, its loss curve."""
    history, rates = folder / layout.history_file(block), folder / layout.rates_file(block)
    table = pq.read_table(history) if history.is_file() else None
    rate = pq.read_table(rates) if rates.is_file() else None
    times = trial_times(folder, block)
    for seed, result in numbers["seeds"].items():
        metrics = {name: round(float(result[name]), 6) for name in ("mAP", "mAR", "mAP50") if result[name] is not None}
        curve: tuple[tuple[float, int], ...] = ()
        if table is not None:
            rows = column(table, "seed") == int(seed)
            curve = thinned(column(table, "iteration")[rows], column(table, "loss")[rows])
        if rate is not None and (rows := column(rate, "seed") == int(seed)).any():
            metrics[RATE] = round(float(np.median(column(rate, "images_per_s")[rows])), 2)
        tags = {"kind": "trial", "arm": numbers["arm"], "block": block, "seed": seed,
                "reproduce": f"metricloop reproduce {block}"}  # fmt: skip
        began, ended = times.get(int(seed), (None, None))
        yield RunRecord(
            f"{numbers['arm']} seed {seed}", tags=tags, metrics=metrics, curve=curve, began=began, ended=ended
        )


def thinned(steps: np.ndarray, values: np.ndarray) -> tuple[tuple[float, int], ...]:
    """A loss curve of at most CURVE_POINTS points: (mean of neighbouring values, last step of them)."""
    parts = np.array_split(np.arange(len(steps)), min(len(steps), CURVE_POINTS)) if len(steps) else []
    return tuple((round(float(values[part].mean()), 6), int(steps[part[-1]])) for part in parts)


def subset_md5(folder: Path, arm: str) -> str | None:
    """The DVC hash of an arm's subset: from dvc.lock, or computed from its file, which gives the same."""
    if recorded := subset_digest(folder, arm):
        return recorded
    file = folder / layout.subset_file(arm)
    return hashlib.md5(file.read_bytes()).hexdigest() if file.is_file() else None


def _trust(folder: Path, arm: str) -> dict[str, str]:
    """How the code of an arm's metrics was run: its trust and, for untrusted code, the sandbox's tier."""
    entry = load_plan(folder)["arms"].get(arm, {})
    files = {folder / Path(str(entry[name])).parent / layout.TRUST for name in ("a", "b") if name in entry}
    trusts = [read_json(file) for file in sorted(files) if file.is_file()]
    return {
        name: " ".join(dict.fromkeys(str(one[key]) for one in trusts if one[key]))
        for name, key in (("metric.trust", "trust"), ("sandbox.tier", "tier"))
        if any(one[key] for one in trusts)
    }


def _blocks(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """(name, metrics.json) of every evaluated block, sorted by name."""
    return [(file.parent.name, read_json(file)) for file in sorted(folder.glob(layout.numbers_file("*")))]


def _with_digest(folder: Path, name: str) -> tuple[str, str] | None:
    return (name, hashlib.md5((folder / name).read_bytes()).hexdigest()) if (folder / name).is_file() else None


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
