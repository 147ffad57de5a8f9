"""The manifest of an arm's subset: the labels of each draw, from which a trial trains.

A large draw is a row group of its file, so that one of many is read without the others: of a million images sixty draws
would not fit into the memory of most machines. Small draws share a group, as each group takes two kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from metricloop.data.dataset import Dataset
from metricloop.data.tables import SUBSET, TableError, column, open_table, replacing

GROUP = 100_000  # rows from which on a row group is closed; it holds whole draws


def write_draws(path: Path | str, draws: Iterable[pa.Table], stamp: Mapping[str, str] | None = None) -> None:
    """Write a manifest draw by draw. draws: the rows of SUBSET of one draw each, the lowest number first.

    stamp: as in `write_table`.
    """
    schema = SUBSET.with_metadata(dict(stamp)) if stamp else SUBSET
    with (
        replacing(Path(path)) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for group in _groups(draws):
            writer.write_table(group.cast(schema).combine_chunks(), row_group_size=len(group))


def _groups(draws: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for draw in draws:
        held.append(draw.select(SUBSET.names).cast(SUBSET))
        if sum(map(len, held)) >= GROUP:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def each_draw(path: Path | str) -> Iterator[tuple[int, pa.Table]]:
    """Every draw of a manifest as (its number, its rows of SUBSET), the lowest number first. Errors: TableError."""
    for number in stored_draws(path):
        yield number, _only(path, number)


def stored_draws(path: Path | str) -> list[int]:
    """The numbers of the draws in a manifest, ascending. Errors: TableError."""
    with open_table(path, SUBSET) as file:
        found: set[int] = set()
        for group in range(file.num_row_groups):
            ends = _ends(file, group)
            if ends is not None and ends[0] == ends[1]:
                found.add(ends[0])
            else:
                draws = file.read_row_group(group, columns=["draw"])["draw"]
                found |= set(draws.unique().to_pylist())
    return sorted(found)


def read_draw(path: Path | str, seed: int) -> pa.Table:
    """The draw of a seed, as rows of SUBSET. If the manifest has draw 0 only, it holds for every seed.

    path: subsets/ARM.parquet. Errors: TableError.
    """
    return _only(path, _number(stored_draws(path), seed, str(path)))


def read_first(path: Path | str) -> pa.Table:
    """The draw with the lowest number, as rows of SUBSET; an empty table where there is none. Errors: TableError."""
    stored = stored_draws(path)
    return _only(path, stored[0]) if stored else SUBSET.empty_table()


def _only(path: Path | str, number: int) -> pa.Table:
    with open_table(path, SUBSET) as file:
        groups = [g for g in range(file.num_row_groups) if (e := _ends(file, g)) is None or e[0] <= number <= e[1]]
        table = file.read_row_groups(groups, columns=SUBSET.names).select(SUBSET.names).cast(SUBSET)
    return table.filter(pa.array(column(table, "draw") == number))


def _ends(file: pq.ParquetFile, group: int) -> tuple[int, int] | None:
    """The lowest and highest number of the draws in a row group; None where the file does not say."""
    place = file.schema_arrow.get_field_index("draw")
    found = file.metadata.row_group(group).column(place).statistics
    return (found.min, found.max) if found is not None and found.has_min_max else None


def draw_of(subset: pa.Table, seed: int, where: str) -> pa.Table:
    """The rows of the draw for `seed`, or of the only draw if all draws of the arm are equal.

    Errors: TableError with `where` when the subset holds other draws but not this one.
    """
    draws = column(subset, "draw")
    return subset.filter(pa.array(draws == _number(np.unique(draws).tolist(), seed, where)))


def _number(stored: list[int], seed: int, where: str) -> int:
    """The number of the draw for `seed`: 0 where only that is stored, because all draws of the arm are equal."""
    if seed in stored or stored == [0]:
        return seed if seed in stored else 0
    raise TableError(
        f"{where} holds no draw for seed {seed}, only {', '.join(map(str, stored)) or 'none'}; select it again"
    )


def manifest(data: Dataset, rows: np.ndarray, use: np.ndarray | None = None) -> pa.Table:
    """The labels of some images as rows of SUBSET, without the column draw. use: per box keep | mask | drop."""
    chosen = np.zeros(len(data), bool)
    chosen[rows] = True
    taken = chosen[data.box_row]
    kept = np.flatnonzero(taken if use is None else taken & (use != "drop"))
    chosen[data.box_row[kept]] = False
    bare = np.flatnonzero(chosen)  # images without boxes: one row each, box columns null
    order = np.argsort(np.concatenate([data.box_row[kept], bare]), kind="stable")

    def nullable(values: np.ndarray, name: str, null: np.ndarray | None = None) -> pa.Array:
        padded = np.concatenate([values, np.zeros(len(bare), values.dtype)])[order]
        mask = np.concatenate([np.zeros(len(kept), bool) if null is None else null, np.ones(len(bare), bool)])[order]
        return pa.array(padded, mask=mask).cast(SUBSET.field(name).type)

    box_id, boxes = data.box_id[kept], data.boxes[kept]
    columns = {
        "image_id": pa.array(data.image_id[np.concatenate([data.box_row[kept], bare])[order]]),
        "box_id": nullable(box_id, "box_id", box_id < 0),
        **{name: nullable(boxes[:, axis], name) for axis, name in enumerate(("x1", "y1", "x2", "y2"))},
        "label": nullable(data.labels[kept], "label"),
        "use": _words(np.full(len(kept), "keep") if use is None else use[kept], len(bare), order),
    }
    return pa.table(columns)


def _words(use: np.ndarray, bare: int, order: np.ndarray) -> pa.Array:
    """The column `use`, with "none" for the images without boxes; by way of numbers, which is faster."""
    words, number = np.unique(use, return_inverse=True)
    number = np.concatenate([number, np.full(bare, len(words))])[order]
    return pa.array([*words.tolist(), "none"]).take(pa.array(number))
