"""Run untrusted metrics in the sandbox, from outside: packed frames go in, checked numbers come out."""

from __future__ import annotations

import json
import keyword
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Protocol, TypeVar

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Frame
from metricloop.metrics.contract import MetricError, MetricResult, Spec
from metricloop.sandbox import walls
from metricloop.sandbox.child import WALLS_FAILED, Child
from metricloop.sandbox.errors import ChildEndedError
from metricloop.sandbox.payload import pack
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.inside_sandbox import BROKEN, CHUNK, FAILED, PLACE, READY, VALUES
from metricloop.scoring.metric_file import MetricFile
from metricloop.text.clean import clean

INSIDE = "metricloop.scoring.inside_sandbox"
# The entries of a Sandbox for metrics; a file of metrics may hold repairs, too.
ENTRIES = (INSIDE, "metricloop.metrics.repair_contract")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MOST_DECLARED = 32  # metrics or repairs in one file
MOST_SIDE = 65_536  # pixels
MOST_DEATHS = 3  # children that may end early per metric and batch before the metric is given up
FLAT = tuple(field.name for field in fields(Dataset) if field.name not in ("root", "class_names"))


class Declared(Protocol):
    """What a file declares: a metric or a repair."""

    @property
    def name(self) -> str: ...


Found = TypeVar("Found", bound=Declared)


def declared(sandbox: Sandbox, source: MetricFile) -> dict[str, Spec]:
    """The metrics that a file declares, by name. Errors: MetricError, as of `declarations`."""
    return declarations(sandbox, source, f"{INSIDE}:send_declarations", "metric", _spec, MetricError)


def declarations(
    sandbox: Sandbox,
    source: MetricFile,
    entry: str,
    noun: str,
    spec_of: Callable[[Any], Found],
    wrong: type[ValueError],
) -> dict[str, Found]:
    """What a file declares, by name. entry: the function that sends the declarations from inside, as `module:function`.

    noun: what is declared, for messages. spec_of: checks one declaration as it was sent. wrong: the class of errors.
    Errors: `wrong`, with the reason and the line of the file, when it cannot be loaded or a declaration is wrong.
    """
    with packed(source) as code:
        try:
            with sandbox.child("score", entry, arguments_of(sandbox, source), [code]) as child:
                packet = child.receive(sandbox.limits.start_seconds, "importing the code")
                end = "" if packet else child.end()
        except ChildEndedError as ended:
            packet, end = b"", ended.reason
    if not packet.startswith(READY):
        raise wrong(f"{source.filename}: {error_of(packet, end)}")
    try:
        specs = [spec_of(one) for one in json.loads(packet[1:])]
    except (ValueError, TypeError, RecursionError) as error:
        raise wrong(f"{source.filename}: its declaration of a {noun} is not valid: {clean(str(error))}") from None
    names = [spec.name for spec in specs]
    if len(names) > MOST_DECLARED:
        raise wrong(f"{source.filename}: declares {len(names)} {noun}s; a file may have at most {MOST_DECLARED}")
    if twice := {name for name in names if names.count(name) > 1}:
        raise wrong(f"{source.filename}: declares {', '.join(sorted(twice))} more than once")
    return dict(zip(names, specs, strict=True))


def run_file(
    sandbox: Sandbox, source: MetricFile, specs: Sequence[Spec], subjects: Sequence[Frame] | Dataset
) -> list[list[MetricResult]]:
    """Run metrics of one file; see `run_metrics`."""
    return run_metrics(sandbox, [(source, spec) for spec in specs], subjects)


