"""Hold a tree of processes still while it is counted, so that nothing can be moved behind the counter's back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from metricloop.sandbox import proc, tree

PATIENCE = 0.05  # seconds for all to stop; one that waits for a disk may take longer, and changes nothing meanwhile
STOPPED = frozenset(b"T")  # states of /proc/PID/stat
STILL = frozenset(b"TtZX")  # stopped, traced, ended


@contextmanager
def standstill(group: int) -> Iterator[None]:
    """Stop every process of a group, and let them go on afterwards.

    The kernel sends the signal to all members at once, and a fork that is under way starts anew. Sandboxed code cannot
    ignore it, and cannot go on by itself: whoever could send SIGCONT is stopped too.
    """
    stopped = {pid for pid in tree.members(group) if proc.states(pid) <= STOPPED}  # by the program itself
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGSTOP)
    try:
        until = time.monotonic() + PATIENCE
        while not all(proc.states(pid) <= STILL for pid in tree.members(group)) and time.monotonic() < until:
            time.sleep(0.0005)
        yield
    finally:
        _go_on(group, stopped)


def _go_on(group: int, stopped: set[int]) -> None:
    """Let the processes of a group go on, except those that the program had stopped."""
    with suppress(ProcessLookupError, PermissionError):
        if not stopped:
            os.killpg(group, signal.SIGCONT)
    for pid in tree.members(group) if stopped else ():
        if pid not in stopped:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)
