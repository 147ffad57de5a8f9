"""The seccomp filters, on both architectures, call by call: interpreted here, so nothing is left to this machine."""

import errno
import functools
import platform
import sys

import pytest
from bpf_interpreter import ALLOW, AUDIT_ARCH, ERRNO, KILL_PROCESS, answer
from hypothesis import given, settings
from hypothesis import strategies as st

from metricloop.sandbox import syscalls
from metricloop.sandbox.syscalls import FilterError, compile_filter

try:
    compile_filter("score", signals=False)
except FilterError as error:
    pytest.skip(str(error), allow_module_level=True)

import pyseccomp

ARCHITECTURES = ["x86_64", "aarch64"]
MODES = ["score", "run"]
REFUSED = ERRNO | errno.EPERM
BEYOND = 600  # no architecture has a call of a higher number today
EVERY = 0xFFFF_FFFF_FFFF_FFFF
both = pytest.mark.parametrize("architecture", ARCHITECTURES)
either = pytest.mark.parametrize("mode", MODES)

# What no contained code may call, whatever the arguments; independent of the table in sandbox.syscalls.
DOORS = str.split("""
    socket connect bind listen accept accept4 sendmsg sendmmsg recvmsg recvmmsg setsockopt
    execve execveat fork vfork clone3 ptrace process_vm_readv process_vm_writev process_madvise kcmp
    pidfd_open pidfd_getfd pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tkill
    io_uring_setup io_uring_enter io_uring_register io_setup io_submit bpf perf_event_open userfaultfd
    keyctl add_key request_key unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsmount
    fspick fsconfig mount_setattr swapon swapoff reboot init_module finit_module delete_module kexec_load
    kexec_file_load acct quotactl syslog sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset setpgid setsid
    setpriority sched_setscheduler sched_setattr sched_setparam sched_setaffinity setrlimit ioprio_set personality
    openat2 open_by_handle_at name_to_handle_at creat mknod mknodat link linkat symlink symlinkat truncate chown
    fchown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr utime utimes
    futimesat memfd_create memfd_secret shmget shmat shmctl msgget msgsnd semget mq_open mq_unlink
    inotify_init1 inotify_add_watch fanotify_init fanotify_mark splice tee vmsplice seccomp landlock_create_ruleset
    landlock_add_rule landlock_restrict_self iopl ioperm modify_ldt arch_prctl mlock mlock2 mlockall mbind
    set_mempolicy migrate_pages move_pages remap_file_pages pkey_alloc pkey_mprotect timer_create
    lookup_dcookie vhangup uselib ustat sysfs _sysctl process_mrelease cachestat capget get_robust_list ioprio_get
    futex_waitv
""")


@functools.cache
def number(name, architecture):
    """A call's number, below 0 where the architecture, or this libseccomp, does not have it."""
    return pyseccomp.resolve_syscall(getattr(pyseccomp.Arch, architecture.upper()), name)


def ask(mode, architecture, name, *arguments, signals=True):
    called = name if isinstance(name, int) else number(name, architecture)
    program = compile_filter(mode, signals, architecture)
    return answer(program, AUDIT_ARCH[architecture], called, arguments)


def numbers(names, architecture):
    return {found for name in names if (found := number(name, architecture)) >= 0}


def checked(mode):
    return [*syscalls.ALWAYS_CHECKED, *(syscalls.SCORE_CHECKED if mode == "score" else syscalls.RUN_CHECKED)]


@both
@either
@pytest.mark.parametrize("signals", [True, False])
@pytest.mark.parametrize("argument", [0, 1, 0xFFFF_FFFF, 0xDEAD_BEEF_0000_0000, EVERY])
def test_the_calls_that_need_no_check_are_those_of_the_table_and_no_other(architecture, mode, signals, argument):
    run = mode == "run"
    plain = syscalls.ALWAYS + (syscalls.RUN + (syscalls.SIGNALS if signals else []) if run else [])
    answers = {number(name, architecture): ERRNO | code for name, code in syscalls.ABSENT.items()}
    answers |= {number(name, architecture): ERRNO for name in syscalls.PRETENDED} if run else {}
    answers |= dict.fromkeys(numbers(plain, architecture), ALLOW)
    looked_at = numbers([name for name, _ in checked(mode)], architecture)
    for called in set(range(BEYOND)) - looked_at:
        said = ask(mode, architecture, called, *[argument] * 6, signals=signals)
        assert said == answers.get(called, REFUSED), called


