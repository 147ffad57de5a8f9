"""Smaller doors: facts about others, words to others, and things that stay without being anybody's memory or file."""

from __future__ import annotations

from prelude import any_of, call, ctypes, errno, forked, libc, os, struct, targets
from probe import RUN, Family

DOORS = Family("doors", "claimed")


@DOORS()
def clock_of_others(known):
    """Read how much processor time another process has used, to the nanosecond."""
    now = (ctypes.c_int64 * 2)()

    def read(pid):
        call("clock_gettime", (~pid << 3) | 2, now)
        return sum(now) > 0

    return any_of([read, lambda pid: call("clock_getres", (~pid << 3) | 2, now) == 0], targets())


@DOORS()
def sleep_by_the_clock_of_others(known):
    """Sleep until another process has computed for a while."""
    soon = struct.pack("2q", 0, 1)
    return any_of([lambda pid: call("clock_nanosleep", (~pid << 3) | 2, 1, soon, 0) == 0], targets())


@DOORS()
def clock_of_a_device(known):
    """Use an open descriptor as a clock, which reaches into its driver."""
    now = (ctypes.c_int64 * 2)()
    try:
        call("clock_gettime", (~0 << 3) | 3, now)
    except OSError as error:
        return error.errno == errno.EINVAL  # the kernel looked at the descriptor
    return 1


@DOORS()
def capabilities_of_others(known):
    """Read what another process may do."""
    sets = (ctypes.c_uint32 * 6)()
    return any_of([lambda pid: call("capget", struct.pack("Ii", 0x20080522, pid), sets) == 0], targets())


@DOORS()
def session_of_others(known):
    """Ask for another process's session, group, priority and scheduler."""
    room = ctypes.create_string_buffer(64)
    asked = [
        lambda pid: call("getsid", pid) > 0,
        lambda pid: call("getpgid", pid) > 0,
        lambda pid: call("getpriority", 0, pid) > 0,
        lambda pid: call("sched_getscheduler", pid) >= 0,
        lambda pid: call("sched_getparam", pid, room) == 0,
        lambda pid: call("sched_getaffinity", pid, 64, room) > 0,
        lambda pid: call("prlimit64", pid, 7, 0, room) == 0,
        lambda pid: call("get_robust_list", pid, room, room) == 0,
        lambda pid: call("ioprio_get", 1, pid) >= 0,
    ]
    return any_of(asked, targets())


@DOORS()
def priority_of_a_user(known):
    """Ask for the highest priority among all processes of a user, and of a group."""
    return any_of([lambda which: call("getpriority", *which) > 0], [(2, 0), (2, os.getuid()), (1, os.getppid())])


@DOORS()
def word_to_another_sandbox(known):
    """Wait at, or wake, whoever waits at a page of an installed file, which all processes share."""
    number = os.open("/etc/ld.so.cache", os.O_RDONLY)
    place = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, number, ctypes.c_long(0))  # PROT_READ, MAP_SHARED
    word = ctypes.c_uint32.from_address(place).value

    def wait(operation):
        try:
            call("futex", place, operation, word, struct.pack("2q", 0, 1000), 0, 0xFFFFFFFF)
        except OSError as error:
            return error.errno == errno.ETIMEDOUT  # it did wait
        return 0

    return any_of([wait], [0, 9])


@DOORS(hidden="a wake without a sleeper says 0 too")
def refused_wake(known):
    """Wake the sleepers at an address of a file that only the kernel's own tables know; the answer tells whether."""
    number = os.open("/etc/ld.so.cache", os.O_RDONLY)
    place = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, number, ctypes.c_long(0))
    libc.munmap(ctypes.c_void_p(place), ctypes.c_size_t(4096))

    def wake(operation):
        try:
            call("futex", place, operation, 1, 0, 0, 0xFFFFFFFF)
        except OSError as error:
            return error.errno == errno.EFAULT  # the kernel looked up whose page it is
        return 0

    return any_of([wake], [1, 10])


@DOORS()
def inherited_priority(known):
    """Take a lock that lends priority, a part of the kernel with a long list of bugs."""
    word = ctypes.c_uint32(0)
    return any_of([lambda op: call("futex", ctypes.byref(word), op, 0, 0, 0, 0) == 0], [6, 8, 6 | 128, 8 | 128])


@DOORS()
def lock_on_an_installed_file(known):
    """Lock a file that everyone reads, so that other programs wait for ever."""
    number = os.open("/etc/ld.so.cache", os.O_RDONLY)
    return call("flock", number, 2 | 4) == 0


@DOORS(modes=RUN, effect="more than", held=200, limits={"file_mb": 4, "scratch_mb": 8, "written_mb": 64})
def one_file_rewritten(known):
    """Write the same few bytes of a file again and again, out to the disk each time."""
    number = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    block = os.urandom(2 << 20)
    for turn in range(130):
        os.pwrite(number, block, 0)
        os.fsync(number)
        print("NUMBER", 2 * turn, flush=True)
    return 260


@DOORS(modes=RUN, effect="more than", held=200, limits={"file_mb": 4, "scratch_mb": 8, "written_mb": 64})
def one_file_rewritten_by_many(known):
    """The same, each time by a process that ends at once, and by a mapping instead of a write."""
    import mmap

    with open("f", "wb") as file:
        file.write(bytes(2 << 20))
    for turn in range(130):

        def work(turn=turn):
            with open("f", "r+b") as file, mmap.mmap(file.fileno(), 2 << 20) as memory:
                memory[:] = bytes([turn % 256]) * (2 << 20)
                memory.flush()

        os.waitpid(forked(work), 0)
        print("NUMBER", 2 * turn, flush=True)
    return 260


@DOORS(hidden="it would leave a core")
def dumped_memory(known):
    """Be allowed a memory dump by a core_pattern that is a pipe: the kernel gives it every size except 1."""
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE) != (1, 1)
