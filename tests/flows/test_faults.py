"""A study killed with -9: no process is left running, and running it again loses no work."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from strike import end_all, processes, wait_for
from tiny_study import metricloop

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
LONG = ["--set", "train.iterations=350"]  # some fifteen seconds a seed: the state is saved every ten


@pytest.fixture
def folder(tiny):
    """The finished tiny study, to be trained longer; whatever still runs of it after a test that failed is killed."""
    shutil.rmtree(tiny / "results" / "object_count.0")  # else one arm may not be run alone with other settings
    yield tiny
    end_all(tiny)


@pytest.mark.parametrize(
    ("victim", "blow"),
    [
        ("metricloop.cli run", signal.SIGKILL),
        ("metricloop.cli run", signal.SIGINT),  # Ctrl-C
        ("dvc --wait-for-lock repro", signal.SIGKILL),
        ("metricloop.tasks.train random.0", signal.SIGKILL),
    ],
)
def test_no_process_is_left_and_no_work_is_lost(folder, victim, blow):
    environment = os.environ | {"FAULT_TEST": str(folder)}
    command = [sys.executable, "-P", "-m", "metricloop.cli", "run", "-C", str(folder), "--arm", "random", *LONG]
    flow = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    states = folder / ".metricloop" / "cache" / "resume"
    wait_for(lambda: list(states.glob("*/state.pt")), 600, "no training state was saved")
    (target, *_) = [pid for pid, name in processes(folder).items() if victim in name]
    os.kill(target, blow)
    flow.wait(300)
    wait_for(lambda: not processes(folder), 15, f"still running: {processes(folder)}")
    saved = {path.parent.name for path in states.glob("*/*.pt")}
    assert saved

    done = metricloop("run", "-C", str(folder), "--arm", "random")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"continues at iteration [1-9]\d* of 350|already trained", done.stdout)
    history = pq.read_table(folder / "models/random.0/history.parquet").to_pydict()
    assert history["iteration"] == [*range(1, 351)] * 2
    again = metricloop("reproduce", "random.0", "-C", str(folder))
    assert again.returncode == 0, again.stdout + again.stderr  # never stopped, and the same numbers


def test_ctrl_c_at_a_terminal_ends_all_with_one_sentence_and_in_time(folder):
    environment = os.environ | {"FAULT_TEST": str(folder)}
    command = [sys.executable, "-P", "-m", "metricloop.cli", "run", "-C", str(folder), *LONG]
    flow = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    states = folder / ".metricloop" / "cache" / "resume"
    wait_for(lambda: list(states.glob("*/state.pt")), 600, "no training state was saved")
    began = time.monotonic()
    os.killpg(flow.pid, signal.SIGINT)  # a terminal tells the whole group: Prefect's server too
    printed, errors = flow.communicate(timeout=60)
    assert time.monotonic() - began < 10  # two seconds, when nothing else runs
    assert flow.returncode == 130
    assert errors.strip() == "stopped; nothing is lost: the same command goes on from here"
    assert "Traceback" not in printed
    wait_for(lambda: not processes(folder), 20, processes(folder))
