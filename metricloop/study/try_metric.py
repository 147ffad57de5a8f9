"""`metricloop try`: check a person's own metric by the gate's rules, score a sample of the pool, and select from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
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
from metricloop.mending.sandboxed import declared_repairs, repair_sandbox
from metricloop.metrics.contract import MetricError, Spec
from metricloop.metrics.repair_contract import RepairError, RepairSpec
from metricloop.params import Params, load_params
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.batch import SandboxedBatch, sandbox
from metricloop.scoring.gate import GateResult, pass_gate
from metricloop.scoring.gate_rules import CODE_RULES, STOPPING, Rule
from metricloop.scoring.metric_file import MetricFile
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.probe_frames import probe_frames, scores_so_far, wider_frames
from metricloop.scoring.sandboxed import declared
from metricloop.scoring.score_pool import patience, score_pool
from metricloop.scoring.scores import Scores
from metricloop.selection.policies import POLICIES, PolicyError, check_policy
from metricloop.selection.select import select
from metricloop.text.clean import clean
from metricloop.text.shell import command_line

MOST_IMAGES = 500  # images of the pool that are scored, evenly spaced


class TryError(ValueError):
    """A metric cannot be tried here; the message says what to do."""


@dataclass(frozen=True)
class TryInputs:
    """What a metric is tried on: the pool, some of its frames, and the scores of earlier metrics on these frames.

    score_files: of the earlier metrics, on the whole pool.
    """

    params: Params
    pool: Dataset
    predictions: Mapping[int, Detections] | None
    frames: list[Frame]
    earlier: dict[str, list[np.ndarray]]
    score_files: tuple[Path, ...] = ()

    @property
    def limits(self) -> Limits:
        return Limits.of(self.params.sandbox)


@dataclass(frozen=True)
class SampleResult:
    """A sample of the pool, its scores by a metric, and the subset that a policy selects from it."""

    sample: Dataset
    scores: Scores
    subset: pa.Table


def read_try_inputs(folder: Path) -> TryInputs:
    """Read the pool of a workspace. Errors: TryError when the stage `ingest` has not run or no picture can be read."""
    params = load_params(folder / layout.PARAMS)
    if not (folder / layout.IMAGES).is_file():
        raise TryError(
            f"{folder} has no data yet, so there is nothing to try a metric on. To read the data set: "
            f"cd {folder} && dvc repro ingest (and predict, for metrics that need predictions)"
        )
    pool, found = read_pool(folder / layout.DATA, folder / params.data.folder), folder / layout.PREDICTIONS
    predictions = read_predictions(found) if found.is_file() else None
    rows, frames = probe_frames(pool, predictions)
    if not frames:
        raise TryError(f"none of the pictures that {folder / layout.IMAGES} lists can be read")
    files = tuple(sorted(folder.glob(layout.scores_file("*", "*"))))
    return TryInputs(params, pool, predictions, frames, scores_so_far(folder, pool, rows), files)


def open_sandbox(inputs: TryInputs, filename: str) -> Sandbox:
    """Open the sandbox. Errors: SandboxError that says what this machine lacks, and what to do without a sandbox."""
    try:
        return sandbox(inputs.limits)
    except SandboxError as error:
        raise SandboxError(
            f"{filename} can be tried in the sandbox only. {error}. If you have read the file and trust it, add it to "
            f"{layout.ARMS} yourself and run it without the sandbox: metricloop run --trust {filename}"
        ) from None


def only_repair(source: MetricFile, limits: Limits) -> RepairSpec | None:
    """The repair of a file whose text declares one; None for a file of metrics.

    Errors: RepairError when it declares several, or cannot be loaded.
    """
    if not mentions_repair(source.code):
        return None
    specs = declared_repairs(repair_sandbox(limits), source)
    if len(specs) > 1:
        raise RepairError(f"{source.filename} declares {len(specs)} repairs ({', '.join(specs)}); one file holds one")
    return next(iter(specs.values()), None)


def mentions_repair(code: str) -> bool:
    """Whether the text of a file looks as if it declares a repair; nothing of it is executed."""
    return "@repair" in code or ".repair(" in code


def metrics_to_try(opened: Sandbox, source: MetricFile, wanted: str | None) -> list[str]:
    """Names of the metrics in a file: all, or only `wanted`. Errors: MetricError when none is found."""
    specs = list(declared(opened, source))
    if wanted and wanted not in specs:
        raise MetricError(f"{source.filename} declares no metric {wanted!r}; it declares: {', '.join(specs) or 'none'}")
    if not specs:
        mend = command_line("metricloop", "mend", source.filename)
        hint = f"; for a repair: {mend}" if mentions_repair(source.code) else ""
        raise MetricError(f"{source.filename} declares no metric: decorate a function with @metric(...){hint}")
    return [wanted] if wanted else specs


def check_rules(opened: Sandbox, source: MetricFile, name: str, inputs: TryInputs) -> GateResult:
    """Check one metric of a file by the rules of the gate."""
    slowest = patience(inputs.params, len(inputs.pool))

    def wider(
        metrics: Collection[str], most: int, pixels: bool
    ) -> Iterator[tuple[list[Frame], dict[str, list[np.ndarray]]]]:
        files = {file.stem: str(file) for file in inputs.score_files if file.stem in metrics}
        return wider_frames(Path(), inputs.pool, inputs.predictions, files, most, pixels)

    return pass_gate(opened, source, name, inputs.frames, inputs.earlier, slowest, wider)


def rule_lines(gate_result: GateResult, earlier: Collection[str]) -> list[tuple[str, str, str]]:
    """(state, rule, message) per rule; states: held, broke, not asked. earlier: metrics that it was compared with."""
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
    """A policy for the scores of one metric; its direction is the metric's own unless `options` give another.

    Errors: PolicyError for an unknown policy or option, and for one that needs more or other input than one metric.
    """
    direction = {"direction": "higher" if spec is None or spec.higher_is == "better" else "lower"}
    policy = {"name": name, **direction, **options}
    if name in POLICIES and POLICIES[name].reads not in ("scores", "object scores"):
        fit = ", ".join(name for name, policy in POLICIES.items() if policy.reads in ("scores", "object scores"))
        raise PolicyError(f"policy {name} does not select by scores; policies that do: {fit}")
    _, checked = check_policy(policy)
    if checked.combine:
        raise PolicyError("combine needs a second metric; write that arm into arms.yaml yourself, its scores as b")
    return policy


def sample_evenly(pool: Dataset, most: int) -> Dataset:
    """At most `most` images of a pool, evenly spaced in its order."""
    rows = np.unique(np.linspace(0, len(pool) - 1, min(most, len(pool))).round().astype(int))
    part, _ = part_of(pool, rows)
    return part


def score_and_select(
    inputs: TryInputs, source: MetricFile, spec: Spec, policy: Mapping[str, Any], arm: str
) -> SampleResult:
    """Score a sample in the sandbox and select from it. A metric of scope "dataset" scores the whole pool.

    Errors: ScoreError when the metric fails on more images than score.max_failures allows; PolicyError when the policy
    cannot use such scores.
    """
    sample = inputs.pool if spec.scope == "dataset" else sample_evenly(inputs.pool, MOST_IMAGES)
    batch, study = SandboxedBatch(((source, spec),), inputs.limits), inputs.params.study
    failures = inputs.params.score.max_failures
    columns = score_pool(sample, batch, inputs.predictions, max_failures=failures)[spec.name]
    table = pa.table({field.name: pa.array(columns[field.name], type=field.type) for field in SCORES}, SCORES)
    chance: dict[str, Any] = {"study": (study.name, study.seed), "arm": arm, "budget": study.budget, "seeds": [0]}
    subset = next(select(sample, policy, a=table, **chance))
    objects = spec.level == "object"
    scores = Scores(
        row=sample.box_row if objects else np.arange(len(sample)),
        box=np.arange(len(sample.boxes)) if objects else np.full(len(sample), -1),
        value=column(table, "score"),
        errors=tuple(sorted({error for error in columns["error"] if error})),
    )
    return SampleResult(sample, scores, subset)
