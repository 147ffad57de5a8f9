"""Remove the temporary files that killed processes have left in a workspace."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from metricloop import layout

# As data.tables writes them.
TEMPORARY = re.compile(r"\.(.+\.(?:parquet|json|jsonl|yaml|csv|html|pt|jpg|py)|shown|environment)\.[a-z0-9_]{8}")
STAGES_WRITE = (
    layout.DATA, layout.SCORES, layout.EDITS, layout.SUBSETS, layout.MODELS, layout.RESULTS, layout.SCREENING,
    layout.NUMBERS, layout.PLOTS, layout.RATES, layout.KNOWN_SCORES,
)  # fmt: skip
# Written only by what the run starts, in folders where other commands write as well.
BY_RUN = (layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.HEADLINE, layout.RUN, layout.SHOWN)
SHARED = (".", layout.SCRATCH, layout.CACHE, layout.CODE_FILES)
AT_ONCE = (layout.REPORT,)  # by any command; its text is made before it is written
OF_ROUNDS = (layout.PICTURES, layout.GENERATED)  # of `metricloop suggest`, which may work beside a run
OF_DVC = ".dvc/cache/files/md5/*/.*.tmp"  # DVC itself never removes them
OLD = 600.0  # seconds: what other commands write beside a run is not touched while they write it
SMALL = 3.0  # the same, of files that are written at once


def clear_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of stages, and old ones of commands; returns them. Called while no stage runs."""
    places = [*SHARED, *(f"{top}{inner}" for top in (*STAGES_WRITE, *OF_ROUNDS) for inner in ("", "/*", "/*/*"))]
    removed = []
    for place in places:
        for path in folder.glob(f"{place}/.*.*"):
            match = TEMPORARY.fullmatch(path.name)
            if match is None or not path.is_file():
                continue
            written = str(path.with_name(match[1]).relative_to(folder))
            if written in AT_ONCE or place.startswith(OF_ROUNDS):
                patience = SMALL
            else:
                patience = OLD if place in SHARED and written not in BY_RUN else 0.0
            if patience and time.time() - os.stat(path).st_mtime < patience:
                continue
            path.unlink(missing_ok=True)
            removed.append(path)
    for path in folder.glob(OF_DVC):  # a person's own DVC command may be writing one
        if path.is_file() and time.time() - os.stat(path).st_mtime >= OLD:
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed
