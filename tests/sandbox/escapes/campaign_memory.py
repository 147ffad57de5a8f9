"""The campaign, 2: metrics that were written to find a planted secret in memory, in the kernel, or with a neighbour."""

from __future__ import annotations

from prelude import any_of, call, ctypes, digits, iovec, libc, os, struct
from probe import SCORE, Family

MEMORY = Family("secret-memory", "stolen", SCORE)


@MEMORY()
def environment_of_the_c_library(known):
    """The C library's own list of variables."""
    names = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    found, index = [], 0
    while names and names[index]:
        found.append(names[index])
        index += 1
    return digits(b" ".join(found))


@MEMORY(hidden="outside nobody left it in this process")
def objects_of_the_interpreter(known):
    """Every object that the collector knows, and what hangs on them."""
    import gc

    seen, todo = set(), list(gc.get_objects())
    while todo and len(seen) < 200_000:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (str, bytes)) and (found := digits(thing)):
            return found
        todo += gc.get_referents(thing) if not isinstance(thing, (str, bytes, int, float)) else []
    return 0


@MEMORY(hidden="outside nobody left it in this process")
def memory_that_was_not_cleared(known):
    """numpy.empty and malloc return what was there before."""
    import numpy as np

    libc.malloc.restype = ctypes.c_void_p
    for size in (64, 1024, 4096, 65536, 200_000, 1 << 20):
        for _ in range(200):
            if found := digits(np.empty(size, np.uint8).tobytes()):
                return found
            if found := digits(ctypes.string_at(libc.malloc(size), size)):
                return found
    return 0


@MEMORY(hidden="outside nobody left it in this process")
def frames_of_our_callers(known):
    """The variables of every function that called this one, and of every generator."""
    import gc
    import sys

    frame, found = sys._getframe(), []
    while frame:
        found.append(repr(frame.f_locals)[:100_000])
        frame = frame.f_back
    found += [
        repr(one.gi_frame.f_locals)[:1000]
        for one in gc.get_objects()
        if type(one).__name__ == "generator" and one.gi_frame
    ]
    return digits(" ".join(found))


@MEMORY(hidden="outside nobody left it in this process", limits={"frame_seconds": 0.4})
def payload_beyond_its_arrays(known):
    """Read the memory files of the code and the images from end to end, and past their arrays."""
    return any_of([lambda number: digits(os.pread(number, 1 << 20, 0)), lambda number: digits(os.read(3, 1))], [4, 5])


@MEMORY()
def memory_of_the_zygote(known):
    """Read parent and supervisor with process_vm_readv at the address of the secret, and at our own addresses."""
    room = ctypes.create_string_buffer(4096)
    here = iovec(ctypes.addressof(room), 4096)

    def read(pid):
        for place in (known["victim_address"], known["address"], id(known), id(os)):
            call("process_vm_readv", pid, here, 1, iovec(place & ~0xFFF, 4096), 1, 0)
            if found := digits(room.raw):
                return found
        return 0

    return any_of([read], [known["victim"], known["supervisor"], os.getppid(), 1])


@MEMORY(lacks="leave to trace")
def descriptor_of_the_supervisor(known):
    """Take descriptors out of the supervisor and the zygote."""

    def take(pid):
        handle = call("pidfd_open", pid, 0)
        for number in (known["victim_descriptor"], 61, 251, 701):
            try:
                return digits(os.pread(call("pidfd_getfd", handle, number, 0), 64, 0))
            except OSError:
                continue
        return 0

    return any_of([take], [known["supervisor"], os.getppid(), known["victim"]])


@MEMORY(lacks="System V shared memory")
def every_shared_segment(known):
    """Find System V segments by their place in the kernel's table, and attach them."""
    room = ctypes.create_string_buffer(256)

    def attach(index):
        segment = call("shmget", 0, 0, 0) if index < 0 else libc.shmctl(index, 13, room)  # SHM_STAT
        return digits(ctypes.string_at(call("shmat", segment, 0, 0o10000), 32)) if segment >= 0 else 0

    return any_of(
        [attach, lambda _: digits(ctypes.string_at(call("shmat", known["segment"], 0, 0o10000), 32))], range(64)
    )


