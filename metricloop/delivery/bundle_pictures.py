"""The pictures on which a bundle's graph is compared with torch: those of the study, or drawn ones without a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.door import AwayError
from metricloop.data.loading import load
from metricloop.data.pictures import PictureError, read_picture
from metricloop.drawing.scenes import draw_scene
from metricloop.params import load_params

COUNT = 16
SIDE = 320  # px, of drawn pictures


def pictures_for_check(workspace: Path) -> list[np.ndarray]:
    """COUNT pictures, each (H, W, 3) uint8 RGB, spread over the pool of the workspace; drawn ones where it has none.

    The pool and not a held-out split: nobody looks at the detections, but nobody has to wonder either.
    """
    found = _from_pool(workspace) if (workspace / layout.IMAGES).is_file() else []
    return found or [draw_scene(np.random.default_rng([0, k]), SIDE).image for k in range(COUNT)]


def _from_pool(workspace: Path) -> list[np.ndarray]:
    params = load_params(workspace / layout.PARAMS)
    pool = load(workspace / layout.DATA, workspace / params.data.folder, "pool", labels=False)
    found = []
    for row in sorted({round(row) for row in np.linspace(0, len(pool) - 1, COUNT)} if len(pool) else ()):
        try:
            found.append(read_picture(pool.root / pool.file[row], pool.sha256[row]))
        except (PictureError, AwayError):  # moved or changed since; the others do
            continue
    return found
