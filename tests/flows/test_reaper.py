"""A server ends with the flow that started it, also where the flow is killed while the server is only starting."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FLOW = """
import subprocess, sys, time
from metricloop.flows.reaper import end_server_with_me
end_server_with_me()
server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], stdout=-3)
other = subprocess.Popen(["sleep", "300"], env={{}}, stdout=-3)
print(server.pid, other.pid, flush=True)
{then}
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "then",
    [
        "import os; os.kill(os.getpid(), 9)",  # before the reaper itself has begun
        "time.sleep(2); import os; os.kill(os.getpid(), 9)",
        "end_server_with_me(); sys.exit()",
    ],
)
def test_what_a_killed_flow_has_started_is_ended_and_no_stranger(then):
    with subprocess.Popen(
        [sys.executable, "-P", "-c", FLOW.format(then=then)], stdout=subprocess.PIPE, text=True
    ) as flow:
        assert flow.stdout is not None
        server, stranger = map(int, flow.stdout.readline().split())
    deadline = time.monotonic() + 20
    while alive(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = alive(server), alive(stranger)
    for pid in (server, stranger):
        if alive(pid):
            os.kill(pid, 9)
    assert left == (False, True)
