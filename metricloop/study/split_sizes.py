"""How many images each split of a study has."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.tables import read_json


def split_sizes(folder: Path) -> dict[str, int]:
    """Split -> images, from the summary of `ingest`; {} before that has run."""
    summary = folder / layout.SUMMARY
    found = read_json(summary).get("splits", {}) if summary.is_file() else {}
    return {name: int(split["images"]) for name, split in found.items()}
