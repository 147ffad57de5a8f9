"""Read the two input files of an arm, a and b, as its policy needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.edits import EDITS
from metricloop.data.embeddings import ImageEmbeddings, read_embeddings
from metricloop.data.tables import SCORES, SUBSET, TRUTH, read_table
from metricloop.selection.keep_values import ScoreTables
from metricloop.selection.options import PolicyError
from metricloop.selection.policies import POLICIES, needs_embeddings


@dataclass(frozen=True)
class ArmInputs:
    """The data of the two files as select() takes them, and the paths that were read."""

    a: ScoreTables | None
    b: pa.Table | None
    embeddings: ImageEmbeddings | None
    edits: pa.Table | None
    files: tuple[Path, ...]


def read_arm_inputs(name: str, options: Any, files: Sequence[str], pool: Dataset) -> ArmInputs:
    """Read from the files a and b of an arm what the policy `name` needs, and nothing else.

    a: scores, with `objectives` a folder of scores (or scores/, the folder of all of them), or the truth. b: the second
    scores, another arm's subset, the embeddings, the scores of relabel, or with `mend` the edits; with `objectives` a
    second folder of scores, unless it is one of these.
    Errors: TableError for a missing table or one of another kind; PolicyError for a metric that no folder holds.
    """
    first, second = map(Path, files)
    reads, embeddings, a, b = POLICIES[name].reads, None, None, None
    used: list[Path] = []
    mend, edits = getattr(options, "mend", None), None
    if strengths := getattr(options, "strengths", None):
        other = needs_embeddings(name, options) or mend
        folders = [first] if other or second == first else [first, second]
        found = {metric: _scores_of(metric, folders) for metric in strengths}
        a = {metric: read_table(file, SCORES) for metric, file in found.items()}
        used += found.values()
    elif reads not in ("images", "subset"):
        a = read_table(first, TRUTH if reads == "truth" else SCORES)
        used.append(first)
    if reads == "subset" or getattr(options, "combine", None) or name == "relabel":
        b = read_table(second, SUBSET if reads == "subset" else SCORES)
        used.append(second)
    if needs_embeddings(name, options):
        embeddings = read_embeddings(second, replace(pool, box_id=pool.box_id[:0])).pool  # of pictures, not of boxes
        used.append(second)
    if mend:
        if second.stem != mend.repair:
            raise PolicyError(
                f"mend names the repair {mend.repair}, so input b is {layout.edits_file(mend.repair)}, not {second}"
            )
        edits = read_table(second, EDITS)
        used.append(second)
    return ArmInputs(a, b, embeddings, edits, tuple(dict.fromkeys(used)))


def _scores_of(metric: str, folders: Sequence[Path]) -> Path:
    """The file with a metric's scores in the first folder that holds one; of scores/, in the folders inside it."""
    held = {folder: {file.stem: file for file in _files_of(folder)} for folder in folders}
    for files in held.values():
        if metric in files:
            return files[metric]
    listing = "; ".join(f"{folder} holds {', '.join(files) or 'no scores'}" for folder, files in held.items())
    raise PolicyError(f"objectives: no scores of {metric}: {listing}. Inputs a and b are folders such as scores/labels")


def _files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.parquet" if folder == Path(layout.SCORES) else "*.parquet"))
