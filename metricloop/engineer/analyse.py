"""Answers the question `analyse`: the model's own Python over the pool, in the sandbox; a bounded table or text.

The code sees the labels as they are, out-of-fold predictions, known scores and subsets, and the pictures it names. It
sees no file name, no split but the pool, and nothing made from the truth.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.engineer.analysis_inside import FOUND, MOST_CELL, MOST_COLUMNS, MOST_ROWS, MOST_TEXT
from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.questions import Analyse
from metricloop.sandbox import walls
from metricloop.sandbox.child import WALLS_FAILED
from metricloop.sandbox.errors import ChildEndedError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.payload import pack
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.inside_sandbox import BROKEN, READY
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.text.clean import clean, printable

INSIDE = "metricloop.engineer.analysis_inside"
FILE = "analysis.py"
FENCE = "~~~"  # around words of the code; a line of it that begins so is moved in
SECONDS = 60.0  # of one analysis, if sandbox.batch_seconds allows so many
MOST_LEFT = 10**12  # rows or characters that the code may say were left out
SIDE = 1024  # px; a larger picture is halved until its long side fits


def analyse(ask: Analyse, desk: Desk) -> Answer:
    """Run the code and show what it returned, or its error with the line. Errors: QuestionError."""
    if ask.pictures and desk.study.params.llm.pictures == "none":
        raise QuestionError("no picture may leave this house (llm.pictures is none), so the code gets no pixels")
    meta, arrays = payload_of(ask, desk)
    return Answer(run(ask.code, meta, arrays, Limits.of(desk.study.params.sandbox)))


def payload_of(ask: Analyse, desk: Desk) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The input of the code: a value for JSON, and arrays by name. Errors: QuestionError."""
    pool = desk.pool
    arrays = {name: getattr(pool, name) for name in ("image_id", "width", "height", "boxes", "labels", "offsets")}
    arrays |= {"box_row": pool.box_row, "group": np.unique(pool.group.astype(str), return_inverse=True)[1]}
    if desk.predictions is not None:
        arrays |= {f"predictions.{name}": array for name, array in _flat(pool, desk.predictions).items()}
    for metric in desk.metrics:
        scores = desk.scores(metric)
        values = np.full(len(pool.boxes) if scores.per_object else len(pool), np.nan)
        values[scores.box if scores.per_object else scores.row] = scores.value
        arrays[f"scores.{metric}"] = values
    arrays |= {f"subsets.{arm}": kept for arm, kept in desk.subsets.items()}
    arrays |= {f"pictures.{image}": picture for image, picture in _pictures(ask, desk).items()}
    return {"class_names": pool.class_names}, arrays


def _flat(pool: Dataset, predictions: Mapping[int, Detections]) -> dict[str, np.ndarray]:
    found = [predictions.get(int(image), Detections.empty()) for image in pool.image_id]
    counts = [len(one.scores) for one in found]
    return {
        "boxes": np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes for one in found)]),
        "scores": np.concatenate([np.zeros(0, np.float32), *(one.scores for one in found)]),
        "labels": np.concatenate([np.zeros(0, np.int64), *(one.labels for one in found)]),
        "offsets": np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        "row": np.repeat(np.arange(len(pool)), counts),
    }


def _pictures(ask: Analyse, desk: Desk) -> dict[int, np.ndarray]:
    """The pictures that a question names, by image id, without those that cannot be read. Errors: QuestionError."""
    found, inputs = {}, MetricInputs(desk.pool)
    for row in np.flatnonzero(desk.images(ask.pictures)).tolist():
        frame, _unreadable = read_frame(unread_frame(inputs, row), pixels=True)
        if frame.image is not None:
            step = 1
            while max(frame.image.shape[:2]) // step > SIDE:
                step *= 2
            found[frame.image_id] = np.ascontiguousarray(frame.image[::step, ::step])
    return found


@cache
def _sandbox(limits: Limits) -> Sandbox:
    """The started sandbox of this process for analyses. It ends with the process."""
    made = Sandbox((INSIDE,), limits)
    made.start()
    return made


def run(code: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], limits: Limits) -> str:
    """Run the function `analyse` of `code` in the sandbox. Returns its result as a short fenced text, or its error."""
    sandbox, sealed = _sandbox(limits), "seals" in walls.WALLS
    own = pack(None, {"code": np.frombuffer(code.encode(errors="replace"), np.uint8)}, sealed)
    payload = pack(dict(meta), arrays, sealed)
    try:
        size = os.fstat(payload).st_size + os.fstat(own).st_size
        arguments = {"filename": FILE, "memory_mb": limits.memory_mb}
        with sandbox.child("score", f"{INSIDE}:send_analysis", arguments, [own, payload], size=size) as child:
            packet = child.receive(limits.start_seconds, "starting")
            if packet == READY:
                packet = child.receive(min(SECONDS, limits.batch_seconds), "the analysis")
            return told(packet, "" if packet else child.end())
    except ChildEndedError as ended:
        return f"It failed: {clean(ended.reason)}."
    finally:
        os.close(own)
        os.close(payload)


def told(packet: bytes, end: str) -> str:
    """The sandbox's packet as text for the model; nothing in it is trusted. end: how the process ended without one."""
    if packet[:1] in (BROKEN, WALLS_FAILED):
        return f"It failed: {clean(packet[1:], 1000) or 'without a message'}."
    if packet[:1] != FOUND:
        return f"It failed: {clean(end) or 'ended before it had answered'}."
    try:
        found = json.loads(packet[1:])
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("text"), str):
        body = printable(found["text"][:MOST_TEXT].replace("\u00a0", " "))
    elif isinstance(found, dict) and isinstance(found.get("table"), list):
        body = "\n".join(_line(row) for row in found["table"][:MOST_ROWS])[:MOST_TEXT]
    else:
        return "It failed: it answered out of turn; only what `analyse` returns may leave the sandbox."
    left = found.get("left_out")
    cut = type(left) is int and 0 < left < MOST_LEFT
    more = f"\n({left} more {'characters' if 'text' in found else 'rows'} were left out)" if cut else ""
    return f"{FENCE}\n{_unfenced(body)[:MOST_TEXT] or '(nothing)'}\n{FENCE}{more}"


def _line(row: Any) -> str:
    cells = row if isinstance(row, list) else [row]
    return " | ".join(clean(str(cell), MOST_CELL) for cell in cells[:MOST_COLUMNS])


def _unfenced(body: str) -> str:
    """Indent every line that could end the fence around the text, or look like a heading of the prompt."""
    lines = body.splitlines()
    return "\n".join(f"    {line}" if line.lstrip(" ").startswith((FENCE, "#", "```")) else line for line in lines)
