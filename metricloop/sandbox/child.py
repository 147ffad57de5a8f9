"""One sandboxed process, seen from outside: receive its packets, watch its limits, end it, say how it ended."""

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
from metricloop.sandbox.proc import UnreadableError
from metricloop.sandbox.standstill import standstill
from metricloop.sandbox.syscalls import Mode
from metricloop.text.clean import clean

ANSWER = 1 << 16  # bytes of one packet at most
WALLS_FAILED = b"W"  # first byte of the only packet that our own code sends, before untrusted code runs
MB = 1 << 20
GRACE_SECONDS = 0.5  # between the last packet of a child and its end; the exit status then says what ended it
WATCH_SECONDS = 0.02  # how often the resources of a process tree are summed
STANDSTILL_SECONDS = 0.2  # how often it is held still for that; else it could move files and descriptors meanwhile


class Child:
    """One process, or tree of processes, in the sandbox. `end`, or leaving the context, ends it.

    base: what every process of the tree shares with the zygote.
    ended: called once; gets {"status", "peak"} from the zygote, or None when the zygote is dead.
    """

    def __init__(
        self,
        limits: Limits,
        mode: Mode,
        pid: int,
        pidfd: int,
        report: socket.socket,
        scratch: Path | None,
        base: tree.Base,
        ended: Callable[[], Mapping[str, int] | None],
    ) -> None:
        self.pid, self.limits = pid, limits
        self.status: int | None = None  # exit status, or minus the signal that ended it; None while it runs
        self.peak = 0  # the most bytes of memory that the tree was seen to use
        self._mode, self._pidfd, self._report = mode, pidfd, report
        self._scratch, self._base, self._ended = scratch, base, ended
        self._written = tree.Written()
        self._silent = False  # it has closed its end of the socket
        self._over: str | None = None
        self._watched = self._stood_still = time.monotonic()
        self._deadline = self._watched + limits.batch_seconds

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def receive(self, seconds: float, what: str) -> bytes:
        """The next packet, at most ANSWER bytes, or b"" when the child has ended.

        seconds: how long it may take. what: the task, named in the reason when it takes longer, such as "one frame".
        Errors: ChildEndedError when a limit ends the child.
        """
        if self._over is not None:
            return b""
        self.wait([self._report.fileno()], time.monotonic() + seconds, f"{what} took more than {seconds:g} s")
        with suppress(OSError):  # nothing to read, or the child has ended; its last packet may have come just before
            packet = self._report.recv(ANSWER, socket.MSG_DONTWAIT)
            self._silent = not packet
            return packet
        return b""

    def wait(self, readers: Sequence[int], deadline: float | None = None, limit: str = "") -> list[int]:
        """Wait, and return the descriptors of `readers` that can be read; [] when the child has ended and none can.

        deadline: in time.monotonic(); `limit` is the reason when it passes. That of the whole call applies too.
        Errors: ChildEndedError when time is up, or the tree takes more than its limits.
        """
        if deadline is None or deadline > self._deadline:
            deadline, limit = self._deadline, f"it took more than {self.limits.batch_seconds:g} s in all"
        poll = select.poll()
        for reader in (*readers, self._pidfd):
            poll.register(reader, select.POLLIN)
        while self._over is None:
            now = time.monotonic()
            if now >= deadline and "time" in walls.WALLS:
                self._end_over_limit(limit)
            if self._mode == "run" and now - self._watched >= WATCH_SECONDS:
                self._watch()
                self._watched = now
            step = WATCH_SECONDS if self._mode == "run" else max(deadline - now, WATCH_SECONDS)
            if ready := [descriptor for descriptor, _ in poll.poll(step * 1000)]:
                return [descriptor for descriptor in ready if descriptor != self._pidfd]
        return []

    def end(self) -> str:
        """End the child and all it started; returns how it ended in words, "" after a clean end."""
        if self._over is None:
            self._over = "the zygote died; the next call starts a new one"
            alone = self._ends_alone(GRACE_SECONDS if self._silent else 0)
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            try:
                ending = self._ended()
                if ending is None:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGKILL)
                    self._ends_alone(GRACE_SECONDS)
            finally:
                os.close(self._pidfd)
                self._report.close()
            if ending is not None:
                self.peak = max(self.peak, ending["peak"])
                self.status = os.waitstatus_to_exitcode(ending["status"])
                self._over = how_it_ended(self.status) if alone else ""
        return self._over

    def _ends_alone(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _watch(self) -> None:
        """End a project's process tree when it is over a limit, or when what it uses cannot be counted."""
        try:
            if time.monotonic() - self._stood_still < STANDSTILL_SECONDS:
                self._compare()
            else:
                with standstill(self.pid):
                    self._compare()
                self._stood_still = time.monotonic()
        except UnreadableError as error:
            self._end_over_limit(f"what it uses cannot be counted, which is taken for too much: {clean(str(error))}")

    def _compare(self) -> None:
        (pids, ended), most = tree.members_and_ended(self.pid), self.limits
        used = tree.use(pids, self._base.memory)
        self.peak = max(self.peak, used.memory)
        if "memory" in walls.WALLS and used.memory > most.memory_mb * MB:
            self._end_over_limit(f"all its processes together took more than {most.memory_mb} MB of memory")
        if "processes" in walls.WALLS and used.tasks > most.processes:
            self._end_over_limit(f"it had more than {most.processes} processes and threads")
        if self._scratch is not None and "files" in walls.WALLS:
            size, entries = tree.scratch_use(
                str(self._scratch), pids, most.scratch_entries, most.file_mb * MB, self._base.files
            )
            if entries > most.scratch_entries:
                self._end_over_limit(f"it made more than {most.scratch_entries} files and folders")
            if size > most.scratch_mb * MB:
                self._end_over_limit(f"it wrote more than {most.scratch_mb} MB of files")
            if self._written.look([*pids, *ended]) > most.written_mb * MB:
                self._end_over_limit(f"it wrote more than {most.written_mb} MB in all, overwritten bytes included")

    def _end_over_limit(self, reason: str) -> NoReturn:
        self.end()
        self._over = reason
        raise ChildEndedError(reason)

    def failure(self) -> str:
        """Why the child could not raise its walls; "" when they are up."""
        with suppress(OSError):
            packet = self._report.recv(ANSWER, socket.MSG_DONTWAIT)
            return clean(packet[1:]) if packet.startswith(WALLS_FAILED) else ""
        return ""


def how_it_ended(status: int) -> str:
    """How a process ended, in words; "" for a clean end. status: its exit status, or minus the signal that ended it."""
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