@both
def test_the_table_holds_what_python_cannot_do_without(architecture):
    for mode in MODES:
        for name in ("read", "write", "munmap", "exit_group", "getrandom", "rt_sigaction"):
            assert ask(mode, architecture, name, 3, 4, 5) == ALLOW


@both
@either
def test_doors_stay_shut_whatever_the_arguments(architecture, mode):
    known = [name for name in DOORS if number(name, architecture) >= 0]
    assert len(known) > 120
    for name in known:
        for argument in (0, 1, 2, 0x1000, EVERY):
            said = ask(mode, architecture, name, *[argument] * 6)
            assert said == (ERRNO | errno.ENOSYS if name == "clone3" else REFUSED), name


@both
def test_a_door_is_in_no_table(architecture):
    assert not set(DOORS) & {*syscalls.ALWAYS, *syscalls.RUN, *syscalls.SIGNALS}
    assert not set(DOORS) & {name for mode in MODES for name, _ in checked(mode)}


@both
@either
def test_calls_of_another_architecture_end_the_process(architecture, mode):
    program = compile_filter(mode, True, architecture)
    for other in AUDIT_ARCH.keys() - {architecture}:
        for called in (0, 1, 3, 11, 59, 102, 221, 399):
            assert answer(program, AUDIT_ARCH[other], called) == KILL_PROCESS


@either
def test_the_calls_of_x32_end_the_process(mode):
    program = compile_filter(mode, True, "x86_64")
    for called in [*range(BEYOND), 0x3FFF_FFFF]:
        assert answer(program, AUDIT_ARCH["x86_64"], called | 0x4000_0000) == KILL_PROCESS


@either
def test_a_number_that_looks_negative_is_refused(mode):
    assert answer(compile_filter(mode, True, "x86_64"), AUDIT_ARCH["x86_64"], 0xFFFF_FFFF) in (KILL_PROCESS, REFUSED)
    assert answer(compile_filter(mode, True, "aarch64"), AUDIT_ARCH["aarch64"], 0xFFFF_FFFF) == REFUSED
    assert answer(compile_filter(mode, True, "aarch64"), AUDIT_ARCH["aarch64"], 0x4000_0000) == REFUSED


@either
@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter for this architecture")
def test_the_filter_installed_here_is_the_one_looked_at(mode):
    assert compile_filter(mode, True) == compile_filter(mode, True, platform.machine())


