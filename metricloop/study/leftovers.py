"""Remove the temporary files that killed processes have left in a workspace."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from metricloop import layout

TEMPORARY = re.compile(r"\.(.+\.(?:parquet|json|jsonl|yaml|csv|html|pt|jpg|py))\.[a-z0-9_]{8}")  # as data.tables writes
STAGES_WRITE = (
    layout.DATA, layout.SCORES, layout.EDITS, layout.SUBSETS, layout.MODELS, layout.RESULTS, layout.SCREENING,
    layout.NUMBERS, layout.PLOTS,
)  # fmt: skip
ROOT = (layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.HEADLINE)
OLD = 600.0  # seconds: what other commands write beside a run is not touched while they write it


def clear_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of stages, and old ones of commands; returns them. Called while no stage runs."""
    places = ["", *(f"{top}/{below}" for top in STAGES_WRITE for below in ("", "*/", "*/*/"))]
    removed = []
    for path in [path for place in places for path in folder.glob(f"{place}.*.*")]:
        match = TEMPORARY.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        if path.parent == folder and match[1] not in ROOT and time.time() - os.stat(path).st_mtime < OLD:
            continue
        path.unlink(missing_ok=True)
        removed.append(path)
    return removed
