"""What every probe's text begins with: raw system calls and the few things that attacks have in common.

This file is imported by the tests only to be read; its text goes in front of each attack.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import time

W: dict = {}  # what the attacker is assumed to know: paths, process ids, ports, addresses

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p


def call(name, *arguments):
    """A raw system call, by the name it has in the kernel; OSError where it fails."""
    if name not in W["numbers"] and not isinstance(name, int):
        raise OSError(errno.ENOSYS, f"{name}: this machine has no such call")
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(name if isinstance(name, int) else W["numbers"][name]), *wide)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {errno.errorcode.get(ctypes.get_errno())}")
    return result


def digits(data):
    """The planted number in a text, as it is marked everywhere; 0.0 where there is none."""
    data = data if isinstance(data, bytes) else str(data).encode(errors="replace")
    found = [text[:6] for text in data.split(W["mark"].encode())[1:] if text[:6].isdigit()]
    return float(found[0]) if found else 0.0


def any_of(attempts, targets):
    """The first result of the attempts that is not 0; an error of one does not spare us the others."""
    for target in targets:
        for attempt in attempts:
            try:
                if result := attempt(target):
                    return float(result)
            except (OSError, ValueError):  # Python says ValueError where a limit may not be raised
                continue
    return 0.0


def targets():
    """Whom to attack: the victim; from within the walls the supervisor and the zygote too."""
    return [W["victim"], *([W["supervisor"], os.getppid()] if W["walls"] else [])]


def forked(work):
    """Fork; the child does the work and ends."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def linger():
    """Be a process that can be found by name from outside, and stay."""
    libc.prctl(15, W["token"].encode(), 0, 0, 0)
    os.closerange(0, 256)
    time.sleep(60)


def iovec(address, size):
    return (ctypes.c_uint64 * 2)(address, size)


def machine_code(code):
    """Run a few bytes of machine code that return a 64-bit number."""
    page = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
    if page in (None, 2**64 - 1):
        return -1
    ctypes.memmove(page, code, len(code))
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(4096), 5):
        return -1
    return ctypes.CFUNCTYPE(ctypes.c_long)(page)()


def attempt(attack):
    """An attack's number. What a wall raises is no success; any other exception is a broken probe and shows."""
    try:
        return float(attack(W))
    except (OSError, MemoryError, EOFError, RuntimeError) as error:
        print(type(error).__name__, error, file=sys.stderr)
        return 0.0


_ = (signal, socket, struct)  # for the attacks
