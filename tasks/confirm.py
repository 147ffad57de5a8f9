"""confirm: the one stage that opens the test split, once, at the end.

The winner, the baseline and the oracle are trained again with fresh seeds and scored on the test split; every opening
is appended to opened.jsonl, so that nobody can look twice unnoticed.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from detection.dataset import load
from detection.tables import read_json, write_json
from tasks.blocks import Block
from tasks.evaluate import evaluate_models
from tasks.guard import guard
from tasks.params import Params, load_params
from tasks.plan import CONFIRM_SEED_BASE
from tasks.statistics import paired_gain
from tasks.train import train_block
from tasks.trial import in_processes, parallel_jobs, train_recipe


def finalists(comparison: dict[str, Any]) -> dict[str, str]:
    """Role -> arm: the baseline, the treatment with the highest mAP on the search split, and the oracle if any."""
    arms = comparison["arms"]
    treatments = [arm for arm in arms if arm["role"] == "treatment" and arm["mAP"]["mean"] is not None]
    chosen = {"baseline": next(arm["name"] for arm in arms if arm["role"] == "baseline")}
    if treatments:
        chosen["winner"] = max(treatments, key=lambda arm: arm["mAP"]["mean"])["name"]
    if any(arm["name"] == "oracle" for arm in arms):
        chosen["oracle"] = "oracle"
    return chosen


def trial(task: tuple[str, int, Params]) -> dict[str, float | None]:
    """Train one arm with one fresh seed and score it on the test split."""
    arm, seed, params = task
    pool, test = load("data", params.data.folder, "pool"), load("data", params.data.folder, "test")
    recipe = train_recipe(params, test)
    result = train_block(Block(f"confirm.{arm}", arm, (seed,)), pool, params, recipe)[seed]
    from detection.detectors import build_detector

    model = build_detector(params.train.detector, len(test.class_names), params.train.image_size, "none", seed)
    model.load_state_dict(result["model"])
    numbers, _, _ = evaluate_models({seed: model}, test, params)[seed]
    return {name: numbers[name] for name in ("mAP", "mAP50", "mAR")}


def main() -> None:
    guard("confirm")
    params = load_params()
    comparison = read_json("comparison.json")
    seeds = [CONFIRM_SEED_BASE + k for k in range(params.confirm.seeds)]
    chosen = finalists(comparison) if seeds else {}
    tasks = [(arm, seed, params) for arm in chosen.values() for seed in seeds]
    if tasks:
        _record_opening(params.study.name, list(chosen.values()), seeds)
    scored = in_processes(trial, tasks, parallel_jobs(params))
    numbers: dict[str, Any] = {}
    for role, arm in chosen.items():
        own = [values for (name, _, _), values in zip(tasks, scored, strict=True) if name == arm]
        numbers[role] = {"arm": arm} | {name: [values[name] for values in own] for name in ("mAP", "mAP50", "mAR")}
    write_json(
        "confirmation.json",
        {"study": params.study.name, "split": "test", "seeds": seeds, "arms": numbers, "gain": _gains(numbers)},
    )


def _gains(numbers: dict[str, Any]) -> dict[str, Any]:
    """Paired differences to the baseline, per role."""
    if "baseline" not in numbers:
        return {}
    base = numbers["baseline"]
    gains: dict[str, Any] = {}
    for role, values in numbers.items():
        if role != "baseline":  # None where the test split shows no object at all
            pairs = {name: (values[name], base[name]) for name in ("mAP", "mAR")}
            gains[role] = {
                n: None if None in own + other else paired_gain(own, other) for n, (own, other) in pairs.items()
            }
    return gains


def _record_opening(study: str, arms: list[str], seeds: list[int]) -> None:
    entry = {"opened": datetime.now(UTC).isoformat(timespec="seconds"), "study": study, "arms": arms, "seeds": seeds}
    with Path("opened.jsonl").open("a") as stream:
        stream.write(json.dumps(entry) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    main()
