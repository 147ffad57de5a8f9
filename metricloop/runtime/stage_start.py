"""What a stage does first: it ends together with its flow, checks its code, and locks its output.

A stage is started as `flow -> dvc -> sh -> python`. When one of the first three is killed with -9, the operating system
does not tell the Python process. So the stage watches its ancestors, and ends itself and its workers when one of them
is gone. The lock keeps two copies of a stage from writing the same output.
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

from metricloop import layout
from metricloop.data.urls import with_urls
from metricloop.runtime.code_digest import check_code
from metricloop.runtime.damaged_files import told

OWNER = "METRICLOOP_OWNER"  # environment variable: the process id of the flow or command line that owns this stage
ROUNDS_LOCK = Path(layout.LOCKS, "suggest.lock")  # for writing rounds.yaml and for talking with the language model
_held: list[int] = []


def begin_stage(name: str) -> None:
    """The first call of every stage: watch the ancestors, compare the code with code.yaml, lock the output.

    name: such as `train@random.0`. The lock is held until the process ends.
    Python processes that the stage starts, such as joblib's workers, import no module from the current folder: a
    workspace may hold a file `select.py`, which would hide the standard library's.
    Errors: CodeChangedError (runtime.code_digest); SystemExit when another process runs the same stage here.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    tell_errors_briefly(name)
    die_with_ancestors()
    check_code(name.partition("@")[0])
    hold_lock(Path(layout.LOCKS, f"{name.replace('/', '_')}.lock"))


def tell_errors_briefly(name: str) -> None:
    """Print only the message, not the traceback, when an error class of our own package ends this process, or when
    files of the workspace are damaged. A traceback then means a bug.
    """

    def show(kind, error, traceback) -> None:
        if said := told(error, Path.cwd()):
            print(f"{name}: {with_urls(said)}", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, traceback)

    sys.excepthook = show


def hold_lock(path: Path, patience: float = 20.0) -> None:
    """Lock the file `path` until this process ends.

    patience: seconds to wait for an earlier copy that is being killed.
    Errors: SystemExit with a message when another process still holds the lock after that.
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


def die_with_ancestors() -> None:
    """Kill this process, and with it its workers, as soon as one of the watched ancestors has ended."""
    watched = [descriptor for pid in _ancestors() if (descriptor := _open(pid)) is not None]
    if not watched:
        return
    threading.Thread(target=_watch, args=(watched,), daemon=True, name="ancestors").start()


def die_with_parent() -> None:
    """For worker processes: ask the kernel for SIGKILL when the parent thread ends. Linux only; no effect elsewhere."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ancestors() -> list[int]:
    """Process ids: the parent, the shells above it up to dvc, and the owner named in the environment."""
    pids = []
    pid = os.getppid()
    while pid > 1:
        pids.append(pid)
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        if not is_shell_of_dvc(command):  # dvc, or whoever started the stage by hand
            break
        pid = parent
    owner = os.environ.get(OWNER)
    if owner and owner.isdigit():
        pids.append(int(owner))
    return pids


def is_shell_of_dvc(command: bytes) -> bool:
    """Whether a command line is that of a shell that was given a command, as DVC starts one, and not a person's.

    command: as in /proc/PID/cmdline. DVC takes the shell that SHELL names, with options before the `-c`.
    """
    shell, *words = command.split(b"\0")
    return shell.rpartition(b"/")[2] in (b"sh", b"bash", b"dash", b"zsh", b"ksh", b"fish") and b"-c" in words


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
    """Kill this process at once; workers end too, because they called `die_with_parent`."""
    os.kill(os.getpid(), signal.SIGKILL)
