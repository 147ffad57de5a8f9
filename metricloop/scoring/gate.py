"""The acceptance gate: an untrusted metric must keep every rule on a few frames before it is used in a trial.

Every check runs the metric in the sandbox. A broken rule says in one line what was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.contract import MetricError, MetricResult, Spec
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.gate_checks import (
    BrokenRule,
    dies,
    failing,
    lacking,
    place_of,
    shuffled,
    too_slow,
    with_tiny_boxes,
    without_boxes,
)
from metricloop.scoring.gate_rules import Rule
from metricloop.scoring.likeness import Wider, copy_of
from metricloop.scoring.sandboxed import MetricFile, declared, run_file
from metricloop.text.clean import clean

MOST_UNKNOWN = 0.5  # share of scores that may be nan
ROUNDING = 1e-5  # of the largest score: the difference that another order of a float32 sum may make

# The results of one metric, per frame.
Answers = list[MetricResult]


@dataclass(frozen=True)
class GateResult:
    """The result of the gate. spec: the metric's declaration, None if it cannot be loaded. broken: the broken rules."""

    spec: Spec | None
    broken: tuple[BrokenRule, ...]

    @property
    def accepted(self) -> bool:
        return not self.broken


def pass_gate(
    sandbox: Sandbox,
    source: MetricFile,
    name: str,
    frames: Sequence[Frame],
    earlier: Mapping[str, Sequence[np.ndarray]] | None = None,
    patience: float = float("inf"),
    wider: Wider | None = None,
) -> GateResult:
    """Check a metric against every rule. When it cannot be loaded or fails on `frames`, the other checks are skipped.

    frames: images of the pool with everything that the metric may need; without frames only loading is checked.
    earlier: the scores of known metrics on the same frames, by name. patience: mean seconds that a frame may take.
    wider: gives further images, for a metric that keeps the other rules and looks like a known one.
    """
    try:
        specs = declared(sandbox, source)
    except MetricError as error:
        return GateResult(None, (BrokenRule(Rule.LOADS, str(error)),))
    if name not in specs:
        known = clean(", ".join(specs)) or "none"
        return GateResult(None, (BrokenRule(Rule.LOADS, f"declares no metric {name!r}, but {known}"),))
    spec = specs[name]
    if said := lacking(spec.needs, frames):
        return GateResult(spec, (BrokenRule(Rule.NEEDS, said),))
    if not frames:
        return GateResult(spec, ())

    def ask(asked: Sequence[Frame]) -> Answers:
        return _ask(sandbox, source, spec, asked)

    began = time.monotonic()
    first = ask(frames)
    took = time.monotonic() - began
    if said := failing(frames, first):
        return GateResult(spec, (BrokenRule(Rule.RUNS, said),))
    rules = {
        Rule.FAST: lambda: too_slow(frames, took, patience, ask),
        Rule.DETERMINISTIC: lambda: _deterministic(spec, frames, first, ask),
        Rule.ORDER: lambda: _order(spec, frames, first, ask),
        Rule.NO_BOXES: lambda: dies(ask([without_boxes(frame) for frame in frames[:2]])),
        Rule.ONE_PIXEL_BOXES: lambda: dies(ask([with_tiny_boxes(frame) for frame in frames[:2]])),
        Rule.KNOWN: lambda: _known(first),
        Rule.VARIES: lambda: _varies(first),
    }
    broken = [BrokenRule(rule, words) for rule, check in rules.items() if (words := check())]
    copied = copy_of(spec, first, earlier or {}, ask, took, None if broken else wider)
    return GateResult(spec, (*broken, *([copied] if copied else [])))


def _deterministic(
    spec: Spec, frames: Sequence[Frame], first: Answers, ask: Callable[[Sequence[Frame]], Answers]
) -> str:
    """The same scores from another process, with the frames in reverse order; bit by bit for metrics of one frame."""
    again, exact = ask(frames[::-1])[::-1], spec.scope == "frame"
    for frame, one, other in zip(frames, first, again, strict=True):
        if other.error or not _same(one.scores, other.scores, first, 0 if exact else ROUNDING):
            return f"gives other scores when asked again; {place_of(frame)}: {_brief(one)}, then {_brief(other)}"
    return ""


def _order(spec: Spec, frames: Sequence[Frame], first: Answers, ask: Callable[[Sequence[Frame]], Answers]) -> str:
    """With shuffled boxes, the scores of objects must be shuffled alike and the scores of images must stay."""
    orders, other_order = shuffled(frames)
    for frame, order, one, other in zip(frames, orders, first, ask(other_order), strict=True):
        wanted = one.scores[order] if spec.level == "object" else one.scores
        if other.error or not _same(wanted, other.scores, first, ROUNDING):
            return f"depends on the order of the boxes; {place_of(frame)}"
    return ""


def _known(first: Answers) -> str:
    scores = np.concatenate([answer.scores for answer in first])
    unknown = float(np.isnan(scores).mean()) if len(scores) else 1.0
    return f"says nan for {unknown:.0%} of {len(scores)} scores" if unknown > MOST_UNKNOWN else ""


def _varies(first: Answers) -> str:
    scores = np.concatenate([answer.scores for answer in first])
    scores = scores[~np.isnan(scores)]
    return f"says {scores[0]:g} for everything" if len(scores) and np.ptp(scores) == 0 else ""


def _ask(sandbox: Sandbox, source: MetricFile, spec: Spec, frames: Sequence[Frame]) -> Answers:
    """One metric's results per frame. A metric of scope "dataset" gets these frames as one pool."""
    if spec.scope == "frame":
        return run_file(sandbox, source, [spec], frames)[0]
    pool = pool_of(frames)
    (answer,) = run_file(sandbox, source, [spec], pool)[0]
    ends = pool.offsets[1:-1] if spec.level == "object" else np.arange(1, len(pool))
    return [MetricResult(scores, answer.error) for scores in np.split(answer.scores, ends)]


def _same(one: np.ndarray, other: np.ndarray, scale: Answers, tolerance: float) -> bool:
    """Equal up to `tolerance` of the largest score in `scale`."""
    largest = np.nanmax(np.abs(np.concatenate([answer.scores for answer in scale])), initial=0.0)
    return np.allclose(one, other, rtol=0, atol=tolerance * largest, equal_nan=True)


def _brief(result: MetricResult) -> str:
    return result.error or np.array2string(result.scores, threshold=4, precision=4)
