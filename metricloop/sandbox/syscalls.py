"""The system calls that sandboxed code may make: an allow-list, and the seccomp filter that libseccomp makes of it.

A call that is not listed fails with EPERM; calls of another architecture (32-bit, x32) end the process. A filter sees
numbers, not paths: Landlock limits which files may be opened.
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Literal

Mode = Literal["score", "run"]
Masked = tuple[int, int, int]  # argument number, mask, value: allowed where argument & mask == value

_EVERY = 0xFFFF_FFFF_FFFF_FFFF
_NEW_NAMESPACES = 0x7E02_0000 | 0x80  # CLONE_NEWNS ... CLONE_NEWNET, CLONE_NEWTIME
_CLONE_PARENT_OR_PTRACE = 0x8000 | 0x2000
_RDONLY, _WRONLY, _RDWR, _ACCESS, _CREAT, _TRUNC, _TMPFILE = 0, 1, 2, 3, 0o100, 0o1000, 0o20000000
_UNIX, _STREAM, _TYPE = 1, 1, 0xF
_WAIT, _WAKE, _WAIT_BITSET, _WAKE_BITSET, _PRIVATE, _REALTIME = 0, 1, 9, 10, 128, 256  # of futex(2)
_OPERATIONS = (_WAIT, _WAKE, 3, 4, 5, _WAIT_BITSET, _WAKE_BITSET)  # and requeue; not those that lend priority
_MAP_SHARED, _MAP_PRIVATE, _MAP_TYPE, _MAP_ANONYMOUS = 1, 2, 0xF, 0x20


def _names(text: str) -> list[str]:
    return text.split()


def _equal(argument: int, value: int) -> Masked:
    return argument, _EVERY, value


def _opening(call: str, flags: int) -> Iterator[tuple[str, list[Masked]]]:
    """Open to read, to write, or both, an existing file or a new readable one. flags: the number of that argument.

    O_TRUNC only with write access, which Landlock checks: before ABI 3 it does not check truncation.
    """
    for access, without in ((_RDONLY, _TRUNC), (_WRONLY, 0), (_RDWR, 0)):
        mask = _ACCESS | _CREAT | _TMPFILE | without
        yield call, [(flags, mask, access)]
        yield call, [(flags, mask, access | _CREAT), (flags + 1, 0o600, 0o600)]


# Reading, computing, ending: what numpy and OpenCV need in one thread.
ALWAYS = _names("""
    read readv pread64 write writev close lseek fstat newfstatat stat lstat statx access faccessat faccessat2
    readlink readlinkat getdents64 getcwd fadvise64 dup dup2 dup3 munmap mprotect mremap madvise brk
    membarrier rseq set_robust_list set_tid_address rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending
    sigaltstack restart_syscall nanosleep gettimeofday time times getrusage getpid gettid getppid getpgrp getuid
    geteuid getgid getegid getresuid getresgid getgroups getrandom getcpu getrlimit uname sysinfo sched_yield poll
    ppoll select pselect6 exit exit_group
""")

# Allowed with these arguments only; several entries of one name are alternatives.
ALWAYS_CHECKED: list[tuple[str, list[Masked]]] = [
    *(("fcntl", [_equal(1, command)]) for command in (0, 1, 2, 3, 4, 1030)),  # F_DUPFD, F_[GS]ETFD, F_[GS]ETFL, ...
    *(("ioctl", [_equal(1, request)]) for request in (0x5401, 0x541B, 0x5450, 0x5451)),  # TCGETS, FIONREAD, FIO[N]CLEX
    # Private memory, or a file shared: shared memory without a file counts towards no limit of a process.
    ("mmap", [(3, _MAP_TYPE, _MAP_PRIVATE)]),
    ("mmap", [(3, _MAP_TYPE | _MAP_ANONYMOUS, _MAP_SHARED)]),
    # Facts about itself. Negative clocks are those of other processes and of devices.
    *((call, [(0, _EVERY & ~0xF, 0)]) for call in ("clock_gettime", "clock_getres", "clock_nanosleep")),
    *((call, [_equal(0, 0)]) for call in ("getpgid", "getsid", "sched_getaffinity")),
    ("prlimit64", [_equal(0, 0), _equal(2, 0)]),  # read its own limits
    *(("futex", [(1, _EVERY & ~_REALTIME, _PRIVATE | operation)]) for operation in _OPERATIONS),
    *(("prctl", [_equal(0, option)]) for option in (2, 15, 16)),  # PR_GET_PDEATHSIG, PR_[SG]ET_NAME
]

# A metric opens files for reading only.
SCORE_CHECKED: list[tuple[str, list[Masked]]] = [
    ("open", [(1, _ACCESS | _CREAT | _TRUNC | _TMPFILE, 0)]),
    ("openat", [(2, _ACCESS | _CREAT | _TRUNC | _TMPFILE, 0)]),
]

# A project also writes files, starts threads and processes, and has pipes and event loops.
RUN = _names("""
    pwrite64 pwritev preadv ftruncate fsync fdatasync rmdir unlink unlinkat rename
    renameat chdir fchdir copy_file_range sendfile msync wait4 waitid pipe pipe2 eventfd2
    epoll_create1 epoll_ctl epoll_wait epoll_pwait timerfd_create timerfd_settime timerfd_gettime recvfrom
    shutdown getsockopt getsockname getpeername setitimer getitimer alarm pause rt_sigtimedwait rt_sigsuspend
    signalfd4 sched_get_priority_max sched_get_priority_min get_mempolicy
