"""The self-test inside the sandbox: try to break out, one attempt per wall, and report which succeeded.

This code is our own, so its report is believed.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from metricloop.sandbox import libc
from metricloop.sandbox.walls import KEPT, MOST_KEPT, names_only
from metricloop.sandbox.zygote import INHERITED

IO_URING_SETUP = 425
CLONE_NEWUSER = 0x10000000


def main(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Report {wall: what got through} as JSON on the first descriptor; arguments are those of `sandbox.selftest`."""
    attempts = ATTEMPTS if arguments["mode"] == "score" else PROJECT_ATTEMPTS
    through = {}
    for wall, attempt in attempts.items():
        with suppress(OSError, MemoryError, ValueError):
            if found := attempt(descriptors, arguments):
                through[wall] = found
    os.write(descriptors[0], json.dumps(through).encode())
    os._exit(0)


def outstay(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Stay until killed, and ignore every signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(arguments["seconds"])
    os.write(descriptors[0], b"ran over its time")
    os._exit(0)


def hold(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Keep one deleted file open and another one mapped into memory, start a process, and wait to be killed."""
    for name in ("opened", "mapped"):
        with open(name, "w+b") as file:
            file.write(bytes(arguments["bytes"]))
            file.flush()
            os.unlink(name)
            if name == "opened":
                os.dup(file.fileno())
            else:
                libc.map_page(file.fileno())  # Python's own mmap keeps a descriptor too
    if os.fork() == 0:
        time.sleep(arguments["seconds"])
        os._exit(0)
    os.write(descriptors[0], b"held")
    time.sleep(arguments["seconds"])
    os._exit(0)


def _environment(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return f"{len(INHERITED)} environment variables of the parent" if INHERITED else ""


def _user(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return "it is still root" if os.geteuid() == 0 else ""  # `walls.raise_all` looks at the capabilities


def _descriptors(descriptors: list[int], arguments: dict[str, Any]) -> str:
    for number in range(3, 4096):
        if number not in descriptors and not (KEPT <= number < KEPT + MOST_KEPT and names_only(number)):
            with suppress(OSError):
                os.fstat(number)
                return f"descriptor {number} of the parent is open"
    return ""


def _group(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return "" if os.getpgid(0) == os.getpid() else "it is not in a process group of its own"


def _parent(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return "" if libc.parent_death_signal() == signal.SIGKILL else "it would go on after its parent ends"


def _memory(descriptors: list[int], arguments: dict[str, Any]) -> str:
    with mmap.mmap(-1, arguments["memory"] + (64 << 20), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        return "it was given more memory than its limit"


def _time(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _unlimited("CPU", arguments["cpu"])


def _processes(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _unlimited("NPROC", arguments["processes"])


def _files(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _unlimited("FSIZE", arguments["file_bytes"]) or _unlimited("NOFILE", arguments["open_files"])


def _core(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _unlimited("CORE", 1)


def _unlimited(name: str, most: int) -> str:
    _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
    return f"RLIMIT_{name} is {hard}, not {most}" if hard == resource.RLIM_INFINITY or hard > most else ""


def _landlock(descriptors: list[int], arguments: dict[str, Any]) -> str:
    with suppress(OSError), open(arguments["canary"], encoding="utf-8") as file:
        return f"it read {arguments['canary']}" if file.read() else ""
    with suppress(OSError):
        return f"it listed {os.listdir('/etc')[:1]} in /etc"
    return ""


def _landlock_writing(descriptors: list[int], arguments: dict[str, Any]) -> str:
    with suppress(OSError), open(arguments["canary"], "a", encoding="utf-8") as file:
        file.write("x")
        return f"it wrote to {arguments['canary']}"
    with suppress(OSError):
        os.mkdir(f"{arguments['canary']}-{arguments['mode']}")
        return "it made a folder outside its own"
    with suppress(OSError):
        os.unlink(arguments["canary"])
        return "it removed a file outside its folder"
    return _landlock(descriptors, arguments)


def _seccomp(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _calls({"a network socket": _socket, "a process": _fork, "a pipe": _pipe, **_DOORS}, arguments)


def _seccomp_project(descriptors: list[int], arguments: dict[str, Any]) -> str:
    return _calls({"a network socket": _socket, "a session of its own": _session, **_DOORS}, arguments)


def _calls(doors: dict[str, Callable[[dict[str, Any]], bool]], arguments: dict[str, Any]) -> str:
    for name, door in doors.items():
        with suppress(OSError):
            if door(arguments):
                return f"a system call gave it {name}"
    return ""


def _socket(arguments: dict[str, Any]) -> bool:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    return True


def _fork(arguments: dict[str, Any]) -> bool:
    try:
        if os.fork() == 0:
            os._exit(0)
    except OSError as error:
        return error.errno != errno.EPERM  # RLIMIT_NPROC says EAGAIN, so the call got past the filter
    return True


def _pipe(arguments: dict[str, Any]) -> bool:
    return bool(os.pipe())


def _session(arguments: dict[str, Any]) -> bool:
    if os.fork() == 0:  # the leader of a group may not leave it, its children might
        with suppress(OSError):
            os.setsid()
            os._exit(1)
        os._exit(0)
    return os.wait()[1] != 0


def _signal(arguments: dict[str, Any]) -> bool:
    for pid in (arguments["supervisor"], os.getppid()):
        with suppress(OSError):
            os.kill(pid, 0)
            return True
    return False


def _shared_memory(arguments: dict[str, Any]) -> bool:
    mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS).close()
    return True


def _trace(arguments: dict[str, Any]) -> bool:
    return ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0  # PTRACE_TRACEME


def _namespace(arguments: dict[str, Any]) -> bool:
    return ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0


def _io_uring(arguments: dict[str, Any]) -> bool:
    try:
        libc.syscall(IO_URING_SETUP, 1, 0)
    except OSError as error:
        return error.errno == errno.EFAULT  # the kernel looked at the (missing) parameters: no filter stopped the call
    return True


def _exec(arguments: dict[str, Any]) -> bool:
    try:
        os.execve(arguments["canary"], ["canary"], {})  # no program, so even an allowed call returns
    except OSError as error:
        return error.errno in (errno.ENOEXEC, errno.EACCES)  # the kernel looked at the file
    return True


_DOORS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "a program": _exec,
    "the supervisor or the zygote to signal": _signal,
    "memory that counts towards no limit": _shared_memory,
    "a tracer": _trace,
    "a user namespace": _namespace,
    "io_uring": _io_uring,
}


def _seals(descriptors: list[int], arguments: dict[str, Any]) -> str:
    payload = descriptors[1]
    with suppress(OSError):
        os.ftruncate(payload, 0)
        return "it cut off the images"
    with suppress(OSError):
        mmap.mmap(payload, 1, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)[0] = 0
        return "it wrote to the images"
    return ""


Attempt = Callable[[list[int], dict[str, Any]], str]
ATTEMPTS: dict[str, Attempt] = {
    "environment": _environment,
    "user": _user,
    "descriptors": _descriptors,
    "group": _group,
    "parent": _parent,
    "memory": _memory,
    "time": _time,
    "processes": _processes,
    "files": _files,
    "core": _core,
    "landlock": _landlock,
    "seccomp": _seccomp,
    "seals": _seals,
}
PROJECT_ATTEMPTS: dict[str, Attempt] = {
    name: attempt for name, attempt in ATTEMPTS.items() if name not in ("environment", "seals")
} | {"landlock": _landlock_writing, "seccomp": _seccomp_project}
