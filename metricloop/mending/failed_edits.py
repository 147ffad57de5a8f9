"""Which repairs of a workspace failed on the pool as a whole."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.tables import FAILED, stamp_of


def failed_edits(folder: Path) -> dict[str, str]:
    """File of edits -> what went wrong, for every repair that a language model wrote and that failed."""
    files = sorted(folder.glob(layout.edits_file("*")))
    return {file.relative_to(folder).as_posix(): said for file in files if (said := stamp_of(file).get(FAILED))}
