"""The deployments of prefect.yaml with a real server and worker."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tiny_study import make_tiny

from metricloop.runtime.code_digest import HOME

BIN = Path(sys.executable).parent


@pytest.fixture
def server(tmp_path):
    """`prefect server start` on a free port, with a database of its own; yields the environment of its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",  # else long names are cut
    }
    command = [str(BIN / "prefect"), "server", "start", "--port", str(port), "--no-ui"]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2).read()
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
    yield environment
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
