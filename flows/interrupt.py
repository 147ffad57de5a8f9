"""Ctrl-C at the terminal ends a flow within two seconds, and a second one at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from httpx import HTTPError
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

from metricloop.flows.reaper import end_server_with_me
from metricloop.study.kept_outputs import settle_all
from metricloop.study.live import clear
from metricloop.study.processes import end_all, no_more

SECONDS = 1.0  # for Prefect to note that the run has been stopped
TRIES = 2


class ServerGoneError(RuntimeError):
    """Prefect's server has ended, or does not answer any more."""


@contextmanager
def _told_if_gone() -> Iterator[None]:
    """End the running stages and raise ServerGoneError if Prefect's server does not answer.

    Prefect has then tried to reach it for minutes.
    """
    try:
        yield
    except HTTPError as error:
        end_all()
        why = " ".join(str(error).split()) or type(error).__name__
        raise ServerGoneError(
            f"Prefect's server does not answer any more ({why}); what is finished stays: the same command goes on"
        ) from error


@contextmanager
def quick_end(said: str) -> Iterator[None]:
    """Around the call of a flow from the command line. said: what is printed when it is stopped; the process then ends.

    Stages save their state while they run, so that they can be killed at any time. Where Ctrl-C is ignored, as in a
    script's background jobs, it stays so. Errors: ServerGoneError.
    """
    start_server_apart()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        with _told_if_gone():
            yield
        return
    once = threading.Lock()

    def end() -> None:
        if not once.acquire(blocking=False):
            return
        try:
            end_all()
            clear()
            settle_all()
            sys.stdout.flush()
        except Exception as error:  # such as a full disk: the next command puts back what is still kept
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            print(said, file=sys.stderr, flush=True)
            os._exit(128 + signal.SIGINT)  # Prefect may be waiting; flows.reaper ends its server

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, lambda *_: end())
        no_more.set()
        clock = threading.Timer(SECONDS, end)
        clock.daemon = True
        clock.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, first)
    try:
        with _told_if_gone():
            yield
    except KeyboardInterrupt:
        end()
        time.sleep(SECONDS)  # the clock was faster, and is ending the process
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def start_server_apart() -> None:
    """Start the temporary server that Prefect would start, so that Ctrl-C does not reach it.

    A terminal sends Ctrl-C to all processes of its foreground group. A server that dies of it leaves Prefect asking it
    in vain for more than a minute. A blocked signal stays blocked in the processes that a thread starts.
    """
    if PREFECT_API_URL.value():
        return
    end_server_with_me()
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
