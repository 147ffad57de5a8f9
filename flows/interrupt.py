"""Ctrl-C at the terminal ends a flow within two seconds, and a second one at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from prefect.server.api.server import SubprocessASGIServer

from metricloop.study.processes import end_all, no_more

SECONDS = 1.0  # for Prefect to note that the run has been stopped
TRIES = 2


@contextmanager
def quick_end(said: str) -> Iterator[None]:
    """Around the call of a flow in the main thread. said: what is printed when it has to be ended by force.

    Stages save their state while they run, so that they can be killed at any time.
    """
    start_server_apart()

    def by_force() -> None:
        end_all()
        print(said, file=sys.stderr, flush=True)
        os._exit(128 + signal.SIGINT)  # Prefect may be waiting; flows.reaper ends its server

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, lambda *_: by_force())
        no_more.set()
        clock = threading.Timer(SECONDS, by_force)
        clock.daemon = True
        clock.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        no_more.clear()


def start_server_apart() -> None:
    """Start the temporary server that Prefect would start, so that Ctrl-C does not reach it.

    A terminal sends Ctrl-C to all processes of its foreground group. A server that dies of it leaves Prefect asking it
    in vain for more than a minute. A blocked signal stays blocked in the processes that a thread starts.
    """
    if os.environ.get("PREFECT_API_URL"):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for left in reversed(range(TRIES)):
            try:
                SubprocessASGIServer().start()
                break
            except RuntimeError:  # it did not answer in time
                SubprocessASGIServer().stop()
                if not left:
                    raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
