"""What an arm's two files are to its policy, and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Looks, read_embeddings
from metricloop.data.tables import SCORES, SUBSET, TRUTH, read_table
from metricloop.selection.keep_values import Tables
from metricloop.selection.options import PolicyError
from metricloop.selection.policies import POLICIES, needs_looks


@dataclass(frozen=True)
class Inputs:
    """The arguments of select(), and the files they were read from."""

    a: Tables | None
    b: pa.Table | None
    looks: Looks | None
    files: tuple[Path, ...]


def read_inputs(name: str, options: Any, files: Sequence[str], pool: Dataset) -> Inputs:
    """Read what the policy `name` asks for out of the arm's files a and b, and nothing else.

    a: scores, or with `objectives` a folder of them; the truth. b: the second scores, another arm's subset, or the
    embeddings; with `objectives` a second folder, where it serves as nothing else.
    Errors: TableError for a missing or other table; PolicyError for a metric that neither folder holds.
    """
    first, second = map(Path, files)
    reads, looks, a, b = POLICIES[name].reads, None, None, None
    used: list[Path] = []
    if strengths := getattr(options, "strengths", None):
        folders = [first] if needs_looks(name, options) or second == first else [first, second]
        found = {metric: _scores_of(metric, folders) for metric in strengths}
        a = {metric: read_table(file, SCORES) for metric, file in found.items()}
        used += found.values()
    elif reads not in ("images", "subset"):
        a = read_table(first, TRUTH if reads == "truth" else SCORES)
        used.append(first)
    if reads == "subset" or getattr(options, "combine", None):
        b = read_table(second, SUBSET if reads == "subset" else SCORES)
        used.append(second)
    if needs_looks(name, options):
        looks = read_embeddings(second, replace(pool, box_id=pool.box_id[:0])).pool  # of pictures, not of boxes
        used.append(second)
    return Inputs(a, b, looks, tuple(dict.fromkeys(used)))


def _scores_of(metric: str, folders: Sequence[Path]) -> Path:
    """The file of a metric's scores in the first folder that has it."""
    held = {str(folder): sorted(file.stem for file in folder.glob("*.parquet")) for folder in folders}
    for folder in folders:
        if metric in held[str(folder)]:
            return folder / f"{metric}.parquet"
    said = "; ".join(f"{folder} holds {', '.join(names) or 'no scores'}" for folder, names in held.items())
    raise PolicyError(f"objectives: no scores of {metric}: {said}. Inputs a and b are folders such as scores/labels")
