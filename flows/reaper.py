"""End Prefect's temporary server when its flow ends, even when the flow is killed with -9.

Without PREFECT_API_URL a flow starts a server of its own. A flow that is killed cannot end it. So a small process
watches the flow. It is there before the server, which takes seconds to start: the flow may be killed meanwhile.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from metricloop.study.environment import environment

MARK = "METRICLOOP_SERVER_OF"  # environment variable that only Prefect's server inherits; stages get none of ours
SECONDS = 3.0  # how long to look for a server that was being started when the flow died
_marks: dict[int, str] = {}  # process -> its mark; a process that was forked needs another


def end_server_with_me() -> None:
    """Start a process that waits until this one has ended, then kills the server that this one starts, or has started.

    Called before the server is started; once more in a flow, because Prefect itself may have started one before.
    """
    if not hasattr(os, "pidfd_open"):
        return
    servers = [pid for pid in _children(os.getpid()) if b"prefect.server" in _read(pid, "cmdline")]
    known = _marks.get(os.getpid())
    if known and all(_marked(pid, known) for pid in servers):
        return
    mark = _marks[os.getpid()] = os.environ[MARK] = known or f"{os.getpid()}-{uuid.uuid4().hex}"
    command = [sys.executable, "-P", "-m", "metricloop.flows.reaper", str(os.getpid()), mark, *map(str, servers)]
    nothing = subprocess.DEVNULL  # whoever reads our output would wait for its end as well
    subprocess.Popen(command, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing, env=environment())


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task")
    children = []
    for task in listed.iterdir() if listed.is_dir() else []:
        with suppress(OSError):  # the thread has just ended, or the kernel has no such file
            children += [int(pid) for pid in (task / "children").read_text().split()]
    return children


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _marked(pid: int, mark: str) -> bool:
    return f"{MARK}={mark}".encode() in _read(pid, "environ").split(b"\0")


def main(flow: int, mark: str, servers: list[int]) -> None:
    """Wait until the process `flow` has ended, then kill the processes `servers`, and those with the mark."""
    watched = [descriptor for pid in servers if (descriptor := _open(pid)) is not None]
    if os.getppid() == flow and (descriptor := _open(flow)) is not None:  # else it has ended already
        select.select([descriptor], [], [])
    for descriptor in watched:
        _kill(descriptor)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
            if _marked(pid, mark) and (descriptor := _open(pid)) is not None:
                if _marked(pid, mark):  # by now another process may have the number
                    _kill(descriptor)
                os.close(descriptor)
        time.sleep(0.2)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _kill(descriptor: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], [int(pid) for pid in sys.argv[3:]])
