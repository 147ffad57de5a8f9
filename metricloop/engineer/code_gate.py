"""Runs the gates on the code of an idea, in the sandbox; knows what was accepted earlier in the round."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.engineer.generated_file import generated_name
from metricloop.engineer.known_ideas import KnownIdeas
from metricloop.engineer.study_view import StudyView
from metricloop.mending.gate import RepairGateResult, pass_repair_gate
from metricloop.mending.gate_rules import RepairRule
from metricloop.mending.open_repair import catalogue_edits, open_repair, repair_catalogue
from metricloop.mending.repair_file import load_repairs
from metricloop.mending.sandboxed import repair_sandbox
from metricloop.metrics.contract import spec_of
from metricloop.metrics.repair_contract import repair_spec_of
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.batch import sandbox
from metricloop.scoring.gate import GateResult, pass_gate
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.gate_rules import Rule
from metricloop.scoring.metric_file import MetricFile, load, read_source
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.probe_frames import probe_frames, scores_so_far, wider_frames
from metricloop.scoring.sandboxed import declared, run_file
from metricloop.scoring.score_pool import patience


@dataclass
class CodeGate:
    """The gate of one round.

    frames: images that code is tried on. scores_by_metric: of every known metric its scores of `frames`, one array per
    frame; metrics that the round accepts are added when they are first needed. patience: seconds per frame.
    edits_by_repair: the same for repairs, with those of the catalogue.
    pool, predictions: where further images come from.
    """

    folder: Path
    number: int
    known: KnownIdeas
    frames: Sequence[Frame]
    limits: Limits
    scores_by_metric: dict[str, list[np.ndarray]]
    patience: float
    edits_by_repair: dict[str, list[np.ndarray]] = field(default_factory=dict)
    pool: Dataset | None = None
    predictions: Mapping[int, Detections] | None = None

    def check(self, source: MetricFile, name: str) -> GateResult:
        """Run the code of the metric `name` on the frames, in the sandbox, against every rule."""
        walls = sandbox(self.limits)
        for metric in set(self.known.metrics) - set(self.scores_by_metric):
            self.scores_by_metric[metric] = self._scores(walls, metric, self.frames)
        return pass_gate(walls, source, name, self.frames, self.scores_by_metric, self.patience, self.wider)

    def wider(
        self, metrics: Collection[str], most: int, pixels: bool
    ) -> Iterator[tuple[list[Frame], dict[str, list[np.ndarray]]]]:
        """Further images of the pool, and the scores of known metrics on them, this round's metrics included."""
        if self.pool is None:
            return
        tables = {file.stem: file for file in sorted(self.folder.glob(layout.scores_file("*", "*")))}
        files = {metric: str(tables[metric].relative_to(self.folder)) for metric in metrics if metric in tables}
        for frames, scores in wider_frames(self.folder, self.pool, self.predictions, files, most, pixels):
            new = {metric: self._scores(sandbox(self.limits), metric, frames) for metric in set(metrics) - set(files)}
            yield frames, scores | new

    def _scores(self, walls: Sandbox, metric: str, frames: Sequence[Frame]) -> list[np.ndarray]:
        """Run a metric of this round on frames. Its scores of the whole pool exist only after the round."""
        source = read_source(self.folder / generated_name(self.number, metric), self.folder)
        spec = declared(walls, source)[metric]
        return [result.scores for result in run_file(walls, source, [spec], frames)[0]]

    def check_repair(self, source: MetricFile, name: str) -> RepairGateResult:
        """Run the code of the label repair `name` on the frames, in the sandbox, against every rule for repairs."""
        if not self.edits_by_repair:
            self.edits_by_repair |= catalogue_edits(self.frames)
        for repair in set(self.known.repairs) - set(self.edits_by_repair) - set(repair_catalogue()):
            opened = open_repair(str(self.known.repairs[repair]["code"]), repair, self.folder, self.limits)
            self.edits_by_repair[repair] = [result.rows for result in opened.run(self.frames)]
        walls = repair_sandbox(self.limits)
        return pass_repair_gate(walls, source, name, self.frames, self.edits_by_repair, self.patience)


def open_gate(number: int, study: StudyView, known: KnownIdeas) -> CodeGate:
    """The gate of round `number`, with images of the pool from the emptiest to the most crowded."""
    file = study.folder / layout.PREDICTIONS
    predictions = read_predictions(file) if file.is_file() else None
    rows, frames = probe_frames(study.pool, predictions)
    return CodeGate(
        study.folder, number, known, frames, Limits.of(study.params.sandbox),
        scores_so_far(study.folder, study.pool, rows), patience(study.params, len(study.pool)),
        pool=study.pool, predictions=predictions,
    )  # fmt: skip


def load_without_sandbox(source: MetricFile, name: str) -> GateResult:
    """Execute unread code in this process and check nothing else. Used only with --unsafe-in-process."""
    try:
        found = load(source.code, source.filename)
        return GateResult(spec_of(found[name]), ())
    except Exception as error:  # the code may raise anything; the error goes back to the model
        return GateResult(None, (BrokenRule(Rule.LOADS, f"{type(error).__name__}: {error}"),))


def load_repair_without_sandbox(source: MetricFile, name: str) -> RepairGateResult:
    """Execute the unread code of a repair in this process and check nothing else; as `load_without_sandbox`."""
    try:
        return RepairGateResult(repair_spec_of(load_repairs(source.code, source.filename)[name]), ())
    except Exception as error:  # the code may raise anything; the error goes back to the model
        return RepairGateResult(None, (BrokenRule(RepairRule.LOADS, f"{type(error).__name__}: {error}"),))
