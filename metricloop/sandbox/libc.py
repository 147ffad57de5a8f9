"""C calls that Python's standard library lacks, through ctypes. Each names the manual page that defines it.

Every function raises OSError with the errno of the kernel when the call fails.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2  # prctl(2): signal sent to this process when its parent thread ends
PR_SET_DUMPABLE = 4  # 0: no memory dump, and nobody but root looks into this process
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SYS_CLOSE_RANGE = 436  # calls added since Linux 5.0 have the same number on every architecture
SYS_LANDLOCK_CREATE_RULESET, SYS_LANDLOCK_ADD_RULE, SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446
CAPABILITY_VERSION_3 = 0x20080522  # capget(2): 64 bits of capabilities, as two 32-bit halves

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None  # the C library already loaded


class SockFilterProgram(ctypes.Structure):
    """struct sock_fprog of seccomp(2): the number of 8-byte instructions, and their address."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


class CapabilityHeader(ctypes.Structure):
    """struct __user_cap_header_struct of capset(2); pid 0 is the calling thread."""

    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def _checked(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def prctl(option: int, argument: object = 0) -> int:
    """prctl(2) with one argument; the unused ones must be zero, as unsigned longs."""
    assert _libc is not None
    zero = ctypes.c_ulong(0)
    value = ctypes.c_ulong(argument) if isinstance(argument, int) else argument
    return _checked(_libc.prctl(ctypes.c_int(option), value, zero, zero, zero), f"prctl({option})")


def syscall(number: int, *arguments: object) -> int:
    """syscall(2); plain ints are widened to the 64 bits of a register."""
    assert _libc is not None
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    _libc.syscall.restype = ctypes.c_long
    return _checked(_libc.syscall(ctypes.c_long(number), *wide), f"system call {number}")


def close_range(first: int, last: int = 0xFFFFFFFF) -> None:
    """close_range(2): close the descriptors from `first` to `last`, by default to the highest."""
    syscall(SYS_CLOSE_RANGE, first, last, 0)


def map_page(descriptor: int) -> None:
    """mmap(2): map the first page of a file for reading, for as long as this process lives."""
    assert _libc is not None
    _libc.mmap.restype = ctypes.c_void_p
    size, offset = ctypes.c_size_t(mmap.PAGESIZE), ctypes.c_long(0)
    place = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, offset)
    _checked(-1 if place == ctypes.c_void_p(-1).value else 0, "mmap")


def parent_death_signal() -> int:
    """The signal set by PR_SET_PDEATHSIG, 0 for none."""
    signal = ctypes.c_int(0)
    prctl(PR_GET_PDEATHSIG, ctypes.byref(signal))
    return signal.value


def drop_capabilities() -> None:
    """capset(2): give up every permitted, effective and inheritable capability of this thread."""
    assert _libc is not None
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low halves, then high halves
    header = CapabilityHeader(CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def capabilities() -> int:
    """capget(2): the permitted capabilities of this thread, one bit each."""
    assert _libc is not None
    sets = (ctypes.c_uint32 * 6)()
    header = CapabilityHeader(CAPABILITY_VERSION_3, 0)
    _checked(_libc.capget(ctypes.byref(header), ctypes.byref(sets)), "capget")
    return sets[1] | sets[4] << 32


def install_filter(program: bytes) -> None:
    """seccomp(2): no new privileges, then a filter for this thread and all it starts. It cannot be removed."""
    code = ctypes.create_string_buffer(program, len(program))  # must outlive the call: the kernel copies it
    described = SockFilterProgram(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    assert _libc is not None
    zero = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(SECCOMP_MODE_FILTER)
    _checked(_libc.prctl(PR_SET_SECCOMP, mode, ctypes.byref(described), zero, zero), "seccomp filter")
