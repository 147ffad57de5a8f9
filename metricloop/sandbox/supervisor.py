"""Sandbox: start the zygote, test its walls, and let it fork one child after the other."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metricloop.sandbox import landlock, tree, walls
from metricloop.sandbox.child import ANSWER, MB, Child
from metricloop.sandbox.errors import ChildEndedError, SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.payload import pack
from metricloop.sandbox.places import library_folders, readable_places, unused_user
from metricloop.sandbox.proc import UnreadableError
from metricloop.sandbox.selftest import prove
from metricloop.sandbox.syscalls import Mode, compile_filter
from metricloop.sandbox.tiers import missing
from metricloop.sandbox.walls import Order
from metricloop.sandbox.zygote import JOB, LOOSE_JOB

PATIENCE = 10.0  # seconds for the zygote to start, or to say that a child it killed is gone
PRELOAD = (  # what code is likely to import; other modules are imported at run time
    "numpy", "numpy.fft", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random", "cv2",
    "bisect", "collections", "copy", "csv", "dataclasses", "enum", "fractions", "functools", "heapq", "io", "itertools",
    "json", "linecache", "math", "operator", "random", "re", "runpy", "statistics", "string", "struct", "textwrap",
    "traceback", "typing", "unicodedata",
)  # fmt: skip


class Sandbox:
    """A zygote and the walls around its children; one child at a time. Use as a context manager.

    entries: our own modules whose functions run inside; they are imported before the walls go up.
    Errors: SandboxError when the machine lacks something that the walls need, or when the self-test breaks out.
    """

    def __init__(self, entries: Sequence[str] = (), limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.user: int | None = None  # user id of the children, when the supervisor runs as root
        self._entries = ("metricloop.sandbox.selftest_inside", *entries)
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._base = tree.Base()
        self._busy = False
        self._proven = False
        self._owner = os.getpid()
        self.blind = ""  # why the supervisor cannot count what a project uses; "" when it can

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the zygote, unless it runs; the first time, let the self-test try to break out."""
        if self._owner != os.getpid():
            self._forget()
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        if lacks := missing():
            raise SandboxError("this machine has no sandbox; missing: " + "; ".join(lacks))
        self._spawn()
        if not self._proven:
            try:
                prove(self)
            except BaseException:
                self.close()
                raise
            self._proven = True

    def _forget(self) -> None:
        """In a forked process: leave the zygote to the process that started it."""
        if self._control is not None:
            self._control.close()
        self._control = self._process = None
        self._busy, self._owner = False, os.getpid()

    def close(self) -> None:
        """End the zygote and its child."""
        if self._owner != os.getpid():
            self._forget()
        self._busy = False
        if self._control is not None:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)  # a forked process of ours may hold a copy
            self._control.close()
            self._control = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)  # it ends its child, and itself, when the control socket closes
            self._process.kill()
            self._process.wait()
            self._process = None

    def child(
        self,
        mode: Mode,
        entry: str,
        arguments: Mapping[str, Any],
        descriptors: Sequence[int] = (),
        scratch: Path | None = None,
        size: int = 0,
    ) -> Child:
        """Start a child inside the walls. The child before it must have ended.

        descriptors: given to the child after the socket on which it answers; the caller closes its own copies.
        size: bytes of address space that they need. scratch: the only folder that the child may write to.
        Errors: SandboxError as for the class; ChildEndedError when the zygote dies (the next call starts a new one).
        """
        if self._busy:
            raise SandboxError("a child is running in this sandbox; end it first, or use another Sandbox")
        self.start()
        if mode == "run" and self.blind:
            raise SandboxError(self.blind)
        assert self._control is not None
        wanted = self.order(mode, entry, arguments, scratch, size)
        order, message = pack(asdict(wanted), {}), JOB if "group" in wanted.walls else LOOSE_JOB
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(self._control, [message], [theirs.fileno(), *descriptors, order])
            answer, pidfds, _, _ = socket.recv_fds(self._control, ANSWER, 1)
            pid, (pidfd,) = json.loads(answer)["pid"], pidfds
            os.set_inheritable(pidfd, False)
        except BaseException as error:  # Ctrl-C too: the next child would get this answer of the zygote
            ours.close()
            self.close()
            if isinstance(error, OSError | ValueError | LookupError):
                raise ChildEndedError("the zygote died before it could start a child") from None
            raise
        finally:
            theirs.close()
            os.close(order)
        self._busy = True
        return Child(self.limits, mode, pid, pidfd, ours, scratch, self._base, self._ended)

    def order(
        self, mode: Mode, entry: str, arguments: Mapping[str, Any], scratch: Path | None = None, size: int = 0
    ) -> Order:
        """The order that the zygote gets for a child; see `child`."""
        project = mode == "run"
        user = os.geteuid() if self.user is None else self.user
        return Order(
            entry=entry,
            arguments=dict(arguments),
            walls=tuple(sorted(walls.WALLS)),
            memory=self.limits.memory_mb * MB + size,
            cpu_seconds=int(self.limits.batch_seconds) + 1,
            # The kernel counts all tasks of the user, so those that already run are added.
            processes=tree.tasks_of_user(user) + self.limits.processes if project else 0,
            open_files=self.limits.open_files,
            file_bytes=self.limits.file_mb * MB if project else 0,
            scratch=None if scratch is None else str(scratch),
            filter=compile_filter(mode, signals=landlock.abi() >= landlock.SIGNALS_ABI).hex(),
            seen=project,
        )

    def _ended(self) -> dict[str, int] | None:
        """Ask the zygote how the running child ended; None, and the zygote is closed, when it cannot answer."""
        self._busy = False
        if self._control is None:  # closed while the child ran: the zygote has ended it
            return None
        try:
            return json.loads(self._control.recv(ANSWER))
        except (OSError, ValueError):
            self.close()
            return None
        except BaseException:
            self.close()
            raise

    def _spawn(self) -> None:
        self.user = unused_user() if os.geteuid() == 0 and "user" in walls.WALLS else None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        home = str(Path(__file__).resolve().parents[2])  # with an editable install it is not on sys.path
        # Not the current folder: a workspace must not come before the installed packages.
        found = [home, *(p for p in sys.path if os.path.isabs(p) and p != os.getcwd() and Path(p).exists())]
        end = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 3)  # not a standard stream's number, should those be closed
        boot = f"import sys; sys.path[:] = {found!r}; from metricloop.sandbox.zygote import main; main({end})"
        with theirs, os.fdopen(end):
            self._process = subprocess.Popen(
                # No current folder, user's folder, site or bytecode; sets have the same order each time.
                [sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8", "-c", boot],
                env={"PYTHONHASHSEED": "0"} if "environment" in walls.WALLS else None,
                pass_fds=[end],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                cwd="/",
            )
        self._control = ours
        setup = {
            "entries": self._entries,
            "preload": PRELOAD,
            "path": library_folders(),
            "readable": readable_places(),
            "user": self.user,
            "walls": sorted(walls.WALLS),
        }
        ours.settimeout(PATIENCE)
        try:
            ours.send(json.dumps(setup).encode())
            ready = ours.recv(ANSWER)
        except OSError:
            ready = b""
        if not ready:
            self._process.kill()
            _, errors = self._process.communicate()
            self.close()
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise SandboxError(f"the zygote did not start: {last or 'it took too long'}")
        assert self._process.stderr is not None
        self._process.stderr.close()
        try:
            self._base = tree.base(self._process.pid)
        except UnreadableError:  # the self-test finds out, and says what that means for projects
            self._base = tree.Base()