def run_metrics(
    sandbox: Sandbox,
    metrics: Sequence[tuple[MetricFile, Spec]],
    subjects: Sequence[Frame] | Dataset,
    seconds: float = math.inf,
) -> list[list[MetricResult]]:
    """Run metrics: per metric, one result per frame, or one result for the whole pool.

    Every metric has its own process, so none can change the scores of another. When a limit ends it on a frame, the
    result of that frame says why, and the next frame gets a new process. After MOST_DEATHS ended processes, or after
    `seconds` in all, the remaining frames are given up.
    """
    results = []
    with packed(subjects) as payload:
        for source, spec in metrics:
            with packed(source) as code:
                results.append(_scored(sandbox, source, spec, subjects, code, payload, seconds))
    return results


def _scored(
    sandbox: Sandbox,
    source: MetricFile,
    spec: Spec,
    subjects: Sequence[Frame] | Dataset,
    code: int,
    payload: int,
    seconds: float,
) -> list[MetricResult]:
    sizes = _sizes(spec, subjects)
    results = [MetricResult(np.full(size, np.nan)) for size in sizes]
    rows = [row for row, size in enumerate(sizes) if size]  # `scoring.inside_sandbox` skips the same ones
    deaths, deadline = 0, time.monotonic() + seconds
    while rows:
        arguments = arguments_of(sandbox, source) | {"metric": spec.name, "first": rows[0]}
        size = os.fstat(payload).st_size + os.fstat(code).st_size
        try:
            with (
                own_memory(code) as own_code,
                own_memory(payload) as own_payload,
                sandbox.child(
                    "score",
                    f"{INSIDE}:send_scores",
                    arguments,
                    [own_code, own_payload],
                    size=size,
                ) as child,
            ):
                if (failure := started(child, sandbox)) is not None:
                    for row in rows:
                        results[row] = MetricResult(results[row].scores, failure)
                    break
                while rows:
                    results[rows[0]] = _answer(child, sandbox, spec, rows[0], sizes[rows[0]], deadline)
                    rows.pop(0)
        except ChildEndedError as ended:
            deaths += 1
            late = time.monotonic() >= deadline
            reason = f"it took more than {seconds:.3g} s in all" if late else ended.reason
            given_up = rows if late or deaths == MOST_DEATHS else rows[:1]
            for row in given_up:
                results[row] = MetricResult(np.full(sizes[row], np.nan), reason)
            rows = rows[len(given_up) :]
    return results


def started(child: Child, sandbox: Sandbox) -> str | None:
    """Wait until the code is imported; returns an error in words, or None."""
    try:
        packet = child.receive(sandbox.limits.start_seconds, "importing the code")
    except ChildEndedError as ended:
        return ended.reason
    return None if packet == READY else error_of(packet, "" if packet else child.end())


def _answer(child: Child, sandbox: Sandbox, spec: Spec, row: int, size: int, deadline: float) -> MetricResult:
    """The result for one frame.

    Errors: ChildEndedError when the child has ended, or sends anything but the scores of this frame, in order.
    """
    values, limits = np.empty(0), sandbox.limits
    seconds, what = (limits.frame_seconds, "one frame") if spec.scope == "frame" else (limits.batch_seconds, "the pool")
    while len(values) < size:
        packet = child.receive(min(seconds, deadline - time.monotonic()), what)
        if not packet:
            raise ChildEndedError(child.end() or "ended before it had answered")
        kind, place, rest = packet[:1], packet[1 : 1 + PLACE.size], packet[1 + PLACE.size :]
        if kind == BROKEN:
            raise ChildEndedError(clean(packet[1:]) or "failed without a message")
        if kind == FAILED and place == PLACE.pack(row, 0):
            return MetricResult(np.full(size, np.nan), clean(rest) or "failed without a message")
        due = min(CHUNK, size - len(values))
        if kind != VALUES or place != PLACE.pack(row, len(values)) or len(rest) != 8 * due:
            raise ChildEndedError("answered out of turn: it may send one array of numbers per frame, in order")
        values = np.concatenate([values, np.frombuffer(rest, np.float64)])
    if np.isinf(values).any():
        return MetricResult(np.full(size, np.nan), f"{spec.name} returned infinity (nan is 'cannot say')")
    return MetricResult(values)


