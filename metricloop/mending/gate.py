"""The acceptance gate for repairs: an untrusted repair must keep every rule on a few frames before it is used.

Every check runs the repair in the sandbox. A broken rule says in one line what was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.edit_rows import ADD, DROP, MOVE, RELABEL
from metricloop.data.frame import Frame
from metricloop.mending.gate_rules import COPY, RepairRule
from metricloop.mending.sandboxed import declared_repairs, run_repair
from metricloop.metrics.repair_contract import RepairError, RepairResult, RepairSpec
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
from metricloop.scoring.metric_file import MetricFile
from metricloop.text.clean import clean

ROUNDING = 1e-3  # px, and of a confidence: the difference that another order of a sum may make
SAME_PLACE = 0.95  # IoU from which on two edits put a box into the same place
SAME_CONFIDENCE = 0.1

Answers = list[RepairResult]


@dataclass(frozen=True)
class RepairGateResult:
    """The result of the gate. spec: the repair's declaration, None if it cannot be loaded. broken: the broken rules.

    edits: of every frame, rows as in data.edit_rows; () unless it ran on all of them.
    """

    spec: RepairSpec | None
    broken: tuple[BrokenRule, ...]
    edits: tuple[np.ndarray, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.broken


def pass_repair_gate(
    sandbox: Sandbox,
    source: MetricFile,
    name: str,
    frames: Sequence[Frame],
    earlier: Mapping[str, Sequence[np.ndarray]] | None = None,
    patience: float = float("inf"),
) -> RepairGateResult:
    """Check a repair against every rule. When it cannot be loaded or fails on `frames`, the other checks are skipped.

    sandbox: from mending.sandboxed.repair_sandbox. frames: images of the pool with everything that the repair may
    need; without frames only loading is checked. earlier: the edits of known repairs on the same frames, by name.
    patience: mean seconds that a frame may take.
    """
    try:
        specs = declared_repairs(sandbox, source)
    except RepairError as error:
        return RepairGateResult(None, (BrokenRule(RepairRule.LOADS, str(error)),))
    if name not in specs:
        said = f"declares no repair {name!r}, but {clean(', '.join(specs)) or 'none'}"
        return RepairGateResult(None, (BrokenRule(RepairRule.LOADS, said),))
    spec = specs[name]
    if said := lacking(spec.needs, frames):
        return RepairGateResult(spec, (BrokenRule(RepairRule.NEEDS, said),))
    if not frames:
        return RepairGateResult(spec, ())

    def ask(asked: Sequence[Frame]) -> Answers:
        return run_repair(sandbox, source, spec, asked)

    began = time.monotonic()
    first = ask(frames)
    took = time.monotonic() - began
    if said := failing(frames, first):
        return RepairGateResult(spec, (BrokenRule(RepairRule.RUNS, said),))
    edits = tuple(answer.rows for answer in first)
    rules: dict[str, Callable[[], str]] = {
        RepairRule.FAST: lambda: too_slow(frames, took, patience, ask),
        RepairRule.DETERMINISTIC: lambda: _deterministic(frames, first, ask),
        RepairRule.ORDER: lambda: _order(frames, first, ask),
        RepairRule.NO_BOXES: lambda: dies(ask([without_boxes(frame) for frame in frames[:2]])),
        RepairRule.ONE_PIXEL_BOXES: lambda: dies(ask([with_tiny_boxes(frame) for frame in frames[:2]])),
        RepairRule.ACTS: lambda: _acts(frames, edits),
    }
    broken = [BrokenRule(rule, words) for rule, check in rules.items() if (words := check())]
    copied = _copied(name, edits, earlier or {})
    return RepairGateResult(spec, (*broken, *([copied] if copied else [])), edits)


def _deterministic(frames: Sequence[Frame], first: Answers, ask: Callable[[Sequence[Frame]], Answers]) -> str:
    """The same edits, bit by bit, from another process, with the frames in reverse order."""
    for frame, one, other in zip(frames, first, ask(frames[::-1])[::-1], strict=True):
        if other.error or not np.array_equal(one.rows, other.rows, equal_nan=True):
            seen = other.error or f"{len(other.rows)} edits"
            return f"returns other edits when asked again; {place_of(frame)}: {len(one.rows)} edits, then {seen}"
    return ""


def _order(frames: Sequence[Frame], first: Answers, ask: Callable[[Sequence[Frame]], Answers]) -> str:
    """With shuffled boxes, the same edits of the same boxes."""
    orders, other_order = shuffled(frames)
    for frame, order, one, other in zip(frames, orders, first, ask(other_order), strict=True):
        if other.error or not _same(one.rows, renamed(other.rows, order)):
            return f"depends on the order of the boxes; {place_of(frame)}"
    return ""


def _acts(frames: Sequence[Frame], edits: Sequence[np.ndarray]) -> str:
    changes = sum(int(changing(frame, rows).sum()) for frame, rows in zip(frames, edits, strict=True))
    return "" if changes else f"changes no label of {len(frames)} frames"


def _copied(name: str, edits: Sequence[np.ndarray], earlier: Mapping[str, Sequence[np.ndarray]]) -> BrokenRule | None:
    """Makes the edits of a known repair, as counted over all frames."""
    for other, theirs in earlier.items():
        total = max(sum(map(len, edits)), sum(map(len, theirs)))
        common = sum(in_common(one, two) for one, two in zip(edits, theirs, strict=True))
        if other != name and total and common / total >= COPY:
            said = f"makes the edits of {other}: {common} of {total}, where less than {COPY:.0%} are asked"
            return BrokenRule(RepairRule.NEW, said, like=other)
    return None


def renamed(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Edits of shuffled boxes as edits of the boxes in their first place, sorted. order: as it was shuffled."""
    made = rows.copy()
    old = made[:, 0] != ADD
    made[old, 1] = order[made[old, 1].astype(int)]
    return made[np.lexsort((*np.nan_to_num(made[:, 2:7]).T[::-1], made[:, 0], np.where(old, made[:, 1], np.inf)))]


def changing(frame: Frame, rows: np.ndarray) -> np.ndarray:
    """Whether each edit changes anything: a box moved to where it is, or relabelled as it is, does not; (k,) bool."""
    made = np.isin(rows[:, 0], (DROP, ADD))
    box = rows[:, 1].astype(int)
    moved, relabelled = rows[:, 0] == MOVE, rows[:, 0] == RELABEL
    made[moved] = (np.abs(rows[moved, 2:6] - frame.boxes[box[moved]]) > ROUNDING).any(axis=1)
    made[relabelled] = rows[relabelled, 6] != frame.labels[box[relabelled]]
    return made


def in_common(one: np.ndarray, two: np.ndarray) -> int:
    """How many edits two repairs of one image share: of the same kind, box and class, nearly the same place and
    confidence."""
    if not len(one) or not len(two):
        return 0
    alike = (one[:, None, [0, 1, 6]] == two[None, :, [0, 1, 6]]).all(axis=2)
    alike &= np.abs(one[:, None, 7] - two[None, :, 7]) <= SAME_CONFIDENCE
    placed = np.isin(one[:, 0], (MOVE, ADD))
    alike[placed] &= iou(np.nan_to_num(one[placed, 2:6]), np.nan_to_num(two[:, 2:6])) >= SAME_PLACE
    return int(min(alike.any(axis=1).sum(), alike.any(axis=0).sum()))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=ROUNDING, equal_nan=True)
