"""audition (`metricloop try`): a person's own metric at the acceptance gate, and then on a sample of the pool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.dataset import Dataset, part_of
from metricloop.data.frame import Detections, Frame
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, column
from metricloop.metrics.contract import MetricError, Spec
from metricloop.params import Params, load_params
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.batch import SandboxedBatch, sandbox
from metricloop.scoring.gate import GateResult, pass_gate
from metricloop.scoring.gate_rules import CODE_RULES, STOPPING, Rule
from metricloop.scoring.metric_file import Source
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.probe_frames import probe_frames, scores_so_far
from metricloop.scoring.sandboxed import declared
from metricloop.scoring.score_pool import patience, score_pool
from metricloop.scoring.scores import Scores
from metricloop.selection.policies import POLICIES, PolicyError, check_policy
from metricloop.selection.select import select
from metricloop.text.clean import clean

MOST = 500  # images that are scored, evenly out of the pool


class AuditionError(ValueError):
    """A metric cannot be tried here; the message says what to do."""


@dataclass(frozen=True)
class Stage:
    """What a metric is tried on: the pool, some of its frames, and what earlier metrics say of those."""

    params: Params
    pool: Dataset
    predictions: Mapping[int, Detections] | None
    frames: list[Frame]
    earlier: dict[str, list[np.ndarray]]

    @property
    def limits(self) -> Limits:
        return Limits.of(self.params.sandbox)


@dataclass(frozen=True)
class Performance:
    """What a metric said of a sample: its scores, and what a policy would take of it."""

    sample: Dataset
    scores: Scores
    subset: pa.Table


def set_stage(folder: Path) -> Stage:
    """Read what a workspace has. Errors: AuditionError where its data were not brought in yet."""
    params = load_params(folder / "params.yaml")
    if not (folder / "data/images.parquet").is_file():
        raise AuditionError(
            f"{folder} has no data yet, and a metric is tried on them; bring them in with: "
            f"cd {folder} && dvc repro ingest (and predict, for metrics that need predictions)"
        )
    pool, found = read_pool(folder / "data", folder / params.data.folder), folder / layout.PREDICTIONS
    predictions = read_predictions(found) if found.is_file() else None
    rows, frames = probe_frames(pool, predictions)
    if not frames:
        raise AuditionError(f"none of the pictures that {folder / 'data/images.parquet'} lists can be read")
    return Stage(params, pool, predictions, frames, scores_so_far(folder, pool, rows))


def open_sandbox(stage: Stage, filename: str) -> Sandbox:
    """Errors: SandboxError saying what this machine lacks, and what can be done without one."""
    try:
        return sandbox(stage.limits)
    except SandboxError as error:
        raise SandboxError(
            f"{filename} is tried in the sandbox only. {error}. If you have read it, it can go into arms.yaml untried, "
            f"and run without the sandbox: metricloop run --trust {filename}"
        ) from None


def names_in(walled: Sandbox, source: Source, wanted: str | None) -> list[str]:
    """The metrics of a file to try: all, or the one that is wanted. Errors: MetricError when it cannot be loaded."""
    specs = list(declared(walled, source))
    if wanted and wanted not in specs:
        raise MetricError(f"{source.filename} declares no metric {wanted!r}, but {', '.join(specs) or 'none'}")
    if not specs:
        raise MetricError(f"{source.filename} declares no metric: decorate a function with @metric(...)")
    return [wanted] if wanted else specs


def hear(walled: Sandbox, source: Source, name: str, stage: Stage) -> GateResult:
    """Hold one metric of a file to the rules of the gate."""
    slowest = patience(stage.params, len(stage.pool))
    return pass_gate(walled, source, name, stage.frames, stage.earlier, slowest)


def rule_lines(gate_result: GateResult, earlier: Collection[str]) -> list[tuple[str, str, str]]:
    """Rule by rule (held, broke or not asked; the rule; what was seen). earlier: the metrics it was compared with."""
    broken = {broken_rule.rule: broken_rule.said for broken_rule in gate_result.broken}
    stopped = next((rule for rule in STOPPING if rule in broken), None)
    lines = []
    for rule in CODE_RULES:
        if rule in broken:
            lines.append(("broke", rule, clean(broken[rule], 1000)))
        elif stopped and CODE_RULES.index(rule) > CODE_RULES.index(stopped):
            lines.append(("not asked", rule, ""))
        elif rule == Rule.NEW and not earlier:
            lines.append(("not asked", rule, "no metric of this study has been scored yet"))
        else:
            lines.append(("held", rule, rule.passed.format(len(earlier))))
    return lines + [("broke", rule, clean(said, 1000)) for rule, said in broken.items() if rule not in CODE_RULES]


def policy_of(name: str, options: Mapping[str, Any], spec: Spec | None = None) -> dict[str, Any]:
    """A policy for one metric, in the metric's own direction unless another is asked for.

    Errors: PolicyError naming an unknown policy or option, or one that a single metric cannot serve.
    """
    direction = {"direction": "higher" if spec is None or spec.higher_is == "better" else "lower"}
    policy = {"name": name, **direction, **options}
    if name in POLICIES and POLICIES[name].reads not in ("scores", "object scores"):
        fit = ", ".join(name for name, policy in POLICIES.items() if policy.reads in ("scores", "object scores"))
        raise PolicyError(f"policy {name} reads no scores; those that do: {fit}")
    _, checked = check_policy(policy)
    if checked.combine:
        raise PolicyError("combine takes a second metric; write that arm into arms.yaml yourself, with b as its scores")
    return policy


def spread(pool: Dataset, most: int) -> Dataset:
    """At most so many images of a pool, evenly."""
    rows = np.unique(np.linspace(0, len(pool) - 1, min(most, len(pool))).round().astype(int))
    part, _ = part_of(pool, rows)
    return part


def perform(stage: Stage, source: Source, spec: Spec, policy: Mapping[str, Any], arm: str) -> Performance:
    """Score a sample within the walls, the whole pool for a metric of the pool, and select from it.

    Errors: ScoreError when it fails on more images than the study allows; PolicyError when the policy does not fit.
    """
    sample = stage.pool if spec.scope == "dataset" else spread(stage.pool, MOST)
    batch, study = SandboxedBatch(((source, spec),), stage.limits), stage.params.study
    failures = stage.params.score.max_failures
    columns = score_pool(sample, batch, stage.predictions, max_failures=failures)[spec.name]
    table = pa.table({field.name: pa.array(columns[field.name], type=field.type) for field in SCORES}, SCORES)
    chance: dict[str, Any] = {"study": (study.name, study.seed), "arm": arm, "budget": study.budget, "seeds": [0]}
    subset = select(sample, policy, a=table, **chance)
    objects = spec.level == "object"
    scores = Scores(
        row=sample.box_row if objects else np.arange(len(sample)),
        box=np.arange(len(sample.boxes)) if objects else np.full(len(sample), -1),
        value=column(table, "score"),
        errors=tuple(sorted({error for error in columns["error"] if error})),
    )
    return Performance(sample, scores, subset)
