"""The campaign, 4: metrics that were written to change the score of another metric, or the images that it sees.

Another metric, `honest`, is scored after each of them: of the same file, of a file of its own, and in the next batch.
"""

from __future__ import annotations

from prelude import any_of, call, ctypes, forked, libc, os, signal, struct, time
from probe import SCORE, Family

WITH_WALLS = "without walls metrics share a process; test_answers.py shows what that lets through"
SCORES = Family("scores", "misled", SCORE, hidden=WITH_WALLS)


@SCORES()
def the_code_of_the_next_one(known):
    """Write to the memory file that holds the code, and to the one of the images."""
    text = b"from metricloop import metric\n@metric(level='image')\ndef honest(frame): return 99.0\n"
    ways = [
        lambda n: os.pwrite(n, text, 0),
        lambda n: os.write(n, text),
        lambda n: os.ftruncate(n, 0),
        lambda n: os.pwrite(os.open(f"/proc/self/fd/{n}", os.O_RDWR), text, 0),
    ]
    return any_of(ways, [4, 5])


@SCORES()
def a_hole_in_the_images(known):
    """Punch a hole into the memory of the images, by fallocate and by madvise."""
    place = known["frame"].image.ctypes.data & ~0xFFF
    return any_of(
        [lambda n: call("fallocate", n, 3, 0, 4096), lambda n: libc.madvise(ctypes.c_void_p(place), 4096, 9)], [4, 5]
    )


@SCORES()
def pixels_through_a_pointer(known):
    """Make the page of the pixels writable, and write."""
    place = known["frame"].image.ctypes.data
    if libc.mprotect(ctypes.c_void_p(place & ~0xFFF), ctypes.c_size_t(8192), 3) == 0:
        ctypes.memset(place, 0, known["frame"].image.nbytes)
    return 0


@SCORES()
def pixels_mapped_again(known):
    """Map the images once more, shared and writable, and by remapping."""
    import mmap

    return any_of(
        [
            lambda n: mmap.mmap(n, 0, mmap.MAP_SHARED, 3).write(bytes(64)),
            lambda n: call("remap_file_pages", 0, 4096, 0, 0, 0),
        ],
        [5],
    )


@SCORES()
def seals_taken_away(known):
    """Take the seals off, or add one that keeps the supervisor from closing."""
    return any_of(
        [lambda command: call("fcntl", 5, command, 0), lambda command: call("fcntl", 4, command, 16)], [1033, 1034]
    )


@SCORES()
def place_in_the_code(known):
    """Move the offset of the code's file, which the next one may share."""
    return any_of([lambda n: os.lseek(n, 10_000, 0), lambda n: os.lseek(n, -1, 2)], [4, 5]) * 0


@SCORES()
def flags_of_the_channel(known):
    """Make the channels of all of us non-blocking, asynchronous, or append-only."""
    import fcntl

    return any_of([lambda n: fcntl.fcntl(n, fcntl.F_SETFL, 0o4000 | 0o20000 | 0o2000)], [3, 4, 5]) * 0


@SCORES()
def bytecode_beside_a_library(known):
    """Leave bytecode, a .pth file or a module among the packages, for the next process to import."""
    import sysconfig

    folder = sysconfig.get_path("purelib")
    names = [
        f"{folder}/{known['token']}.pth",
        f"{folder}/sitecustomize.py",
        f"{folder}/numpy/__pycache__/{known['token']}.pyc",
    ]
    return any_of([lambda name: open(name, "w").write("import os\n"), os.mkdir], names)


@SCORES()
def library_written_over(known):
    """Write over a library in place, through its mapping."""
    import mmap

    import numpy

    number = os.open(numpy._core._multiarray_umath.__file__, os.O_RDONLY)
    return any_of(
        [lambda kind: mmap.mmap(number, 4096, kind, mmap.PROT_READ | mmap.PROT_WRITE).write(b"x")], [mmap.MAP_SHARED]
    )


@SCORES()
def library_changed_in_memory(known):
    """Change numpy's machine code where all children of the zygote have it mapped."""
    import numpy

    place = (
        ctypes.cast(ctypes.CDLL(numpy._core._multiarray_umath.__file__).PyInit__multiarray_umath, ctypes.c_void_p).value
        & ~0xFFF
    )
    if libc.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(4096), 7) == 0:
        ctypes.memmove(place, b"\xcc" * 64, 64)
    return 0


@SCORES()
def numpy_in_the_zygote(known):
    """Write to the zygote's memory, whose copy the next child gets."""
    import numpy

    new = ctypes.create_string_buffer(b"\xff" * 64)
    there = (ctypes.c_uint64 * 2)(id(numpy.mean), 64)
    here = (ctypes.c_uint64 * 2)(ctypes.addressof(new), 64)
    return any_of(
        [
            lambda pid: call("process_vm_writev", pid, here, 1, there, 1, 0),
            lambda pid: os.pwrite(os.open(f"/proc/{pid}/mem", os.O_RDWR), b"x", id(numpy.mean)),
        ],
        [os.getppid()],
    )


@SCORES()
def functions_replaced(known):
    """Replace what the code around us calls: call_metric, os.write, struct, numpy's asarray, the packer."""
    import sys

    for module in list(sys.modules.values()):
        for name in ("call_metric", "unpack", "metrics_in", "spec_of", "load"):
            if hasattr(module, name) and module.__name__.startswith("metricloop"):
                setattr(module, name, lambda *a, **k: __import__("numpy").array([99.0]))
    return 0


