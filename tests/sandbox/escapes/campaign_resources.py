"""The campaign, 6: metrics that were written to use up what the machine has."""

from __future__ import annotations

from prelude import any_of, call, ctypes, libc, os
from probe import SCORE, Family

MUCH = Family(
    "limits-memory",
    "more than",
    SCORE,
    held=192,
    limits={"memory_mb": 128, "frame_seconds": 5},
    hidden="it would take the memory of this machine",
)


@MUCH()
def array(known):
    """One array, every page written."""
    import numpy as np

    return np.full(320 << 20, 1, np.uint8).sum() / (1 << 20)


@MUCH()
def bytes_that_double(known):
    """A bytearray that doubles."""
    grown = bytearray(1 << 20)
    while len(grown) < 320 << 20:
        grown += grown
    return len(grown) >> 20


@MUCH()
def shared_memory_of_nobody(known):
    """Anonymous shared memory by every flag, which counts towards nobody."""
    for flags in (0x21, 0x23, 0x21 | 0x4000, 0x21 | 0x40000):
        place = libc.mmap(None, ctypes.c_size_t(320 << 20), 3, flags, -1, ctypes.c_long(0))
        if place not in (None, 2**64 - 1):
            ctypes.memset(place, 1, 320 << 20)
            return 320
    return 0


@MUCH()
def hidden_file(known):
    """A memory file, a secret one, a huge one, and one in /dev/shm."""
    made = [
        lambda: call("memfd_create", ctypes.c_char_p(b"x"), 0),
        lambda: call("memfd_create", ctypes.c_char_p(b"x"), 4),
        lambda: call(447, 0),
        lambda: os.open("/dev/shm/x", os.O_CREAT | os.O_RDWR),
    ]
    number = int(any_of([lambda make: make()], made))
    return sum(os.write(number, b"x" * (1 << 20)) for _ in range(320)) / (1 << 20) if number else 0


@MUCH()
def archive_that_grows(known):
    """A small compressed text that becomes a large one."""
    import zlib

    packer = zlib.compressobj(9)
    small = b"".join(packer.compress(bytes(1 << 20)) for _ in range(320)) + packer.flush()
    return len(zlib.decompress(small)) / (1 << 20)


@MUCH()
def nested_data(known):
    """JSON and pickles that are small and become many objects."""
    import json
    import pickle

    many = json.loads("[" + "[]," * 8_000_000 + "[]]")
    return len(many) * 56 / (1 << 20) + len(pickle.dumps(many)) / (1 << 20)


@MUCH()
def stack(known):
    """A stack without an end."""
    import sys

    sys.setrecursionlimit(10**9)

    def deeper(n):
        room = bytes(1 << 20)
        return deeper(n + 1) if n < 320 else n + len(room) * 0

    return deeper(0)


@MUCH()
def heap_of_the_c_library(known):
    """malloc, sbrk, and a mapping that grows in place."""
    libc.malloc.restype = ctypes.c_void_p
    taken = 0
    for _ in range(320):
        place = libc.malloc(ctypes.c_size_t(1 << 20))
        if not place:
            break
        ctypes.memset(place, 1, 1 << 20)
        taken += 1
    return taken


@MUCH(held=70)
def descriptors(known):
    """Open as many files as there are numbers."""
    count = 0
    while count < 5000:
        if os.dup(0) < 0:
            break
        count += 1
        known["count"] = count
    return count


@MUCH(held=0)
def disk(known):
    """Write anything anywhere: the temporary folders, the shared memory, the home, the cores."""
    import tempfile

    return any_of(
        [lambda place: open(f"{place}/x", "wb").write(b"x" * 4096), lambda place: tempfile.mkdtemp(dir=place) and 1],
        [known["yard"], "/tmp", "/var/tmp", "/dev/shm", "/run", os.path.expanduser("~"), "."],
    )


@MUCH(held=0)
def locked_memory(known):
    """Keep memory from being swapped, and take pages of another size."""
    return any_of([lambda _: libc.mlockall(3) == 0, lambda _: libc.mlock(id(known), ctypes.c_size_t(4096)) == 0], [0])