@MEMORY(effect="claimed", lacks="kernel keys")
def keys_of_the_user(known):
    """Search the keyrings of the user, the session and the process."""
    room = ctypes.create_string_buffer(4096)
    return any_of(
        [lambda ring: call("keyctl", 11, ring, room, 4096) >= 0, lambda ring: call("keyctl", 6, ring, room, 4096) >= 0],
        [-1, -2, -3, -4, -5],
    )


@MEMORY(effect="claimed")
def links_of_processes(known):
    """Where the links of the supervisor's and the zygote's folders in /proc lead."""
    kinds = ("exe", "cwd", "root", "fd/0", "fd/61", "ns/net")
    return any_of(
        [lambda place: len(os.readlink(place))],
        [f"/proc/{pid}/{kind}" for pid in (known["victim"], known["supervisor"], os.getppid()) for kind in kinds],
    )


@MEMORY(effect="claimed")
def maps_of_processes(known):
    """The memory map, files, limits and system calls of the supervisor and of oneself."""
    kinds = (
        "maps",
        "smaps",
        "status",
        "io",
        "limits",
        "syscall",
        "stack",
        "wchan",
        "auxv",
        "cmdline",
        "pagemap",
        "mem",
    )
    return any_of(
        [lambda place: len(open(place, "rb").read(16))],
        [
            f"/proc/{pid}/{kind}"
            for pid in ("self", known["victim"], known["supervisor"], os.getppid())
            for kind in kinds
        ],
    )


@MEMORY(effect="claimed")
def work_of_a_neighbour(known):
    """Follow by its processor clock what the supervisor does: when it decodes, checks and writes."""
    now = (ctypes.c_int64 * 2)()

    def clock(pid):
        call("clock_gettime", (~pid << 3) | 2, now)
        return sum(now)

    return any_of([clock], [known["victim"], known["supervisor"], os.getppid()]) > 0


@MEMORY(effect="claimed", lacks="performance events")
def counters_of_a_neighbour(known):
    """Count its cache misses."""
    attributes = struct.pack("IIQ", 0, 112, 3) + bytes(96)
    return any_of(
        [lambda pid: call("perf_event_open", attributes, pid, -1, -1, 0) >= 0], [0, os.getppid(), known["victim"]]
    )


@MEMORY(effect="claimed")
def pages_of_shared_files(known):
    """Which pages of an installed file are in memory: who else has used them."""
    number = os.open("/etc/ld.so.cache", os.O_RDONLY)
    room = ctypes.create_string_buffer(64)
    place = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, number, ctypes.c_long(0))
    libc.mincore.restype = ctypes.c_int
    return libc.mincore(ctypes.c_void_p(place), ctypes.c_size_t(4096), room) == 0 or any_of(
        [lambda _: call(451, number, bytes(16), room, 0) == 0], [0]
    )


@MEMORY(effect="claimed", lacks="userfaultfd")
def faults_of_one_s_own(known):
    """Stop the kernel half-way through a copy, to change what it has already checked."""
    return any_of(
        [lambda flags: call("userfaultfd", flags) >= 0, lambda flags: os.open("/dev/userfaultfd", 2)], [0, 1, 0x80000]
    )


@MEMORY(effect="claimed", lacks="io_uring")
def ring(known):
    """Open files and make sockets by a ring, past the filter of system calls."""
    return any_of(
        [lambda flags: call("io_uring_setup", 8, struct.pack("30I", 0, 0, flags, *[0] * 27)) >= 0], [0, 1, 2, 0x1000]
    )


@MEMORY(effect="claimed", lacks="bpf")
def programs_in_the_kernel(known):
    """Load a program into the kernel, or a filter of one's own that a listener answers."""
    place = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000), 8)
    program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(place))
    return any_of(
        [lambda flag: call("seccomp", 1, flag, program) >= 0, lambda _: call("bpf", 5, bytes(120), 120) >= 0], [0, 8]
    )