# linux/fcntl.h, linux/sched.h and the like, written out: what is looked at must not come from what looks.
RDONLY, WRONLY, RDWR, CREAT, EXCL, TRUNC, APPEND = 0, 1, 2, 0o100, 0o200, 0o1000, 0o2000
DIRECTORY, NOFOLLOW, CLOEXEC, PATH, TMPFILE = 0o200000, 0o400000, 0o2000000, 0o10000000, 0o20200000
HERE = 0xFFFF_FF9C  # AT_FDCWD, as an int in a register
THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x100000 | 0x200000  # what pthread_create asks
PRIVATE, REALTIME = 128, 256  # of futex(2)
FORK = 0x1000000 | 0x200000 | 17  # CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD
NAMESPACES = {"NEWNS": 0x20000, "NEWCGROUP": 0x02000000, "NEWUTS": 0x04000000, "NEWIPC": 0x08000000,
              "NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000, "NEWTIME": 0x80}  # fmt: skip
NONBLOCK = 0o4000

CLOCKS = ("clock_gettime", "clock_getres", "clock_nanosleep")

OPENED = [
    # flags, allowed in score, allowed in run
    (RDONLY, True, True),
    (RDONLY | CLOEXEC, True, True),
    (RDONLY | DIRECTORY | NOFOLLOW | CLOEXEC | NONBLOCK, True, True),
    (PATH, True, True),
    (WRONLY, False, True),
    (RDWR, False, True),
    (3, False, False),  # an access of its own, for ioctl
    (RDONLY | CREAT, False, True),
    (RDONLY | TRUNC, False, False),  # truncates, and Landlock before ABI 3 sees no writing
    (3 | TRUNC, False, False),
    (RDONLY | TRUNC | CREAT, False, False),
    (WRONLY | TRUNC | CREAT, False, True),
    (RDWR | TRUNC | CREAT | EXCL | CLOEXEC, False, True),
    (WRONLY | APPEND, False, True),
    (TMPFILE, False, False),
    (TMPFILE | WRONLY, False, False),
    (TMPFILE | RDWR | EXCL, False, False),
    (0o20000000 | RDWR, False, False),  # __O_TMPFILE without O_DIRECTORY
]
LOOKED_AT = [
    # call, arguments, allowed in score, allowed in run
    *[("openat", (HERE, 0x1000, flags, 0o644), score, run) for flags, score, run in OPENED],
    *[("open", (0x1000, flags, 0o644), score, run) for flags, score, run in OPENED],
    *[("openat", (HERE, 0x1000, WRONLY | CREAT, made), False, True) for made in (0o600, 0o666, 0o777, 0o100600)],
    *[("open", (0x1000, WRONLY | CREAT, made), False, True) for made in (0o600, 0o666, 0o777)],
    *[("mkdirat", (HERE, 0x1000, made), False, True) for made in (0o700, 0o777)],
    *[("mkdir", (0x1000, made), False, True) for made in (0o700, 0o777)],
    # What the supervisor of the same user could not list or read, it could not count.
    *[("openat", (HERE, 0x1000, RDWR | CREAT | TRUNC, made), False, False) for made in (0, 0o200, 0o400, 0o077)],
    *[("openat", (HERE, 0x1000, CREAT, made), False, False) for made in (0, 0o200, 0o400, 0o077)],
    *[("open", (0x1000, RDWR | CREAT | EXCL, made), False, False) for made in (0, 0o200, 0o400, 0o077)],
    *[("mkdirat", (HERE, 0x1000, made), False, False) for made in (0, 0o300, 0o500, 0o600, 0o077)],
    *[("mkdir", (0x1000, made), False, False) for made in (0, 0o300, 0o500, 0o600, 0o077)],
    ("mmap", (0, 4096, 3, 0x22, EVERY, 0), True, True),  # MAP_PRIVATE | MAP_ANONYMOUS
    ("mmap", (0, 4096, 5, 0x802, 3, 0), True, True),  # a shared library: MAP_PRIVATE | MAP_DENYWRITE
    ("mmap", (0, 4096, 1, 0x01, 3, 0), True, True),  # MAP_SHARED, of a file
    # Memory that is shared and of no file would count towards no limit of a process.
    ("mmap", (0, 4096, 3, 0x21, EVERY, 0), False, False),
    ("mmap", (0, 4096, 3, 0x21, 3, 0), False, False),
    ("mmap", (0, 4096, 3, 0x23, EVERY, 0), False, False),  # MAP_SHARED_VALIDATE
    ("mmap", (0, 4096, 3, 0x03, 3, 0), False, False),
    ("mmap", (0, 4096, 3, 0x20, EVERY, 0), False, False),
    *[("renameat2", (HERE, 0x1000, HERE, 0x2000, flags), False, True) for flags in (0, 1)],
    # RENAME_EXCHANGE, and RENAME_WHITEOUT, which makes a device
    *[("renameat2", (HERE, 0x1000, HERE, 0x2000, flags), False, False) for flags in (2, 4, 5, 8)],
    ("clone", (FORK,), False, True),
    ("clone", (THREAD,), False, True),
    ("clone", (THREAD & ~0x10000 | 17,), False, True),
    ("clone", (17 | 0x100 | 0x4000,), False, True),  # vfork: the child runs in the parent's memory until it ends
    *[("clone", (FORK | flag,), False, False) for flag in NAMESPACES.values()],
    *[("clone", (THREAD | flag,), False, False) for flag in NAMESPACES.values()],
    ("clone", (sum(NAMESPACES.values()),), False, False),
    ("clone", (FORK | 0x8000,), False, False),  # CLONE_PARENT: a sibling, whose parent is the zygote
    ("clone", (FORK | 0x2000,), False, False),  # CLONE_PTRACE
    *[("socketpair", (1, 1 | flags, 0), False, True) for flags in (0, CLOEXEC, NONBLOCK, CLOEXEC | NONBLOCK)],
    *[("socketpair", (1, kind | CLOEXEC, 0), False, False) for kind in (2, 3, 4, 5)],  # datagram, raw, rdm, seqpacket
    *[("socketpair", (family, 1, 0), False, False) for family in (0, 2, 10, 16, 17, 30, 40)],
    ("sendto", (3, 0x1000, 5, 0, 0, 0), False, True),
    ("sendto", (3, 0x1000, 5, 0x4000, 0, 0), False, True),
    ("sendto", (3, 0x1000, 5, 0, 0x2000, 16), False, False),
    ("sendto", (3, 0x1000, 5, 0, 1 << 32, 16), False, False),  # an address in the upper half only
    *[("prctl", (option,), True, True) for option in (2, 15, 16)],
    # Death signal, dumpable, keep capabilities, seccomp, bounding set, securebits, subreaper, ambient, tracer, mm, ...
    *[("prctl", (option,), False, False) for option in (1, 3, 4, 8, 22, 24, 28, 35, 36, 38, 47, 0x59616D61, 59)],
    ("prlimit64", (0, 7, 0, 0x1000), True, True),
    ("prlimit64", (0, 7, 0x1000, 0), False, False),  # sets
    ("prlimit64", (1, 7, 0, 0x1000), False, False),  # of another
    ("prlimit64", (0, 7, 1 << 32, 0), False, False),
    ("sched_getaffinity", (0, 8, 0x1000), True, True),
    ("sched_getaffinity", (1, 8, 0x1000), False, False),
    *[(name, (clock,), True, True) for name in CLOCKS for clock in (0, 1, 2, 3, 4, 7, 11)],
    # Those of process 1234 and its thread, of itself by that way, of descriptor 3; the last two as 32 bits.
    *[(name, (clock & EVERY,), False, False) for name in CLOCKS for clock in (~1234 << 3 | 2, ~1234 << 3 | 6, -6, -29)],
    *[(name, (clock & 0xFFFF_FFFF,), False, False) for name in CLOCKS for clock in (~1234 << 3 | 2, -29)],
    *[(name, (0,), True, True) for name in ("getpgid", "getsid")],
    *[(name, (0,), False, True) for name in ("sched_getscheduler", "sched_getparam")],
    *[(name, (1,), False, False) for name in ("getpgid", "getsid", "sched_getscheduler", "sched_getparam")],
    ("getpriority", (0, 0), False, True),
    *[("getpriority", which, False, False) for which in ((0, 1), (1, 0), (1, 7), (2, 0), (2, 1000))],
    *[("futex", (0x1000, op | PRIVATE | real), True, True) for op in (0, 1, 3, 4, 5, 9, 10) for real in (0, REALTIME)],
    # Locks that lend priority, private and shared; requeueing and waking on pages that others may share.
    *[("futex", (0x1000, op | kind), False, False) for op in (2, 6, 7, 8, 11, 12, 13) for kind in (0, PRIVATE)],
    *[("futex", (0x1000, op), False, False) for op in (3, 4, 5)],
    *[("ioctl", (0, request), True, True) for request in (0x5401, 0x541B, 0x5450, 0x5451)],
    ("ioctl", (0, 0x5421), False, True),  # FIONBIO
    # TIOCSTI, TIOCLINUX, TCSETS, TIOCSCTTY, TIOCSPGRP, TIOCSETD, FIOASYNC, FIOSETOWN, SIOCSPGRP, FICLONE, SIOCGIFCONF
    *[("ioctl", (0, request), False, False) for request in (0x5412, 0x541C, 0x5402, 0x540E, 0x5410, 0x5423, 0x5452)],
    *[("ioctl", (0, request), False, False) for request in (0x8901, 0x8902, 0x40049409, 0x8912, 0)],
    *[("fcntl", (3, command), True, True) for command in (0, 1, 2, 3, 4, 1030)],
    *[("fcntl", (3, command), False, True) for command in (5, 6, 7)],  # locks
    # F_SETOWN, F_GETOWN, F_SETSIG, F_SETOWN_EX, leases, notices, pipe sizes, seals
    *[("fcntl", (3, command), False, False) for command in (8, 9, 10, 11, 15, 16, 1024, 1026, 1031, 1033, 1034)],
    *[(name, (1234, 9), False, True) for name in ("kill", "tgkill")],
]  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "name", "arguments", "score", "run"),
    [(known, *case) for known in ARCHITECTURES for case in LOOKED_AT if number(case[0], known) >= 0],
)
def test_calls_that_are_looked_at(architecture, name, arguments, score, run):
    for mode, allowed in (("score", score), ("run", run)):
        assert ask(mode, architecture, name, *arguments) == (ALLOW if allowed else REFUSED), mode