def _sizes(spec: Spec, subjects: Sequence[Frame] | Dataset) -> list[int]:
    if isinstance(subjects, Dataset):
        return [len(subjects.boxes) if spec.level == "object" else len(subjects)]
    return [len(frame.boxes) if spec.level == "object" else 1 for frame in subjects]


def arguments_of(sandbox: Sandbox, source: MetricFile) -> dict[str, Any]:
    return {"filename": source.filename, "memory_mb": sandbox.limits.memory_mb}


def error_of(packet: bytes, end: str) -> str:
    message = clean(packet[1:]) or "failed without a message"
    return message if packet.startswith((BROKEN, WALLS_FAILED)) else end or "ended before it had answered"


def _spec(entry: Any) -> Spec:
    if not isinstance(entry, dict) or set(entry) != {field.name for field in fields(Spec)}:
        raise ValueError(f"got {entry!r}")
    needs, side = distinct(entry.pop("needs")), entry.pop("side")
    if side is not None and (type(side) is not int or side > MOST_SIDE):
        raise ValueError(f"got side={side!r}")
    if not all(isinstance(value, str) for value in entry.values()):
        raise ValueError(f"got {entry!r}")
    if not NAME.fullmatch(entry["name"]) or keyword.iskeyword(entry["name"]):  # the name is used for files and columns
        raise ValueError(f"a metric's name is a letter and up to 63 of a-z, 0-9, _; got {entry['name']!r}")
    return Spec(**entry, needs=needs, side=side)


def distinct(needs: Any) -> tuple[str, ...]:
    """The inputs that a declaration names. Errors: ValueError when it names one twice; TypeError when it is no list."""
    names = tuple(map(str, needs))
    if len(set(names)) < len(names):
        raise ValueError(f"needs names an input twice: {clean(', '.join(names))}")
    return names


@contextmanager
def own_memory(descriptor: int) -> Iterator[int]:
    """Open the same memory again for reading: through a shared offset one child could pass data to the next."""
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield own
    finally:
        os.close(own)


@contextmanager
def packed(what: MetricFile | Sequence[Frame] | Dataset) -> Iterator[int]:
    """A sealed memory file with the inputs; closed at the end."""
    sealed = "seals" in walls.WALLS
    if isinstance(what, MetricFile):
        descriptor = pack(None, {"code": np.frombuffer(what.code.encode(), np.uint8)}, sealed)
    elif isinstance(what, Dataset):
        flat = {name: getattr(what, name) for name in FLAT}
        # Metrics do not see the names of pictures, only which ones are equal or of one group.
        flat |= {name: _codes(flat[name]) for name in ("file", "sha256", "group")} | {"split": what.split.astype(str)}
        descriptor = pack({"scope": "dataset", "class_names": what.class_names}, flat, sealed)
    else:
        parts = [_parts(frame) for frame in what]
        meta = {
            "scope": "frame",
            "class_names": what[0].class_names if what else (),
            "frames": [
                {"image_id": f.image_id, "width": f.width, "height": f.height, "arrays": list(p)}
                for f, p in zip(what, parts, strict=True)
            ],
        }
        arrays = {f"{row}.{name}": array for row, part in enumerate(parts) for name, array in part.items()}
        descriptor = pack(meta, arrays, sealed)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _codes(names: np.ndarray) -> np.ndarray:
    """Equal names as equal numbers, as text."""
    return np.unique(names.astype(str), return_inverse=True)[1].astype(str)


def _parts(frame: Frame) -> dict[str, np.ndarray]:
    """The arrays of a frame by name, without missing ones."""
    found = frame.predictions
    arrays = {"boxes": frame.boxes, "labels": frame.labels, "image": frame.image, "embedding": frame.embedding}
    if found is not None:
        arrays |= {"predicted_boxes": found.boxes, "predicted_scores": found.scores, "predicted_labels": found.labels}
    return {name: array for name, array in arrays.items() if array is not None}
