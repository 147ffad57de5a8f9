"""The deployments of prefect.yaml with a real server and worker."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from servers import prefect_server
from tiny_study import make_tiny

from metricloop.runtime.code_digest import HOME

BIN = Path(sys.executable).parent


@pytest.fixture
def server(tmp_path):
    """A Prefect server with a database of its own; yields the environment of its clients."""
    with prefect_server(tmp_path) as environment:
        yield environment


def prefect(environment, *arguments, cwd=HOME):
    return subprocess.run(
        [str(BIN / "prefect"), "--no-prompt", *arguments], env=environment, cwd=cwd,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_a_deployment_runs_the_study_through_a_worker(server, tmp_path):
    folder = make_tiny(tmp_path / "tiny")
    assert prefect(server, "work-pool", "create", "local", "--type", "process").returncode == 0
    for options in (["--all"], ["-C", str(folder)]):
        command = [sys.executable, "-P", "-m", "metricloop.cli", "deploy", *options]
        deployed = subprocess.run(command, cwd=tmp_path, env=server, capture_output=True, text=True, check=False)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    listed = prefect(server, "deployment", "ls").stdout
    for name in ("improve/local", "improve/demo", "improve/tiny", "experiment/local", "deliver/local"):
        assert name in re.sub(r"\s", "", listed)
    worker = subprocess.Popen(
        [str(BIN / "prefect"), "worker", "start", "--pool", "local"], env=server, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        run = prefect(server, "deployment", "run", "improve/tiny", "--watch")
        assert run.returncode == 0, run.stdout + run.stderr
        assert (folder / "comparison.json").is_file()
        shown = prefect(server, "artifact", "ls").stdout
        assert all(f"{kind}-tiny" in shown for kind in ("comparison", "verdict", "report", "trials"))
        one = prefect(server, "deployment", "run", "experiment/local", "--param", f"workspace={folder}",
                      "--param", "arm=nothing", "--watch")  # fmt: skip
        assert one.returncode == 1  # a flow that fails is seen to fail
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
