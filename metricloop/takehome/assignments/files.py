"""Write the files of an assignment, the same bytes on every system."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