@SCORES()
def generator_of_the_frames(known):
    """Reach the generator that hands out the frames, and make it hand out others."""
    import gc

    for thing in gc.get_objects():
        if type(thing).__name__ == "generator" and thing.gi_frame and "payload" in thing.gi_frame.f_locals:
            thing.close()
    return 0


@SCORES()
def answer_of_the_honest_one(known):
    """Answer for every row that the batch may have, of both kinds."""
    for row in range(8):
        os.write(3, b"V" + struct.pack("<IId", row, 0, 99.0))
    return 0


@SCORES()
def answers_without_end(known):
    """Answer in order again and again, so that the clock of a frame begins anew each time."""
    while True:
        os.write(3, b"E" + struct.pack("<II", 0, 0) + b"x" * 2000)


@SCORES()
def answer_and_silence(known):
    """Answer, then close the channel, so that the end looks clean."""
    os.write(3, b"V" + struct.pack("<IId", 0, 0, 99.0))
    os.close(3)
    os._exit(0)


@SCORES()
def word_of_the_walls(known):
    """Say what only the walls say: that they could not be raised, so that the batch is given up."""
    os.write(3, b"WOSError: the walls are down")
    os._exit(70)


@SCORES()
def status_of_a_failure_of_ours(known):
    """End with the statuses that mean that the sandbox itself has failed."""
    os._exit(71)


@SCORES()
def numbers_that_are_none(known):
    """Bits of a signalling nan, a denormal, minus zero and the largest number, one after the other."""
    for bits in (0x7FF0000000000001, 1, 1 << 63, 0x7FEFFFFFFFFFFFFF):
        os.write(3, b"V" + struct.pack("<IIQ", 0, 0, bits))
    return 0


@SCORES()
def a_number_that_changes(known):
    """A float of a class of one's own, whose value is another one each time it is asked."""

    class Number(float):
        def __float__(self):
            return time.monotonic()

        def __array__(self, *a, **k):
            import numpy

            return numpy.array([time.monotonic()])

    return Number(1)


@SCORES()
def killed_zygote(known):
    """End the zygote, by every signal call, so that the honest metrics of the batch have none."""
    return any_of(
        [
            lambda pid: os.kill(pid, signal.SIGKILL) or 1,
            lambda pid: call("tgkill", pid, pid, 9) + 1,
            lambda pid: call("tkill", pid, 9) + 1,
            lambda pid: call("rt_sigqueueinfo", pid, 9, bytes(128)) + 1,
            lambda pid: call("pidfd_send_signal", call("pidfd_open", pid, 0), 9, 0, 0) + 1,
        ],
        [os.getppid(), known["supervisor"], 0, -1],
    )


@SCORES()
def slowed_neighbours(known):
    """Slow the zygote, the supervisor and oneself for those who come after: priority, scheduler, processors, timers."""
    return any_of(
        [
            lambda pid: call("setpriority", 0, pid, 19) + 1,
            lambda pid: call("sched_setaffinity", pid, 8, bytes(8)) + 1,
            lambda pid: call("prlimit64", pid, 0, struct.pack("2Q", 1, 1), 0) + 1,
        ],
        [os.getppid(), known["supervisor"], 0],
    )


@SCORES()
def a_process_that_stays(known):
    """Leave a process that waits for the honest one and disturbs it."""
    return any_of([lambda _: forked(lambda: time.sleep(20))], [0])


@SCORES()
def locks_that_stay(known):
    """Lock the code, the images and an installed file, so that the next one waits."""
    import fcntl

    library = os.open("/etc/ld.so.cache", os.O_RDONLY)
    return any_of(
        [
            lambda n: fcntl.flock(n, 2) or 1,
            lambda n: fcntl.lockf(n, 2) or 1,
            lambda n: call("fcntl", n, 37, bytes(32)) + 1,
        ],
        [library, 4, 5],
    )


@SCORES()
def files_of_the_study(known):
    """Write the score store, the tables of scores and the journal where a workspace has them."""
    names = [
        f"{base}/{name}"
        for base in (known["yard"], known["folder"], ".", "/work", "/tmp")
        for name in (".metricloop/scores/x.npz", "scores/honest.parquet", "journal.jsonl", "metrics/trusted.yaml", "x")
    ]
    return any_of([lambda name: open(name, "w").write("x"), lambda name: os.mkdir(f"{name}-folder") or 1], names)


@SCORES()
def semaphores_of_all(known):
    """Take or remove the semaphores and shared memory that parallel programs use."""
    from multiprocessing import shared_memory

    return any_of(
        [
            lambda _: shared_memory.SharedMemory(known["token"], True, 16).size,
            lambda _: len(os.listdir("/dev/shm")),
            lambda _: os.unlink("/dev/shm/sem.mp-x") or 1,
        ],
        [0],
    )


@SCORES()
def another_name(known):
    """Take the name of the honest metric: in the module, in the declaration, and in the interpreter."""
    import sys

    frame = sys._getframe()
    while frame:
        for value in list(frame.f_globals.values()):
            if callable(value) and hasattr(value, "spec"):
                object.__setattr__(value.spec, "name", "honest")
        frame = frame.f_back
    return 0
