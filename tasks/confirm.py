"""confirm: evaluate the winner, the baseline and the oracle on the test split. No other stage reads that split.

The arms are trained again with seeds that the study has not used. Without a winner nothing happens. Every time the test
split is read, a line is added to opened.jsonl, so that a second reading does not stay hidden.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.confirmation import confirmed_gains
from metricloop.comparison.results import Result
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.seeds import CONFIRM_SEEDS
from metricloop.data.tables import read_json, write_json
from metricloop.evaluation.coco import Matches
from metricloop.params import Params, load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.training.detect import load_model
from metricloop.training.evaluate_models import evaluate_models
from metricloop.training.parallel import in_processes, parallel_jobs
from metricloop.training.recipe import train_recipe
from metricloop.training.trial import Trained, train_trial

NUMBERS = ("mAP", "mAP50", "mAR")


def trial(task: tuple[str, int, Params]) -> tuple[Mapping[str, Any], Matches, Trained]:
    """Train one arm with one new seed and evaluate it on the test split; the model itself is not returned."""
    arm, seed, params = task
    pool = load(layout.DATA, params.data.folder, "pool", labels=False)
    test = load(layout.DATA, params.data.folder, "test")
    draw = read_draw(Path(layout.subset_file(arm)), seed)
    trained = train_trial(f"confirm {arm} seed {seed}", pool, draw, params, train_recipe(params, test), seed)
    model = load_model(trained.model, len(test.class_names), params)
    numbers, matches, _ = evaluate_models({seed: model}, test, params)[seed]
    return numbers, matches, replace(trained, model={})


def main() -> None:
    begin_stage("confirm")
    params = load_params()
    chosen = read_json(layout.FINALISTS)
    finalists = {role: entry["arm"] for role, entry in chosen["arms"].items()}
    fresh = {"arms": list(CONFIRM_SEEDS[: params.confirm.seeds])}
    fresh["baseline"] = list(CONFIRM_SEEDS[: params.confirm.baseline])
    seeds = {role: fresh["baseline" if role == "baseline" else "arms"] for role in finalists}
    tasks = [(arm, seed, params) for role, arm in finalists.items() for seed in seeds[role]]
    if tasks:
        _record_opening(params.study.name, list(finalists.values()), fresh)
    scored = in_processes(trial, tasks, parallel_jobs(params))
    of_trial = {(arm, seed): found for (arm, seed, _), found in zip(tasks, scored, strict=True)}
    results = [
        Result(
            block=f"confirm {arm}",
            arm=role,
            numbers={seed: of_trial[arm, seed][0] for seed in seeds[role]},
            matches={seed: of_trial[arm, seed][1] for seed in seeds[role]},
            recipe={},
        )
        for role, arm in finalists.items()
    ]
    test = load(layout.DATA, params.data.folder, "test") if results else None
    write_json(
        layout.CONFIRMATION,
        {
            "study": params.study.name,
            "split": "test",
            "reason": chosen["reason"],
            "test_images": len(test) if test else None,
            "seeds": fresh if results else {},
            "arms": {
                own.arm: {"arm": finalists[own.arm]}
                | {name: [values[name] for values in own.numbers.values()] for name in NUMBERS}
                for own in results
            },
            "gain": confirmed_gains(params.study.name, results, test) if test else {},
        },
    )
    for _, _, trained in scored:
        trained.clear_scratch()


def _record_opening(study: str, arms: list[str], seeds: dict[str, list[int]]) -> None:
    """Append one line to opened.jsonl, before the test split is read."""
    entry = {"opened": datetime.now(UTC).isoformat(timespec="seconds"), "study": study, "arms": arms, "seeds": seeds}
    with Path(layout.OPENINGS).open("a") as stream:
        stream.write(json.dumps(entry) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    main()
