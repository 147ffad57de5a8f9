"""How much a stage trains, by the settings: what it took under other settings tells what it will take under these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from metricloop.params import Params

NO_TIME = ("iterations", "learning_rate")  # of the section train: do not change how long an iteration takes


def work_of(stage: str, params: Params) -> float:
    """Iterations of a stage, of all its trials where the settings say how many it has, of one where the plan does;
    1 for a stage that trains nothing.
    """
    iterations = params.train.iterations
    work = {
        "predict": params.predict.folds * params.predict.iterations,
        "screen": params.screen.share * iterations,
        "train": iterations,
        "confirm": (params.confirm.baseline + 2 * params.confirm.seeds) * iterations,
    }
    return work.get(stage.partition("@")[0], 1)


def detector_of(params: Params) -> str:
    """Stands for the settings that an iteration's time depends on."""
    train = params.train.model_dump(mode="json")
    return _digest({name: value for name, value in train.items() if name not in NO_TIME})


def trials_of(params: Params) -> str:
    """Stands for the settings that the models of all trials depend on: with others, no trial is taken over."""
    content = params.model_dump(mode="json")
    return _digest({name: content[name] for name in ("study", "data", "scenes", "predict", "train")})


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
