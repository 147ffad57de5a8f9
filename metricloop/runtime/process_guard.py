"""Keep a stage from outliving whoever started it, and two copies of it from writing the same output.

A stage is started as `flow -> dvc -> sh -> python`; killing any of the first three with -9 tells the last one nothing.
So the stage watches its ancestors and ends itself, workers included, when one of them dies.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path

from metricloop.runtime.code_digest import PACKAGE, check_code

OWNER = "METRICLOOP_OWNER"  # the pid of the flow or command line that owns this stage
LOCKS = Path(".metricloop/locks")
ROUNDS_LOCK = LOCKS / "suggest.lock"  # held by whoever writes rounds.yaml or talks with the language model
_held: list[int] = []


def guard(name: str) -> None:
    """First line of every stage: tie its life to its ancestors', check its code, and lock its output while it lives.

    Python processes that the stage starts, such as joblib's workers, import no module from the current folder: a
    workspace may hold a `select.py` of its own.

    Errors that our own packages raise end the process with their message alone; a traceback means a bug.
    Errors: CodeChangedError (runtime.code_digest); SystemExit when another process runs the same stage here.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    tell_errors_briefly(name)
    tie_to_ancestors()
    check_code(name.partition("@")[0])
    hold(LOCKS / f"{name.replace('/', '_')}.lock")


def tell_errors_briefly(name: str) -> None:
    """From now on an error class of our own packages ends the process with its message, without a traceback."""

    def show(kind, error, traceback) -> None:
        if kind.__module__.partition(".")[0] in (PACKAGE, "__main__"):
            print(f"{name}: {error}", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, traceback)

    sys.excepthook = show


def hold(path: Path, patience: float = 20.0) -> None:
    """Lock `path` until this process ends; give an earlier copy that is just being killed some seconds to go.

    Errors: SystemExit with a message when another process still holds it after `patience` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                owner = os.read(descriptor, 32).decode(errors="replace") or "unknown"
                sys.exit(
                    f"{path.stem} is already running here (process {owner}); wait for it or end it, then run again"
                )
            time.sleep(0.2)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    _held.append(descriptor)


def tie_to_ancestors() -> None:
    """Kill this process group member and its children as soon as one of the watched ancestors is gone."""
    watched = [descriptor for pid in _ancestors() if (descriptor := _open(pid)) is not None]
    if not watched:
        return
    threading.Thread(target=_watch, args=(watched,), daemon=True, name="guard").start()


def die_with_parent() -> None:
    """For worker processes: ask the kernel for SIGKILL when the parent thread ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ancestors() -> list[int]:
    """The parent, every shell and dvc above it, and the owner named in the environment."""
    pids = []
    pid = os.getppid()
    while pid > 1:
        pids.append(pid)
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        if not (command.startswith((b"/bin/sh\0", b"sh\0", b"/bin/bash\0-c")) or b"dvc" in command):
            break
        if b"dvc" in command:
            break
        pid = parent
    owner = os.environ.get(OWNER)
    if owner and owner.isdigit():
        pids.append(int(owner))
    return pids


def _open(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        _end()
    except OSError:
        return None
    return None


def _watch(descriptors: list[int]) -> None:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    _end()


def _end() -> None:
    """End this process at once; joblib and multiprocessing workers follow by `die_with_parent`."""
    os.kill(os.getpid(), signal.SIGKILL)
