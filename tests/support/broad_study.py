"""The tiny study with every kind of stage: embeddings, a second labelling, a repair and short trials as well."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tiny_study import ARMS, CHANGES, make_tiny

from metricloop.study.edit_params import change_params

SECOND = "second.json"
MORE_BATCHES = """  vectors: {code: metrics/catalogue.yaml, needs: data/embeddings.parquet, metrics: [outlier]}
repairs:
  consensus: {code: metrics/catalogue.yaml, needs: data/predictions.parquet}
arms:
  mended:
    role: treatment
    a: data/images.parquet
    b: edits/consensus.parquet
    policy: {name: random, mend: {repair: consensus, least_confidence: 0.6}}
"""
SCREENS = """screens:
  random: {arm: random, seeds: "38-39"}
  object_count: {arm: object_count, seeds: "38-39"}
blocks:
"""


def make_broad(folder: Path) -> Path:
    """Make the workspace; no stage has run. Its stages are those of the tiny study, and four more."""
    make_tiny(folder)
    scenes = int(next(change for change in CHANGES if change.startswith("scenes.images")).partition("=")[2])
    (folder / SECOND).write_text(json.dumps(second_labelling(scenes)))
    (folder / "arms.yaml").write_text(ARMS.replace("arms:\n", MORE_BATCHES, 1).replace("blocks:\n", SCREENS, 1))
    change_params(
        folder / "params.yaml", [f"data.second_labels={SECOND}", "embed.image_size=32", "embed.weights=none",
                                 "screen.seeds=2", "screen.share=0.34", "run.parallel=1"]
    )  # fmt: skip
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-qm", "every kind of stage"], cwd=folder, check=True)
    return folder


def second_labelling(scenes: int) -> dict:
    """COCO: every scene has one animal at its left upper corner."""
    numbers = range(1, scenes + 1)
    return {
        "images": [{"id": n, "file_name": f"images/{n:05d}.jpg", "width": 64, "height": 64} for n in numbers],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [2, 2, 20, 20], "area": 400, "iscrowd": 0}
            for n in numbers
        ],
        "categories": [{"id": 1, "name": "panda"}],
    }
