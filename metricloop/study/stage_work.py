"""How much a stage trains by its settings, so that its time under other settings can be converted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from metricloop.params import Params
from metricloop.study.graph import kind_of

TRAINED = ("predict", "screen", "train", "confirm")  # kinds of stages that train; their time grows with the iterations
WITH_DETECTOR = (*TRAINED, "evaluate")  # kinds of stages whose time depends on the detector
NO_TIME = ("iterations", "learning_rate")  # of the section train: do not change how long an iteration takes


def work_of(stage: str, params: Params) -> float:
    """How many iterations a stage trains; 1 for a stage that trains nothing.

    Of `predict` and `confirm` all trials count; the settings say how many there are. Of `screen` and `train` one trial
    counts, because the plan says how many there are.
    """
    iterations = params.train.iterations
    work = {
        "predict": params.predict.folds * params.predict.iterations,
        "screen": params.screen.share * iterations,
        "train": iterations,
        "confirm": (params.confirm.baseline + 2 * params.confirm.seeds) * iterations,
    }
    return work.get(kind_of(stage), 1)


def detector_of(params: Params) -> str:
    """A digest of the settings on which the time of an iteration depends."""
    train = params.train.model_dump(mode="json")
    return _digest({name: value for name, value in train.items() if name not in NO_TIME})


def trials_of(params: Params) -> str:
    """A digest of the settings on which the models of all trials depend; if they change, all are trained anew."""
    content = params.model_dump(mode="json")
    return _digest({name: content[name] for name in ("study", "data", "scenes", "predict", "train")})


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
