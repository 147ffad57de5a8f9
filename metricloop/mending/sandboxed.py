"""Run untrusted repairs in the sandbox, from outside: packed frames go in, checked edits come out."""

from __future__ import annotations

import keyword
import math
import os
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from metricloop.data.edit_rows import COLUMNS
from metricloop.data.frame import Frame
from metricloop.mending.inside_sandbox import CHUNK, PLACE
from metricloop.metrics.repair_contract import RepairError, RepairResult, RepairSpec, check_rows, most_edits
from metricloop.sandbox.child import Child
from metricloop.sandbox.errors import ChildEndedError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.inside_sandbox import BROKEN, FAILED, VALUES
from metricloop.scoring.metric_file import MetricFile
from metricloop.scoring.sandboxed import (
    MOST_DEATHS,
    NAME,
    arguments_of,
    declarations,
    distinct,
    own_memory,
    packed,
    started,
)
from metricloop.text.clean import clean

INSIDE = "metricloop.mending.inside_sandbox"
ENTRIES = (INSIDE,)  # the entries of a Sandbox for repairs
WIDTH = 8 * len(COLUMNS)  # bytes of one edit


@cache
def repair_sandbox(limits: Limits) -> Sandbox:
    """The started sandbox of this process for repairs. It ends with the process."""
    made = Sandbox(ENTRIES, limits)
    made.start()
    return made


def declared_repairs(sandbox: Sandbox, source: MetricFile) -> dict[str, RepairSpec]:
    """The repairs that a file declares, by name. Errors: RepairError, as of scoring.sandboxed.declarations."""
    return declarations(sandbox, source, f"{INSIDE}:send_repairs", "repair", _spec, RepairError)


def run_repair(
    sandbox: Sandbox, source: MetricFile, spec: RepairSpec, frames: Sequence[Frame], seconds: float = math.inf
) -> list[RepairResult]:
    """Run a repair: one result per frame.

    When a limit ends it on a frame, the result of that frame says why, and the next frame gets a new process. After
    MOST_DEATHS ended processes, or after `seconds` in all, the remaining frames are given up.
    """
    results = [RepairResult(_none())] * len(frames)
    row, deaths, deadline = 0, 0, time.monotonic() + seconds
    with packed(source) as code, packed(list(frames)) as payload:
        size = os.fstat(payload).st_size + os.fstat(code).st_size
        while row < len(frames):
            arguments = arguments_of(sandbox, source) | {"repair": spec.name, "first": row}
            try:
                with (
                    own_memory(code) as own_code,
                    own_memory(payload) as own_payload,
                    sandbox.child(
                        "score", f"{INSIDE}:send_edits", arguments, [own_code, own_payload], size=size
                    ) as child,
                ):
                    if (failure := started(child, sandbox)) is not None:
                        results[row:] = [RepairResult(_none(), failure)] * (len(frames) - row)
                        break
                    while row < len(frames):
                        results[row] = _answer(child, sandbox, spec, row, frames[row], deadline)
                        row += 1
            except ChildEndedError as ended:
                deaths += 1
                late = time.monotonic() >= deadline
                reason = f"it took more than {seconds:.3g} s in all" if late else ended.reason
                last = len(frames) if late or deaths == MOST_DEATHS else row + 1
                results[row:last] = [RepairResult(_none(), reason)] * (last - row)
                row = last
    return results


def _answer(child: Child, sandbox: Sandbox, spec: RepairSpec, row: int, frame: Frame, deadline: float) -> RepairResult:
    """The edits of one frame. They are checked here, whatever the code inside the sandbox claims to have checked.

    Errors: ChildEndedError when the child has ended, or sends anything but the edits of this frame, in order.
    """
    rows, due = _none(), -1
    while len(rows) != due:
        packet = child.receive(min(sandbox.limits.frame_seconds, deadline - time.monotonic()), "one frame")
        if not packet:
            raise ChildEndedError(child.end() or "ended before it had answered")
        kind, place, rest = packet[:1], packet[1 : 1 + PLACE.size], packet[1 + PLACE.size :]
        if kind == BROKEN:
            raise ChildEndedError(clean(packet[1:]) or "failed without a message")
        if kind == FAILED and place == PLACE.pack(row, 0, 0):
            return RepairResult(_none(), clean(rest) or "failed without a message")
        if due < 0 and len(place) == PLACE.size:
            due = PLACE.unpack(place)[2]
        expected = min(CHUNK, due - len(rows))
        if (
            kind != VALUES
            or not 0 <= due <= most_edits(frame)
            or place != PLACE.pack(row, len(rows), due)
            or len(rest) != WIDTH * expected
        ):
            raise ChildEndedError("answered out of turn: it may send one list of edits per frame, in order")
        rows = np.concatenate([rows, np.frombuffer(rest, np.float64).reshape(-1, len(COLUMNS))])
    try:
        return RepairResult(check_rows(spec.name, rows, frame))
    except RepairError as error:
        return RepairResult(_none(), f"RepairError: {error}")


def _none() -> np.ndarray:
    return np.zeros((0, len(COLUMNS)))


def _spec(entry: Any) -> RepairSpec:
    if not isinstance(entry, dict) or set(entry) != {"name", "needs"} or not isinstance(entry["name"], str):
        raise ValueError(f"got {entry!r}")
    if not NAME.fullmatch(entry["name"]) or keyword.iskeyword(entry["name"]):  # the name is used for files
        raise ValueError(f"a repair's name is a letter and up to 63 of a-z, 0-9, _; got {entry['name']!r}")
    return RepairSpec(entry["name"], distinct(entry["needs"]))
