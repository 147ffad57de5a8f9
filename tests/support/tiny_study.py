"""The tiny study that the end-to-end tests share: 36 drawn scenes of 64 pixels, three iterations, two arms."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

ARMS = """
batches:
  labels: {code: metrics/catalogue.yaml, needs: data/images.parquet, metrics: [object_count]}
arms:
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
  object_count:
    role: treatment
    metric: object_count
    a: scores/labels/object_count.parquet
    b: scores/labels/object_count.parquet
    policy: {name: best, direction: higher}
blocks:
  random.0: {arm: random, seeds: "0-1"}
  object_count.0: {arm: object_count, seeds: "0-1"}
"""
CHANGES = ["scenes.images=36", "scenes.size=64", "train.image_size=64", "train.iterations=3", "predict.iterations=3",
           "train.augment=none", "train.weights=none", "looks.arms=[2]", "looks.baseline=[2]",
           "looks.alpha=[0.05]", "confirm.when=always", "confirm.seeds=1", "confirm.baseline=1",
           "llm.provider=none", "compare.bootstrap=50"]  # fmt: skip


def make_tiny(folder: Path) -> Path:
    """Make the workspace of the tiny study; no stage has run."""
    from metricloop.study.edit_params import change_params
    from metricloop.study.new_study import create, demo_plan

    create(folder, replace(demo_plan("tiny"), weights="none"))
    change_params(folder / "params.yaml", CHANGES)
    (folder / "arms.yaml").write_text(ARMS)
    subprocess.run(["git", "commit", "-qam", "tiny"], cwd=folder, check=True)
    return folder


def metricloop(*arguments: str, timeout: float = 400, **options) -> subprocess.CompletedProcess:
    """Run the metricloop command line in a process of its own. timeout: s, after which it is an error."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        **options,
    )


def dvc(folder: Path, *arguments: str) -> str:
    """Run dvc in a workspace, with this Python first on PATH; returns its output."""
    from metricloop.study.environment import environment

    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
