"""Collect the edits that a repair proposes for every image of a pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.edits import edit_columns
from metricloop.mending.open_repair import Opened
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.scoring.score_in_parts import CHUNK, CHUNK_PIXELS


class MendError(RuntimeError):
    """A pool cannot be mended, or the repair failed on too many images."""


def mend_pool(
    inputs: MetricInputs,
    repair: Opened,
    *,
    max_failures: float = 0.2,
    progress: Callable[[int, int], None] = lambda done, images: None,
) -> dict[str, Any]:
    """The edits of a pool as columns of data.edits.EDITS, images in the order of the pool.

    An image on which the repair fails keeps its labels, and its row says why.
    Errors: MendError when the repair needs an input that is None, or fails on more than the share `max_failures` of the
    images; it names the first few.
    """
    pool, name = inputs.pool, repair.spec.name
    check_inputs(inputs, repair)
    rows: dict[int, np.ndarray] = {}
    errors: dict[int, str] = {}
    pixels, sized = "image" in repair.spec.needs, "file_size" in repair.spec.needs
    for part in parts_of(inputs, pixels):
        read = [read_frame(unread_frame(inputs, row), pixels, None, sized) for row in part]
        results = repair.run([frame for frame, unreadable in read if not unreadable])
        answers = iter(results)
        for row, (_, unreadable) in zip(part, read, strict=True):
            if error := unreadable or (answer := next(answers)).error:
                errors[row] = error
            else:
                rows[row] = answer.rows
        progress(part[-1] + 1, len(pool))
        if len(errors) > max_failures * len(pool):
            first = "\n".join(f"  {pool.file[row]}: {error}" for row, error in list(errors.items())[:3])
            raise MendError(
                f"{name} failed on {len(errors)} of the first {part[-1] + 1} images; score.max_failures allows a share "
                f"of {max_failures} of {len(pool)}. The first:\n{first}"
            )
    return edit_columns(pool, rows, errors)


def check_inputs(inputs: MetricInputs, repair: Opened) -> None:
    """Errors: MendError when the repair needs what the study, or its entry in arms.yaml, does not give."""
    have = {"predictions": inputs.predictions, "views": inputs.views, "embedding": inputs.embeddings}
    files = {"predictions": layout.PREDICTIONS, "views": layout.VIEWS, "embedding": layout.EMBEDDINGS}
    for need in repair.spec.needs:
        if need in have and (have[need] is None or (need == "views" and not have[need])):
            raise MendError(f"{repair.spec.name} needs {need}; give it `needs: {files[need]}` in arms.yaml")


def parts_of(inputs: MetricInputs, pixels: bool) -> list[list[int]]:
    """The image rows in parts of bounded size, which limits the memory."""
    pool = inputs.pool
    size = pool.width.astype(int) * pool.height if pixels else np.zeros(len(pool), int)
    parts: list[list[int]] = []
    held = 0
    for row in range(len(pool)):
        if not parts or len(parts[-1]) == CHUNK or held + size[row] > CHUNK_PIXELS:
            parts.append([])
            held = 0
        parts[-1].append(row)
        held += int(size[row])
    return parts
