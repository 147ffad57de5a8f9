"""The tiny study that the end-to-end tests share: 36 drawn scenes of 64 pixels, three iterations, two arms."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

for name, value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}.items():
    os.environ[name] = value

STUDY, ESCAPES = "study", "sandbox/escapes"  # groups of tests

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
           "train.augment=none", "train.weights=none", "seeds.block=2", "seeds.max=2", "confirm.seeds=1",
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


def metricloop(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Run the metricloop command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        **options,
    )


def dvc(folder: Path, *arguments: str) -> str:
    """Run dvc in a workspace, with this Python first on PATH; returns its output."""
    from metricloop.study.environment import environment

    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the finished study come first, because they take longest."""
    items.sort(key=lambda item: group_of(item.nodeid) != STUDY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under pytest-xdist, all tests of a group run in one process."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)


def group_of(nodeid: str) -> str:
    """The finished study is made once. Attacks that read other processes must not meet those of a second process.

    Other tests go file by file, which keeps the fixtures of a module together.
    """
    file = nodeid.partition("::")[0]
    if ESCAPES in file:
        return ESCAPES
    return STUDY if _uses_the_study(file) else file


@cache
def _uses_the_study(file: str) -> bool:
    path = Path(__file__).parents[1] / file
    return path.is_file() and re.search(r"def \w+\([^)]*\b(finished|tiny)\b", path.read_text()) is not None


@pytest.fixture(scope="session")
def walls() -> None:
    """Skip the test, with the reason, on a machine without a sandbox."""
    from metricloop.sandbox.tiers import missing

    if lacks := missing():
        pytest.skip(f"no sandbox here: {lacks[0]}")


@pytest.fixture(scope="session", autouse=True)
def _prefect_home(tmp_path_factory):
    """A separate Prefect database, so that tests neither read nor change the one in the home folder."""
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, _prefect_home) -> Path:
    """The finished tiny study, run once. Do not change it: use `tiny` for that."""
    folder = make_tiny(tmp_path_factory.mktemp("study") / "tiny")
    done = metricloop("run", "-C", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "terminal.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def tiny(finished, tmp_path) -> Path:
    """A copy of the finished tiny study, which a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "tiny", symlinks=True))
