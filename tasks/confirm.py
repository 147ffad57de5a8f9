"""confirm: evaluate the winner, the baseline and the oracle on the test split. No other stage reads that split.

The three arms are trained again with seeds that the study has not used. Every time the test split is read, a line is
added to opened.jsonl, so that a second reading does not stay hidden.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.statistics import paired_gain
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.seeds import CONFIRM_SEEDS
from metricloop.data.tables import read_json, write_json
from metricloop.params import Params, load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.training.detect import load_model
from metricloop.training.evaluate_models import evaluate_models
from metricloop.training.parallel import in_processes, parallel_jobs
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

MEASURES = ("mAP", "mAP50", "mAR")


def trial(task: tuple[str, int, Params]) -> tuple[dict[str, float | None], Trained]:
    """Train one arm with one new seed and evaluate it on the test split; the model itself is not returned."""
    arm, seed, params = task
    pool = load(layout.DATA, params.data.folder, "pool", labels=False)
    test = load(layout.DATA, params.data.folder, "test")
    draw = read_draw(Path(layout.subset_file(arm)), seed)
    trained = train_trial(f"confirm {arm} seed {seed}", pool, draw, params, train_recipe(params, test), seed)
    model = load_model(trained.model, len(test.class_names), params)
    numbers, _, _ = evaluate_models({seed: model}, test, params)[seed]
    return {name: numbers[name] for name in MEASURES}, replace(trained, model={})


def main() -> None:
    begin_stage("confirm")
    params = load_params()
    seeds = list(CONFIRM_SEEDS[: params.confirm.seeds])
    finalists = {role: entry["arm"] for role, entry in read_json(layout.FINALISTS).items()} if seeds else {}
    tasks = [(arm, seed, params) for arm in finalists.values() for seed in seeds]
    if tasks:
        _record_opening(params.study.name, list(finalists.values()), seeds)
    scored = in_processes(trial, tasks, parallel_jobs(params))
    numbers: dict[str, Any] = {}
    for role, arm in finalists.items():
        own = [values for (name, _, _), (values, _) in zip(tasks, scored, strict=True) if name == arm]
        numbers[role] = {"arm": arm} | {name: [values[name] for values in own] for name in MEASURES}
    write_json(
        layout.CONFIRMATION,
        {"study": params.study.name, "split": "test", "seeds": seeds, "arms": numbers, "gain": _gains(numbers)},
    )
    for _, trained in scored:
        trained.clear_scratch()


def _gains(numbers: dict[str, Any]) -> dict[str, Any]:
    """Role -> measure -> paired gain over the baseline; None where the test split has no object."""
    if "baseline" not in numbers:
        return {}
    base = numbers["baseline"]
    gains: dict[str, Any] = {}
    for role, values in numbers.items():
        if role != "baseline":
            pairs = {name: (values[name], base[name]) for name in ("mAP", "mAR")}
            gains[role] = {
                n: None if None in own + other else paired_gain(own, other) for n, (own, other) in pairs.items()
            }
    return gains


def _record_opening(study: str, arms: list[str], seeds: list[int]) -> None:
    """Append one line to opened.jsonl, before the test split is read."""
    entry = {"opened": datetime.now(UTC).isoformat(timespec="seconds"), "study": study, "arms": arms, "seeds": seeds}
    with Path(layout.OPENINGS).open("a") as stream:
        stream.write(json.dumps(entry) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    main()
