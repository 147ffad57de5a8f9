"""The contract of a repair: a function of one frame that returns edits of its labels, each with a confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from metricloop.data.edit_rows import ADD, COLUMNS, KINDS, MOVE, RELABEL
from metricloop.data.frame import Frame
from metricloop.metrics.contract import NEEDS

Kind = Literal["drop", "move", "relabel", "add"]
Repair = Callable[..., Any]
MOST_ADDED = 100  # boxes that a repair may add to one image: as many as a detector finds at most
EDGE = 0.01  # px; a corner that lies so far outside the image by rounding is put on its edge
SMALLEST = 1.0  # px; no moved or added box is thinner


class RepairError(ValueError):
    """A repair is declared wrongly, or returns something that its contract does not allow."""


@dataclass(frozen=True)
class Edit:
    """One edit of the labels of a frame. Make it with `drop`, `move`, `relabel` or `add`.

    box: row of frame.boxes, -1 for an added one. confidence: 0 to 1, how sure it is that the labels are better with
    this edit; a study applies the edits from `least_confidence` on. xyxy: pixels, inside the image, sides of at least
    one pixel. label: index into frame.class_names.

    >>> Edit.drop(2, confidence=0.9).kind
    'drop'
    """

    kind: Kind
    confidence: float
    box: int = -1
    xyxy: Sequence[float] | None = None
    label: int = -1

    @classmethod
    def drop(cls, box: int, confidence: float) -> Edit:
        """Remove the label of row `box`. No other edit of this box is allowed beside it."""
        return cls("drop", confidence, box)

    @classmethod
    def move(cls, box: int, xyxy: Sequence[float], confidence: float) -> Edit:
        """Give the label of row `box` other coordinates, (4,) xyxy pixels; its class stays."""
        return cls("move", confidence, box, xyxy)

    @classmethod
    def relabel(cls, box: int, label: int, confidence: float) -> Edit:
        """Give the label of row `box` another class; its coordinates stay."""
        return cls("relabel", confidence, box, label=label)

    @classmethod
    def add(cls, xyxy: Sequence[float], label: int, confidence: float) -> Edit:
        """Add a label, (4,) xyxy pixels."""
        return cls("add", confidence, -1, xyxy, label)


@dataclass(frozen=True)
class RepairSpec:
    """The declaration of a repair. needs: the optional fields of a Frame that it reads."""

    name: str
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not set(self.needs) <= set(NEEDS):
            raise RepairError(f"{self.name}: needs={self.needs!r}; it must be a tuple out of {NEEDS}")


@dataclass(frozen=True)
class RepairResult:
    """The edits of one frame: rows (k, 8) float64, see data.edit_rows; none when `error` says why it failed."""

    rows: np.ndarray
    error: str | None = None


def repair(*, needs: Sequence[str] = ()) -> Callable[[Repair], Repair]:
    """Declare a function as a repair: it gets a Frame and returns a list of Edits, [] where nothing is to mend.

    needs: the optional fields of the frame that it reads: "image", "predictions" (out of fold), "views", "embedding",
    "file_size". The arrays of the frame are read-only. At most one drop, one move and one relabel of a box; at most
    two edits per label and MOST_ADDED added boxes.
    """

    def attach(function: Repair) -> Repair:
        function.repair = RepairSpec(function.__name__, tuple(needs))  # type: ignore[attr-defined]
        return function

    return attach


def is_repair(thing: object) -> bool:
    return isinstance(getattr(thing, "repair", None), RepairSpec)


def repair_spec_of(function: Repair) -> RepairSpec:
    """The declaration of a repair; RepairError when there is none."""
    spec = getattr(function, "repair", None)
    if isinstance(spec, RepairSpec):
        return spec
    raise RepairError(f"{getattr(function, '__name__', function)!r} is not a repair; decorate it with @repair(...)")


def call_repair(function: Repair, frame: Frame) -> np.ndarray:
    """Call a repair and check what it returns: rows of edits, (k, 8) float64, sorted.

    Errors: whatever the repair raises; RepairError that names the first edit that breaks the contract.
    """
    spec = repair_spec_of(function)
    if missing := [need for need in spec.needs if getattr(frame, need) is None]:
        raise RepairError(f"{spec.name} needs {', '.join(missing)}, which the frame does not have")
    received = function(frame)
    if not isinstance(received, (list, tuple)):
        raise RepairError(f"{spec.name} must return a list of Edits; got {type(received).__name__}")
    if len(received) > most_edits(frame):
        raise RepairError(f"{spec.name} returned {_too_many(len(received), frame)}")
    rows = np.full((len(received), len(COLUMNS)), np.nan)
    for place, edit in enumerate(received):
        rows[place] = _row(spec.name, place, edit)
    return check_rows(spec.name, rows, frame)


def most_edits(frame: Frame) -> int:
    """The most edits of one frame: a move and a relabel of every label, and MOST_ADDED boxes."""
    return 2 * len(frame.boxes) + MOST_ADDED


def check_rows(name: str, rows: np.ndarray, frame: Frame) -> np.ndarray:
    """Rows of edits, checked against the frame and sorted: edits of boxes by box, then added boxes by place.

    rows: (k, 8) float64, the columns of data.edit_rows.COLUMNS; nan or -1 for what a kind does not have.
    Errors: RepairError that names the first edit that breaks the contract.
    """
    if len(rows) > most_edits(frame):
        raise RepairError(f"{name} returned {_too_many(len(rows), frame)}")
    kind, box, label, confidence = rows[:, 0], rows[:, 1], rows[:, 6], rows[:, 7]
    places, old = np.isin(kind, (MOVE, ADD)), kind != ADD
    classed, size = np.isin(kind, (RELABEL, ADD)), np.array([frame.width, frame.height] * 2, float)
    corners = rows[:, 2:6]
    with np.errstate(invalid="ignore"):
        inside = ((corners >= -EDGE) & (corners <= size + EDGE)).all(axis=1)
        thick = (corners[:, 2:] - corners[:, :2] >= SMALLEST).all(axis=1)
        faults = (
            (~np.isin(kind, range(len(KINDS))), f"its kind must be one of {', '.join(KINDS)}"),
            (~((confidence >= 0) & (confidence <= 1)), "its confidence must be between 0 and 1"),
            (old & ~_whole(box, len(frame.boxes)), f"its box must be a row of the {len(frame.boxes)} boxes"),
            (classed & ~_whole(label, len(frame.class_names)), f"its label must be one of {len(frame.class_names)}"),
            (places & ~np.isfinite(corners).all(axis=1), "its xyxy must be four finite numbers"),
            (places & ~inside, f"its box must lie inside the image, {frame.width} x {frame.height}"),
            (places & ~thick, f"its box must be at least {SMALLEST:g} pixel wide and high, x1 < x2 and y1 < y2"),
        )
    for wrong, why in faults:
        if wrong.any():
            raise RepairError(f"{name}: {_told(rows[int(wrong.argmax())])}: {why}")
    made = rows.copy()
    made[~old, 1], made[~places, 2:6], made[~classed, 6] = -1, np.nan, -1
    made[places, 2:6] = np.clip(corners[places], 0, size)
    made = made[np.lexsort((*np.nan_to_num(made[:, 2:7]).T[::-1], made[:, 0], np.where(old, made[:, 1], np.inf)))]
    _check_twice(name, made)
    return made


def _check_twice(name: str, rows: np.ndarray) -> None:
    """Refuse two edits of one kind for one box, any edit beside a drop, and the same box added twice; rows sorted."""
    if len(rows) < 2:
        return
    one, two = rows[:-1], rows[1:]
    same_box = (one[:, 1] == two[:, 1]) & (one[:, 1] >= 0)
    clash = same_box & ((one[:, 0] == two[:, 0]) | (one[:, 0] == 0))
    clash |= (one[:, 0] == ADD) & (two[:, 0] == ADD) & (one[:, 2:7] == two[:, 2:7]).all(axis=1)
    if clash.any():
        at = int(clash.argmax())
        raise RepairError(f"{name}: {_told(one[at])} and {_told(two[at])} cannot both be: one edit of a kind per box")


def _row(name: str, place: int, edit: object) -> list[float]:
    """An Edit as numbers. Errors: RepairError for anything else."""
    if not isinstance(edit, Edit):
        raise RepairError(
            f"{name}: edit {place} is a {type(edit).__name__}; make it with Edit.drop, move, relabel, add"
        )
    if edit.kind not in KINDS:
        raise RepairError(f"{name}: edit {place} has the kind {str(edit.kind)[:40]!r}; it must be one of {KINDS}")
    try:
        corners = [np.nan] * 4 if edit.xyxy is None else [float(value) for value in edit.xyxy]
        if len(corners) != 4:
            raise ValueError("xyxy must be four numbers")
        return [KINDS.index(edit.kind), float(edit.box), *corners, float(edit.label), float(edit.confidence)]
    except (TypeError, ValueError) as error:
        raise RepairError(f"{name}: edit {place} ({edit.kind}): {error}") from None


def _whole(values: np.ndarray, count: int) -> np.ndarray:
    return (values >= 0) & (values < count) & (values == np.floor(values))


def _told(row: np.ndarray) -> str:
    """One edit in words, for messages."""
    kind = KINDS[int(row[0])] if row[0] in range(len(KINDS)) else "edit"
    whom = "" if kind == "add" else f" of box {row[1]:g}"
    what = f" {np.round(row[2:6], 2).tolist()}" if kind in ("add", "move") else ""
    return f"{kind}{whom}{what} with confidence {row[7]:g}"


def _too_many(count: int, frame: Frame) -> str:
    return (
        f"{count} edits for an image with {len(frame.boxes)} boxes; at most {most_edits(frame)} are allowed "
        f"(two per box, and {MOST_ADDED} added ones)"
    )
