"""The zygote: a bare process that imports numpy and OpenCV once and forks a sandboxed child for every job.

The supervisor starts it with exec, no environment and one open descriptor. It runs no untrusted code itself and ends
when its supervisor ends. Started as root, it first changes to an unused user id.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from metricloop.sandbox import landlock, libc
from metricloop.sandbox.payload import unpack
from metricloop.sandbox.walls import KEPT, MOST_KEPT, Order, raise_all

MESSAGE = 1 << 16  # bytes of one message at most
JOB, LOOSE_JOB = b"job", b"loose"  # messages with the descriptors of a job, the last that of its order; see `serve`
OWN = {"LC_CTYPE", "PYTHONHASHSEED"}  # set by Python itself, and by the supervisor
INHERITED = frozenset(os.environ) - OWN  # names of variables that this process was started with
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # one process, one core


def main(descriptor: int) -> None:
    """Serve orders from the control socket until it is closed."""
    control = socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3))  # below KEPT: children close it
    os.close(descriptor)
    supervisor = os.pidfd_open(os.getppid())
    setup = json.loads(control.recv(MESSAGE))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # if the machine runs out of memory, the kernel ends this process first
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # numbers up to KEPT are needed
    for name in THREADS:
        os.environ[name] = "1"
    for module in setup["entries"]:
        importlib.import_module(module)
    for module in setup["preload"]:
        with suppress(ImportError):
            importlib.import_module(module)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    sys.path[:] = setup["path"]
    places = landlock.open_places(setup["readable"])
    readable = dict.fromkeys(places, landlock.READ) | dict.fromkeys(landlock.open_places([os.devnull]), landlock.DEVICE)
    if setup["user"] is not None:
        become(setup["user"])
        reach(dict(zip(setup["readable"], places, strict=True)))
    if "user" in setup["walls"]:
        libc.drop_capabilities()
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)  # orphans become children of this process, not of init
    version = landlock.abi()
    gc.collect()
    gc.freeze()  # otherwise the collector writes to, and so copies, every page shared with the children
    _tell(control, {"ready": os.getpid()})
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(supervisor, select.POLLIN)  # a forked process of the supervisor may keep its end of the socket open
    while supervisor not in (descriptor for descriptor, _ in poll.poll()):
        message, descriptors, _, _ = socket.recv_fds(control, len(LOOSE_JOB), 16)
        if not message:
            return
        serve(control, supervisor, descriptors, readable, version, message == JOB)


def become(user: int) -> None:
    """Change to a user id and the same group id, without further groups. Cannot be undone."""
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except PermissionError:
        sys.exit("root cannot change to another user here (no CAP_SETUID); start metricloop as an ordinary user")


def reach(folders: dict[str, int]) -> None:
    """Import through descriptors from folders that the new user cannot reach by name, such as those in root's home.

    This gives no further rights: Landlock checks what is opened beneath, and refuses the folders above.
    """
    swapped: dict[str, str] = {}
    for folder, place in folders.items():
        if len(swapped) < MOST_KEPT and not os.access(folder, os.R_OK | os.X_OK):
            swapped[folder] = f"/proc/self/fd/{os.dup2(place, KEPT + len(swapped), inheritable=False)}"

    def swap(path: str) -> str:
        longest = max((folder for folder in swapped if path.startswith(folder)), key=len, default="")
        return swapped.get(longest, "") + path[len(longest) :]

    sys.path[:] = map(swap, sys.path)
    for module in list(sys.modules.values()):
        if isinstance(getattr(module, "__path__", None), list):
            module.__path__ = list(map(swap, module.__path__))
    sys.path_importer_cache.clear()


def serve(
    control: socket.socket,
    supervisor: int,
    descriptors: list[int],
    readable: dict[int, int],
    abi: int,
    group: bool,
) -> None:
    """Do one job: fork, send the pid to the supervisor, wait, end the whole group, report how the child ended.

    Only the child reads its order: whatever this process read, the next child could find in its memory.
    group: whether the child leads a process group, as it does unless a test takes that wall away.
    """
    zygote = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            order = Order(**unpack(descriptors.pop())[0])
            raise_all(order, descriptors, readable, abi, zygote)
        except BaseException as error:
            try:
                os.write(descriptors[0], b"W" + f"{type(error).__name__}: {error}".encode())
            finally:
                os._exit(70)
        try:
            module, _, function = order.entry.partition(":")
            getattr(sys.modules[module], function)(descriptors, order.arguments)
        finally:
            os._exit(71)  # an entry ends the process itself; reaching this line is a failure
    with suppress(PermissionError, ProcessLookupError):
        if group:
            os.setpgid(child, child)  # parent or child, whichever comes first
    for descriptor in descriptors:
        os.close(descriptor)
    pidfd = os.pidfd_open(child)
    with suppress(BrokenPipeError, ConnectionResetError):
        socket.send_fds(control, [json.dumps({"pid": child}).encode()], [pidfd])
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLHUP)
    poll.register(supervisor, select.POLLIN)
    while pidfd not in (ready := [descriptor for descriptor, _ in poll.poll()]):
        os.kill(child, signal.SIGKILL)  # the supervisor is gone
        for descriptor in ready:
            poll.unregister(descriptor)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # not reaped yet, so no other process can have this number
    _, status, usage = os.wait4(child, 0)
    with suppress(ChildProcessError):
        while True:  # orphans of the child are now children of this process
            os.wait()
    os.close(pidfd)
    _tell(control, {"status": status, "peak": usage.ru_maxrss * 1024})


def _tell(control: socket.socket, what: dict[str, Any]) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the supervisor is gone; the next read says so
        control.send(json.dumps(what).encode())
