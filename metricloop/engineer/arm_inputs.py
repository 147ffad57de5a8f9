"""The two input files of an idea's arm, a and b, which our code finds from the names that the model gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from metricloop import layout
from metricloop.engineer.rules import KnownMetric
from metricloop.selection.policies import check_policy, needs_embeddings


def arm_inputs(
    policy: Mapping[str, Any], metric: str, partner: str | None, known: Mapping[str, KnownMetric]
) -> dict[str, str]:
    """{"a": file, "b": file} of an arm. known: the metrics with scores, `metric` among them.

    With `objectives` these are the folders of their scores, that of `metric` first; scores/, the folder of all, where
    they lie in more than fit. Input b of a policy that reads embeddings is their file.
    """
    name, options = check_policy(policy)
    embeddings = needs_embeddings(name, options)
    a, b = known[metric].scores, known[partner or metric].scores
    if strengths := options.strengths:
        own = _folder(known[metric].scores)
        others = sorted({_folder(known[other].scores) for other in strengths} - {own})
        a, b = own, (others or [own])[0]
        if len(others) > 1:
            b = layout.SCORES
        if others and embeddings:
            a = layout.SCORES
    return {"a": a, "b": layout.EMBEDDINGS if embeddings else b}


def _folder(file: str) -> str:
    return PurePosixPath(file).parent.as_posix()
