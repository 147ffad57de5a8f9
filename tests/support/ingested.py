"""The tables that `ingest` makes of a data set, to be compared byte for byte."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from metricloop.data.damage_presets import Corrupt
from metricloop.data.formats import read
from metricloop.data.ingest import ingest, write
from metricloop.data.urls import path_of


def tables_of(place: Path | str, out: Path, root: Path | None = None) -> dict[str, bytes]:
    """The tables of a data set as the bytes of their files, which are written into `out`.

    root: the folder that its files are named from, by default the data set itself.
    """
    top = path_of(place) if root is None else root
    tables = ingest(read(place, root=top), top, corrupt=Corrupt(), search_share=0.3, test_share=0.3)
    out.mkdir()
    with chdir(out):
        write(tables, out)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