""")

RUN_CHECKED: list[tuple[str, list[Masked]]] = [
    ("clone", [(0, _NEW_NAMESPACES | _CLONE_PARENT_OR_PTRACE, 0)]),
    ("socketpair", [_equal(0, _UNIX), (1, _TYPE, _STREAM)]),  # a datagram pair could be sent elsewhere
    *(("renameat2", [_equal(4, flags)]) for flags in (0, 1)),  # RENAME_NOREPLACE; a whiteout would be a device
    ("sendto", [_equal(4, 0)]),  # no address: to the other end of the socket pair
    ("ioctl", [_equal(1, 0x5421)]),  # FIONBIO
    *(("fcntl", [_equal(1, command)]) for command in (5, 6, 7)),  # locks
    *((call, [_equal(0, 0)]) for call in ("sched_getscheduler", "sched_getparam")),
    ("getpriority", [_equal(0, 0), _equal(1, 0)]),
    # The supervisor, as the same user, must be able to list new folders and files to count them.
    ("mkdir", [(1, 0o700, 0o700)]),
    ("mkdirat", [(2, 0o700, 0o700)]),
    *_opening("open", 1),
    *_opening("openat", 2),
]
SIGNALS = ["kill", "tgkill"]  # only when Landlock keeps them within the process tree

# Landlock does not check these. They fail with an errno that programs can handle. A lock by flock needs no right to
# write, so it could shut other programs out of an installed file.
ABSENT = {
    "clone3": errno.ENOSYS, "flock": errno.ENOSYS,
    "listxattr": errno.ENOTSUP, "llistxattr": errno.ENOTSUP, "flistxattr": errno.ENOTSUP,
}  # fmt: skip
# In a project they report success and do nothing, so that shutil.copy works: modes and times of files do not change.
PRETENDED = ["umask", "chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat"]
# Processes that share a page, such as two sandboxes one of a library, could wake each other. So in a project nobody is
# put to sleep or woken there: a wait says "look again", and whoever waits (pthread_join) looks until it is so.
SHARED = {_WAIT: errno.EAGAIN, _WAIT_BITSET: errno.EAGAIN, _WAKE: 0, _WAKE_BITSET: 0}


class FilterError(RuntimeError):
    """The filter cannot be made. The message says what is missing."""


@functools.cache
def compile_filter(mode: Mode, signals: bool, architecture: str = "native") -> bytes:
    """The seccomp program, 8 bytes an instruction.

    signals: allow mode `run` to send signals; only when the kernel keeps them within the process tree.
    architecture: "native"; or "x86_64" or "aarch64" to inspect the filter of another one.
    Errors: FilterError when libseccomp is missing or fails.
    """
    seccomp = _libseccomp()
    chosen = getattr(seccomp.Arch, architecture.upper())
    program = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    if architecture != "native":
        program.remove_arch(seccomp.system_arch())
        program.add_arch(chosen)
    program.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    plain, checked = [*ALWAYS], [*ALWAYS_CHECKED, *(SCORE_CHECKED if mode == "score" else RUN_CHECKED)]
    if mode == "run":
        plain += RUN + (SIGNALS if signals else [])
    answers = ABSENT | (dict.fromkeys(PRETENDED, 0) if mode == "run" else {})
    try:
        for name in plain:
            _add(seccomp, program, chosen, seccomp.ALLOW, name, [])
        for name, arguments in checked:
            _add(seccomp, program, chosen, seccomp.ALLOW, name, arguments)
        for name, number in answers.items():
            _add(seccomp, program, chosen, seccomp.ERRNO(number), name, [])
        for operation, number in SHARED.items() if mode == "run" else ():
            shared = [(1, _EVERY & ~_REALTIME, operation)]
            _add(seccomp, program, chosen, seccomp.ERRNO(number), "futex", shared)
        with tempfile.TemporaryFile() as file:
            program.export_bpf(file)
            return os.pread(file.fileno(), 1 << 20, 0)
    except OSError as error:
        raise FilterError(f"libseccomp cannot make the filter: {error}") from error


def _add(seccomp: Any, program: Any, architecture: int, action: int, name: str, arguments: list[Masked]) -> None:
    if seccomp.resolve_syscall(architecture, name) < 0:
        return  # this architecture, or this libseccomp, has no such call, so it stays refused
    masked = [seccomp.Arg(argument, seccomp.MASKED_EQ, mask, value) for argument, mask, value in arguments]
    program.add_rule_exactly(action, seccomp.resolve_syscall(seccomp.Arch.NATIVE, name), *masked)  # it translates


def _libseccomp() -> Any:
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        raise FilterError(f"{error}; install libseccomp2 (apt install libseccomp2) and pyseccomp") from None
    return pyseccomp
