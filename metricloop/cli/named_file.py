"""A file of metrics or repairs as a person names it."""

from __future__ import annotations

from pathlib import Path


def own_file(named: str | Path, workspace: Path, *, kind: str = "metric") -> Path:
    """Find the file that a person named: relative to the current folder, or else to the workspace.

    kind: metric or repair, for the message. Errors: FileNotFoundError.
    """
    tried = [Path(named).resolve(), (workspace / named).resolve()]
    found = next((file for file in tried if file.is_file()), None)
    if found is not None:
        return found
    how = "to write a metric of your own: metricloop new-metric NAME" if kind == "metric" else "see docs/repair.md"
    raise FileNotFoundError(f"{tried[0]} does not exist; {how}")