@both
def test_every_call_that_is_looked_at_is_in_the_table_above(architecture):
    """So that nobody adds a checked call without saying here what it allows and refuses."""
    assert {name for mode in MODES for name, _ in checked(mode)} <= {name for name, *_ in LOOKED_AT}


@both
@pytest.mark.parametrize("name", ["kill", "tgkill"])
def test_signals_are_refused_where_the_kernel_does_not_keep_them_within_the_tree(architecture, name):
    for arguments in ((0, 9), (1234, 0), (1, 1, 9), (EVERY, 9)):
        assert ask("run", architecture, name, *arguments, signals=False) == REFUSED
    assert ask("score", architecture, name, 0, 0) == REFUSED


@both
def test_copying_works_in_a_project_though_modes_and_times_stay(architecture):
    for name in numbers(("umask", "chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat"), architecture):
        assert ask("run", architecture, name, 3, 0o777) == ERRNO  # says yes, does nothing
        assert ask("score", architecture, name, 3, 0o777) == REFUSED
    for mode in MODES:
        assert ask(mode, architecture, "flistxattr", 3) == ERRNO | errno.ENOTSUP
        assert ask(mode, architecture, "clone3", 0) == ERRNO | errno.ENOSYS


@both
def test_nobody_sleeps_or_wakes_others_at_a_page_that_processes_share(architecture):
    """glibc's pthread_join waits with the operation of the first row; "look again" makes it look until it is so."""
    for operation, answered in ((9 | REALTIME, errno.EAGAIN), (9, errno.EAGAIN), (0, errno.EAGAIN), (1, 0), (10, 0)):
        assert ask("run", architecture, "futex", 0x1000, operation) == ERRNO | answered
        assert ask("score", architecture, "futex", 0x1000, operation) == REFUSED


