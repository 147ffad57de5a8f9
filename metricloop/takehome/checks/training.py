"""Training: train.py runs within its limits, writes a model, and states its own numbers."""

from __future__ import annotations

import json
from typing import Any

from metricloop.takehome.bench import Bench
from metricloop.takehome.contract import MODEL, NUMBERS, TRAIN
from metricloop.takehome.result import Result, failed, judged


def check(bench: Bench) -> Result:
    """The facts are what the application says of itself; nothing is decided by them."""
    if TRAIN not in bench.files:
        return failed(f"there is no {TRAIN}")
    ran = bench.training
    if ran.fault:
        return failed(ran.fault)
    folder = ran.made / MODEL
    made = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    faults = []
    if not any(path.name != NUMBERS and path.stat().st_size for path in made):
        faults.append(f"{TRAIN} ended well and wrote no model file into the folder given as --model")
    numbers, fault = own_numbers(bench)
    return judged(faults + ([fault] if fault else []), own=numbers)


def own_numbers(bench: Bench) -> tuple[dict[str, float], str]:
    """The numbers in model/metrics.json, and what is wrong with the file."""
    name = f"{MODEL}/{NUMBERS}"
    try:
        text = bench.training.text(name)
        if text is None:
            return {}, f"{TRAIN} wrote no {NUMBERS} into the folder given as --model"
        values: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}, f"{name} is not JSON"
    if not isinstance(values, dict) or not all(_number(values.get(key)) for key in ("accuracy", "macro_f1")):
        return {}, f"{name} must be an object with the numbers accuracy and macro_f1, both from 0 to 1"
    return {key: float(values[key]) for key in ("accuracy", "macro_f1")}, ""


def _number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and 0 <= value <= 1
