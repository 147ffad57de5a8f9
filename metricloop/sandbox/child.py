"""One child inside the walls, as its supervisor sees it: what it says, how long it takes, how it ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from metricloop.sandbox import tree, walls
from metricloop.sandbox.errors import ChildEndedError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.syscalls import Mode
from metricloop.text.clean import clean

ANSWER = 1 << 16  # bytes of one packet at most
WALLS_FAILED = b"W"  # first byte of the one packet that is ours, before foreign code runs
MB = 1 << 20
GRACE_SECONDS = 0.5  # from a child's last word to its end, so that what ended it can be told
WATCH_SECONDS = 0.02  # how often the use of a tree is summed


class Child:
    """One process, or tree of processes, inside the walls. Over at `end`, or as a context manager.

    shared: bytes of memory that every process of the tree has from the zygote.
    ended: asks the zygote, once, for {"status", "peak"}; None when it is dead.
    """

    def __init__(
        self,
        limits: Limits,
        mode: Mode,
        pid: int,
        pidfd: int,
        report: socket.socket,
        scratch: Path | None,
        shared: int,
        ended: Callable[[], Mapping[str, int] | None],
    ) -> None:
        self.pid, self.limits = pid, limits
        self.status: int | None = None  # exit status, or minus the signal that ended it; None while it runs
        self.peak = 0  # bytes of memory the tree was seen to use
        self._mode, self._pidfd, self._report = mode, pidfd, report
        self._scratch, self._shared, self._ended = scratch, shared, ended
        self._silent = False  # it has closed its end of the socket: it is ending, or up to something
        self._over: str | None = None
        self._watched = time.monotonic()
        self._deadline = self._watched + limits.batch_seconds

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def receive(self, seconds: float, what: str) -> bytes:
        """The next packet, at most ANSWER bytes, or b"" when the child has ended.

        seconds: how long it may take; what: named in the reason when it takes longer, "one frame".
        Errors: ChildEndedError when a limit ends the child.
        """
        if self._over is not None:
            return b""
        self.wait([self._report.fileno()], time.monotonic() + seconds, f"{what} took more than {seconds:g} s")
        with suppress(OSError):  # nothing there; or the child has ended, and its last word may have come just before
            packet = self._report.recv(ANSWER, socket.MSG_DONTWAIT)
            self._silent = not packet
            return packet
        return b""

    def wait(self, readers: Sequence[int], deadline: float | None = None, limit: str = "") -> list[int]:
        """Those of the descriptors `readers` that have something to read; [] when the child has ended and none has.

        deadline: in time.monotonic(), `limit` says what it is; the time limit of the whole call holds anyway.
        Errors: ChildEndedError when time is up, or the tree takes too much.
        """
        if deadline is None or deadline > self._deadline:
            deadline, limit = self._deadline, f"it took more than {self.limits.batch_seconds:g} s in all"
        poll = select.poll()
        for reader in (*readers, self._pidfd):
            poll.register(reader, select.POLLIN)
        while self._over is None:
            now = time.monotonic()
            if now >= deadline and "time" in walls.WALLS:
                self._bite(limit)
            if self._mode == "run" and now - self._watched >= WATCH_SECONDS:
                self._watch()
                self._watched = now
            step = WATCH_SECONDS if self._mode == "run" else max(deadline - now, WATCH_SECONDS)
            if ready := [descriptor for descriptor, _ in poll.poll(step * 1000)]:
                return [descriptor for descriptor in ready if descriptor != self._pidfd]
        return []

    def end(self) -> str:
        """End the child, with all it started; says what became of it: "" after a clean end."""
        if self._over is None:
            self._over = "the zygote died; the next call starts a new one"
            alone = self._ends_alone(GRACE_SECONDS if self._silent else 0)
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            try:
                told = self._ended()
                if told is None:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGKILL)
                    self._ends_alone(GRACE_SECONDS)
            finally:
                os.close(self._pidfd)
                self._report.close()
            if told is not None:
                self.peak = max(self.peak, told["peak"])
                self.status = os.waitstatus_to_exitcode(told["status"])
                self._over = how_it_ended(self.status) if alone else ""
        return self._over

    def _ends_alone(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _watch(self) -> None:
        """Hold a project's tree to its limits."""
        pids, most = tree.members(self.pid), self.limits
        used = tree.use(pids, self._shared)
        self.peak = max(self.peak, used.memory)
        if "memory" in walls.WALLS and used.memory > most.memory_mb * MB:
            self._bite(f"all its processes together took more than {most.memory_mb} MB of memory")
        if "processes" in walls.WALLS and used.tasks > most.processes:
            self._bite(f"it had more than {most.processes} processes and threads")
        if self._scratch is not None and "files" in walls.WALLS:
            size, entries = tree.scratch_use(str(self._scratch), pids, most.scratch_entries, most.file_mb * MB)
            if entries > most.scratch_entries:
                self._bite(f"it made more than {most.scratch_entries} files and folders")
            if size > most.scratch_mb * MB:
                self._bite(f"it wrote more than {most.scratch_mb} MB of files")

    def _bite(self, reason: str) -> NoReturn:
        self.end()
        self._over = reason
        raise ChildEndedError(reason)

    def failure(self) -> str:
        """What a child that could not raise its walls said of it; "" where they are up."""
        with suppress(OSError):
            packet = self._report.recv(ANSWER, socket.MSG_DONTWAIT)
            return clean(packet[1:]) if packet.startswith(WALLS_FAILED) else ""
        return ""


def how_it_ended(status: int) -> str:
    """How a process ended, in words: an exit status, or minus a signal; "" for a clean end."""
    if status >= 0:
        return f"ended with status {status}" if status else ""
    words: dict[int, str] = {
        signal.SIGKILL: "killed; its CPU time or the machine's memory was used up",
        signal.SIGXCPU: "used up its CPU time",
        signal.SIGXFSZ: "wrote a file that is too large",
        signal.SIGSYS: "made a system call of another architecture, which is forbidden",
        signal.SIGSEGV: "crashed: it touched memory that it may not touch (SIGSEGV)",
        signal.SIGBUS: "crashed: it touched memory that is not there (SIGBUS)",
        signal.SIGABRT: "aborted (SIGABRT)",
    }
    return words.get(-status, f"ended by signal {-status}")