@both
@either
def test_a_lock_without_the_right_to_write_is_not_there(architecture, mode):
    for operation in (1, 2, 4 | 2, 8):
        assert ask(mode, architecture, "flock", 3, operation) == ERRNO | errno.ENOSYS


upper = st.integers(min_value=1, max_value=0xFFFF_FFFF)
DENIED = [
    (name, arguments, mode)
    for name, arguments, score, run in LOOKED_AT
    for mode, allowed in (("score", score), ("run", run))
    if not allowed
]


@both
@given(case=st.sampled_from(DENIED), more=st.lists(upper | st.just(0), min_size=6, max_size=6))
@settings(max_examples=400, deadline=None)
def test_more_in_the_upper_half_of_a_register_opens_nothing(architecture, case, more):
    """The kernel takes most arguments as 32 bits: a value it cuts down to a refused one must be refused as well."""
    name, arguments, mode = case
    if number(name, architecture) < 0:
        return
    padded = [*arguments, *[0] * (6 - len(arguments))]
    wide = [value | bits << 32 for value, bits in zip(padded, more, strict=True)]
    assert ask(mode, architecture, name, *wide) == REFUSED


values = st.sampled_from([0, 1, 2, 3, 17, HERE, EVERY, 0x5421, 0x541B, FORK, THREAD, CREAT, TRUNC, 1 << 32])
calls = st.tuples(
    st.integers(0, BEYOND), st.lists(values | st.integers(0, 20) | st.integers(0, EVERY), min_size=6, max_size=6)
)


@both
@given(call=calls)
@settings(max_examples=500, deadline=None)
def test_a_project_may_make_every_call_that_a_metric_may(architecture, call):
    called, arguments = call
    if ask("score", architecture, called, *arguments) == ALLOW:
        assert ask("run", architecture, called, *arguments) == ALLOW


@both
@either
@given(call=calls)
@settings(max_examples=500, deadline=None)
def test_refused_or_allowed_but_never_anything_else(architecture, mode, call):
    called, arguments = call
    answers = {REFUSED, ALLOW, ERRNO | errno.ENOSYS, ERRNO | errno.ENOTSUP}
    answers |= {ERRNO, ERRNO | errno.EAGAIN} if mode == "run" else set()
    assert ask(mode, architecture, called, *arguments) in answers


def test_without_libseccomp_there_is_no_filter(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    with pytest.raises(FilterError, match="install libseccomp2"):
        compile_filter.__wrapped__("score", False)


def test_a_filter_takes_up_what_the_kernel_accepts():
    for mode in MODES:
        for architecture in ARCHITECTURES:
            program = compile_filter(mode, True, architecture)
            assert len(program) % 8 == 0
            assert 0 < len(program) // 8 <= 4096  # BPF_MAXINSNS
