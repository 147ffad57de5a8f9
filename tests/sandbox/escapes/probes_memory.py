"""Taking more memory than is given."""

from __future__ import annotations

from prelude import call, ctypes, forked, libc, os, socket, time
from probe import RUN, Family

MEMORY = Family("memory", "more than", held=192, limits={"memory_mb": 128, "batch_seconds": 10})


@MEMORY()
def numpy_array(known):
    """One array, every page of it written."""
    import numpy as np

    return np.ones(320 << 20, np.uint8).sum() / (1 << 20)


@MEMORY()
def list_that_grows(known):
    """A list of bytes objects."""
    kept = []
    while len(kept) < 320:
        kept.append(b"x" * (1 << 20))
    return len(kept)


@MEMORY()
def anonymous_map(known):
    """An anonymous private mapping, by the C library."""
    place = libc.mmap(None, ctypes.c_size_t(320 << 20), 3, 0x22, -1, ctypes.c_long(0))
    if place == 2**64 - 1:
        return 0
    ctypes.memset(place, 1, 320 << 20)
    return 320


@MEMORY()
def shared_map(known):
    """An anonymous shared mapping, which is no process's own."""
    import mmap

    memory = mmap.mmap(-1, 320 << 20)
    for page in range(0, 320 << 20, 4096):
        memory[page] = 1
    time.sleep(0.3)
    return 320


@MEMORY()
def memory_file(known):
    """A file in memory, written and not mapped."""
    number = call("memfd_create", ctypes.c_char_p(b"x"), 0)
    return sum(os.write(number, b"x" * (1 << 20)) for _ in range(320)) / (1 << 20)


@MEMORY()
def system_v_segment(known):
    """A System V segment, which would outlive the process too."""
    segment = call("shmget", 0, 320 << 20, 0o1600)
    libc.shmat.restype = ctypes.c_void_p
    place = libc.shmat(segment, None, 0)
    libc.shmctl(segment, 0, None)  # goes with the last process
    ctypes.memset(place, 1, 320 << 20)
    return 320


@MEMORY()
def program_break(known):
    """The heap, raised by brk."""
    libc.sbrk.restype = ctypes.c_void_p
    place = libc.sbrk(ctypes.c_long(320 << 20))
    if place == 2**64 - 1:
        return 0
    ctypes.memset(place, 1, 320 << 20)
    return 320


@MEMORY(modes=RUN)
def many_children(known):
    """Children that each stay below the limit, together above it."""
    reader, writer = os.pipe()

    def fill():
        kept = b"x" * (80 << 20)
        os.write(writer, b"x")
        time.sleep(0.7)
        return kept

    for _ in range(4):
        forked(fill)
    os.close(writer)
    filled = sum(len(os.read(reader, 1)) for _ in range(4))
    time.sleep(0.4)
    return filled * 80


@MEMORY(modes=RUN)
def many_children_shared(known):
    """Children that each fill a shared mapping of their own."""
    import mmap

    reader, writer = os.pipe()

    def fill():
        memory = mmap.mmap(-1, 80 << 20)
        for page in range(0, 80 << 20, 4096):
            memory[page] = 1
        os.write(writer, b"x")
        time.sleep(0.7)

    for _ in range(4):
        forked(fill)
    os.close(writer)
    filled = sum(len(os.read(reader, 1)) for _ in range(4))
    time.sleep(0.4)
    return filled * 80


@MEMORY(modes=RUN)
def many_headless_children(known):
    """Children whose first thread has ended: to /proc they are zombies, and their other threads hold the memory."""
    import threading

    reader, writer = os.pipe()

    def fill():
        kept = b"x" * (40 << 20)
        time.sleep(0.1)  # the first thread ends
        os.write(writer, b"x")
        time.sleep(0.7)
        return kept

    def headless():
        libc.mallopt(-8, 1)  # M_ARENA_MAX: address space is limited too
        threading.stack_size(1 << 18)
        threading.Thread(target=fill).start()
        call("exit", 0)  # of this thread alone

    for _ in range(8):
        forked(headless)
    os.close(writer)
    filled = sum(len(os.read(reader, 1)) for _ in range(8))
    time.sleep(0.4)
    return filled * 40


@MEMORY(modes=RUN)
def children_that_forge_their_numbers(known):
    """Headless children whose names hold a carriage return and a line of /proc/PID/status: no memory is used."""
    import threading

    reader, writer = os.pipe()

    def fill():
        time.sleep(0.1)  # the first thread ends; its status now lacks the true line
        kept = b"x" * (40 << 20)
        os.write(writer, b"x")
        time.sleep(0.7)
        return kept

    def headless():
        libc.mallopt(-8, 1)  # M_ARENA_MAX
        libc.prctl(15, b"\rRssAnon:\t0", 0, 0, 0)  # PR_SET_NAME
        threading.stack_size(1 << 18)
        threading.Thread(target=fill).start()
        call("exit", 0)  # of this thread alone

    for _ in range(8):
        forked(headless)
    os.close(writer)
    filled = sum(len(os.read(reader, 1)) for _ in range(8))
    time.sleep(0.4)
    return filled * 40


@MEMORY(held=16, modes=RUN)
def pipes(known):
    """Memory of the kernel: pipes made large and filled."""
    import fcntl

    held = 0
    for _ in range(28):
        try:
            _, writer = os.pipe2(os.O_NONBLOCK)
            fcntl.fcntl(writer, 1031, 1 << 20)  # F_SETPIPE_SZ
        except OSError:
            pass
        try:
            held += os.write(writer, b"x" * (1 << 20))
        except OSError:
            break
    return held / (1 << 20)


@MEMORY(held=16, modes=RUN, lacks="large buffers of sockets (net.core.wmem_max)")
def socket_buffers(known):
    """Memory of the kernel: the buffers of socket pairs made large and filled."""
    held, kept = 0, []
    for _ in range(28):
        one, _other = socket.socketpair()
        one.setblocking(False)
        kept.append((one, _other))
        for option in (7, 32):  # SO_SNDBUF, SO_SNDBUFFORCE
            try:
                one.setsockopt(1, option, 8 << 20)
            except OSError:
                continue
        try:
            while held < 64 << 20:
                held += one.send(b"x" * (1 << 16))
        except OSError:
            continue
    return held / (1 << 20)
