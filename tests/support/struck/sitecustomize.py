"""With this folder on PYTHONPATH, a process of a study is struck at a chosen event: killed, or left without memory.

FAULT_TEST in the environment names the study's folder, and the file FOLDER.blow beside it says who is watched:
{name: {"pattern": of the command line, "events": pattern of "event path", "at": number of the event at which the
process is struck, from 1; 0: never, "how": "kill", "cut" or "memory"}}. Events are numbered through all processes that
match, in FOLDER.NAME.events, a line each. "cut": what the process renames loses its second half first. "memory": it may
have no more than it has by then.
"""

import fcntl
import json
import os
import re
import signal
import sys
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def kind_of(event, arguments):
    """read, write or the name of the event; "" for events that are not of files."""
    if event == "open":
        flags = arguments[2]
        return "write" if isinstance(flags, int) and flags & WRITES else "read"
    return event if event in CHANGES else ""


def count(record, line):
    """Add a line to the record; how many it has then."""
    descriptor = os.open(record, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, line.encode(errors="replace"))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, os.fstat(descriptor).st_size).count(b"\n")
    finally:
        os.close(descriptor)


def strike(how, path):
    if how == "memory":
        import ctypes
        import resource

        ctypes.CDLL(None).malloc_trim(0)  # what it holds and does not use
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)
        return
    if how == "cut":
        os.truncate(path, os.stat(path).st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


def watch(folder, victim, spec):
    owner, busy = os.getpid(), []
    wanted = re.compile(spec["events"])

    def hook(event, arguments):
        if busy or os.getpid() != owner or not (kind := kind_of(event, arguments)):
            return
        name = arguments[0]
        if not isinstance(name, str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(name))
        if not path.startswith(f"{folder}/"):
            return
        line = f"{kind} {path.removeprefix(f'{folder}/')}"
        if not wanted.search(line):
            return
        busy.append(1)
        try:
            if count(f"{folder}.{victim}.events", f"{line}\n") == spec["at"]:
                strike(spec["how"], path)
        finally:
            busy.pop()

    sys.addaudithook(hook)


def begin():
    folder = os.environ.get("FAULT_TEST", "")
    try:
        victims = json.loads(Path(f"{folder}.blow").read_text())
    except (OSError, ValueError):
        return
    for victim, spec in victims.items():
        if re.search(spec["pattern"], " ".join(sys.orig_argv)):
            watch(folder, victim, spec)
            return


begin()
