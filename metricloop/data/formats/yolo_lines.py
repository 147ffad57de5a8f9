"""The lines of a YOLO label file: what each is, and why one is not a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from metricloop.data.formats.values import id_of, name_of

NOT_A_LABEL = "line is not a label"
NO_SHARES = "numbers are not shares of the picture"
MOST_FAULTS = 1000  # lines of one file that are listed one by one
FURTHEST = 2.0  # a share beyond this is a number of pixels


@dataclass(frozen=True)
class Legend:
    """What the lines of a data set mean. labels: class number as text -> index; names: as stated; joints: columns of
    keypoints behind each box, None if it has none.
    """

    labels: Mapping[str, int]
    names: frozenset[str]
    joints: int | None = None


class Fault(NamedTuple):
    """Why a line is dropped: a kind of problem, and the details without the line itself."""

    kind: str
    why: str


def read_lines(text: str, legend: Legend) -> tuple[list[tuple[list[float], int, bool]], list[Fault], int]:
    """Rows of (xyxy as shares, label, False); the faults; and how many lines repeat an earlier one."""
    rows: list[tuple[list[float], int, bool]] = []
    faults: list[Fault] = []
    seen, repeated, more = set(), 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = read_line(line, legend)
        if isinstance(found, Fault):
            more += len(faults) >= MOST_FAULTS
            if len(faults) < MOST_FAULTS:
                faults.append(Fault(found.kind, f"dropped (line {number}: {found.why})"))
        elif (key := (tuple(found[0]), found[1])) in seen:
            repeated += 1
        else:
            seen.add(key)
            rows.append((*found, False))
    if more:
        faults.append(Fault(NOT_A_LABEL, f"{more} more lines dropped"))
    return rows, faults, repeated


def read_line(line: str, legend: Legend) -> tuple[list[float], int] | Fault:
    """xyxy as shares and the class of one line, or why it is none.

    >>> legend = Legend({"0": 0}, frozenset({"cat"}))
    >>> read_line("0 0.5 0.5 0.2 0.4", legend)
    ([0.4, 0.3, 0.6, 0.7], 0)
    >>> read_line("cat 0.5 0.5 0.2 0.4", legend).why
    "it begins with the class's name (cat) instead of its number"
    """
    words = line.split()
    try:
        kind, *values = [float(word) for word in words]
    except (ValueError, OverflowError):
        return Fault(NOT_A_LABEL, _why_no_numbers(line, words, legend))
    if kind != kind:
        return Fault(NOT_A_LABEL, "its class is not a number")
    points = _box_values(values, legend)
    if isinstance(points, str):
        return Fault(NOT_A_LABEL, points)
    key = id_of(kind) or ""
    if key not in legend.labels:
        return Fault("unknown class", f"class {key or words[0][:20]}, which has no name")
    if any(abs(value) > FURTHEST for value in points if abs(value) != float("inf")):
        return Fault(NO_SHARES, "they look like pixels; divide by the picture's width and height")
    return _corners(points), legend.labels[key]


def _why_no_numbers(line: str, words: list[str], legend: Legend) -> str:
    if line.count(",") >= 4 or line.count(";") >= 4:
        mark = "comma" if line.count(",") >= 4 else "semicolon"
        return f"its columns are parted by {mark}s; they must be parted by blanks"
    for length in range(1, min(6, len(words))):
        name = name_of(" ".join(words[:length]))
        if name in legend.names:
            return f"it begins with the class's name ({name}) instead of its number"
    return "it holds words where numbers belong"


def _box_values(values: list[float], legend: Legend) -> list[float] | str:
    """The numbers that make the box: centre and size, or the points of a polygon; or why there are none."""
    count = len(values)
    if count == 4:
        return values
    if legend.joints is not None:
        return values[:4] if count == 4 + legend.joints else f"{count + 1} columns do not fit kpt_shape"
    if count == 5:
        return "six columns where five belong; the sixth may be a model's confidence, so these are no labels"
    if count >= 10 and (count - 4) % 3 == 0 and all(value in (0, 1, 2) for value in values[6::3]):
        return f"{count + 1} columns, which may be keypoints; say kpt_shape in the YAML file"
    if count < 6 or count % 2:
        return f"{count + 1} columns are neither a box nor a polygon"
    return values


def _corners(values: list[float]) -> list[float]:
    """xyxy of centre and size, or of a polygon's points."""
    if len(values) == 4:
        x, y, w, h = values
        return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    return [min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])]
