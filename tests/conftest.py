"""What all tests share: a quiet environment, the finished study, and how tests are spread over processes."""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tiny_study import make_tiny, metricloop

for name, value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}.items():
    os.environ[name] = value
os.environ.pop("COLUMNS", None)  # readline sets it for child processes; output in tests is as wide as into a pipe

STUDY, ESCAPES = "study", "sandbox/escapes"  # groups of tests


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
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


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
