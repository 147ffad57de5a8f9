"""End Prefect's temporary server when its flow ends, even when the flow is killed with -9.

Without PREFECT_API_URL a flow starts a server of its own. A flow that is killed cannot end it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from metricloop.study.environment import environment


def end_server_with_me() -> None:
    """Start a small process that waits until this one has ended, then kills the temporary server, if any."""
    servers = [pid for pid in _children(os.getpid()) if b"prefect.server" in _command(pid)]
    if servers and hasattr(os, "pidfd_open"):
        command = [sys.executable, "-P", "-m", "metricloop.flows.reaper", str(os.getpid()), *map(str, servers)]
        subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, env=environment())


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task")
    children = []
    for task in listed.iterdir() if listed.is_dir() else []:
        with suppress(OSError):  # the thread has just ended, or the kernel has no such file
            children += [int(pid) for pid in (task / "children").read_text().split()]
    return children


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def main(flow: int, servers: list[int]) -> None:
    """Wait until the process `flow` has ended, then kill the processes `servers`."""
    watched = {}
    for pid in servers:
        with suppress(ProcessLookupError):
            watched[pid] = os.pidfd_open(pid)
    with suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(flow)], [], [])
    for descriptor in watched.values():
        with suppress(ProcessLookupError):
            # by descriptor: by now another process may have the number of the server
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(pid) for pid in sys.argv[2:]])
