"""A study on a Ray cluster of a head and three workers, each on a machine of its own: one is cut off from the network
and one killed while they train, and every result is that of one machine to the last byte.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from damaging import digests
from namespaces import Machine, machines, why_not
from tiny_study import make_tiny

from metricloop import layout
from metricloop.study.edit_params import change_params

pytestmark = pytest.mark.scale

LONGER = ["train.iterations=60"]  # so that a trial is under way when its machine is lost
RESULTS = (layout.DATA, layout.SCORES, layout.SUBSETS, layout.MODELS, layout.RESULTS, layout.NUMBERS)
FILES = (layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.HEADLINE)
RAY = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
       "RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "4"}  # fmt: skip


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    """The study on one machine."""
    folder = make_tiny(tmp_path_factory.mktemp("scale") / "local")
    change_params(folder / "params.yaml", LONGER)
    done = subprocess.run(run_of(folder), capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def cluster(tmp_path):
    """A head without cores for work, and three workers with one core each."""
    pytest.importorskip("ray")
    if reason := why_not():
        pytest.skip(reason)
    ray = str(Path(sys.executable).parent / "ray")
    with machines(4) as found:
        head, *workers = found
        for machine in found:
            env = os.environ | RAY | {"METRICLOOP_CACHE": str(tmp_path / machine.name)}
            role = ["--head", "--port=6379", "--num-cpus=0", "--include-dashboard=false"]
            if machine is not head:
                role = [f"--address={head.address}:6379", "--num-cpus=1"]
            machine.run([ray, "start", *role, f"--node-ip-address={machine.address}"], env)
        yield head, workers


def run_of(folder: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "metricloop.cli", "run", "-C", str(folder)]


def wait_for_trial(machine: Machine, run: subprocess.Popen) -> None:
    """Wait until a machine trains."""
    until = time.monotonic() + 600
    while not any(title.startswith("ray::") and " seed " in title for title in machine.titles()):
        assert run.poll() is None, "the study ended before this machine trained"
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_worker_cut_off_and_a_worker_killed_change_no_byte_of_the_results(local, cluster, tmp_path):
    head, (first, second, _) = cluster
    folder = make_tiny(tmp_path / "spread")
    change_params(folder / "params.yaml", [*LONGER, "execution.engine=ray"])
    env = os.environ | RAY | {"RAY_ADDRESS": f"{head.address}:6379"}
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(head.command(*run_of(folder)), env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for_trial(first, run)
            first.cut_off()
            wait_for_trial(second, run)
            second.kill()
            code = run.wait(timeout=900)
        finally:
            run.kill()
    said = (tmp_path / "log").read_text()
    assert code == 0, said
    assert said.count("; it runs again") >= 2, said
    here, there = (digests(place, *RESULTS, *FILES) for place in (local, folder))
    assert len(here) > 20
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    print(said)
