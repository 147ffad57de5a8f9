"""The campaign, 5: metrics that were written to outlive their limits: on the clock, or as something that stays."""

from __future__ import annotations

from prelude import any_of, call, ctypes, forked, libc, linger, os, signal, struct, time
from probe import SCORE, Family

BRIEF = {"frame_seconds": 0.4, "batch_seconds": 1, "memory_mb": 128}
TIME = Family("limits-time", "endless", SCORE, limits=BRIEF)
STAYS = Family("limits-end", "outlived", SCORE)


@TIME()
def loop_that_holds_the_interpreter(known):
    """One C call that takes for ever and holds the interpreter's lock."""
    return sum(range(10**12))


@TIME()
def power(known):
    """A number with too many digits."""
    return len(str(7**7**9))


@TIME()
def expression(known):
    """A regular expression that tries everything."""
    import re

    return bool(re.match("(a|a|aa)*$", "a" * 64 + "b"))


@TIME()
def sleep(known):
    """Sleep in the kernel, by an absolute time that has not come."""
    return call("clock_nanosleep", 1, 1, struct.pack("2q", 1 << 40, 0), 0)


@TIME()
def wait_for_nothing(known):
    """Wait for a descriptor that never speaks."""
    import select

    return len(select.select([], [], [], 10**6)[0])


@TIME()
def wait_for_a_word(known):
    """Wait on a word in memory that nobody changes."""
    word = ctypes.c_uint32(7)
    while True:
        call("futex", ctypes.byref(word), 128, 7, 0, 0, 0)


@TIME()
def deaf(known):
    """Ignore or block every signal, then go on."""
    for number in range(1, 65):
        any_of([lambda n: signal.signal(n, signal.SIG_IGN) and 0], [number])
    libc.sigprocmask(0, b"\xff" * 128, None)
    while True:
        pass


@TIME()
def error_that_cannot_be_told(known):
    """Raise an exception whose text takes for ever."""

    class EndlessError(Exception):
        def __str__(self):
            return next(text for text in iter(str, 0) if text)

    print(EndlessError())
    raise EndlessError


@TIME(hidden="the way out of a function is the same outside, and the interpreter waits there too")
def end_that_never_comes(known):
    """Go on in exit functions, in the destruction of objects, and in a handler of the end."""
    import atexit
    import sys

    atexit.register(lambda: time.sleep(10**6))
    signal.signal(signal.SIGTERM, lambda *_: time.sleep(10**6))
    known["kept"] = type("Kept", (), {"__del__": lambda self: time.sleep(10**6)})()
    sys.exit(0)


@TIME()
def equations(known):
    """A singular value decomposition of something large."""
    import numpy as np

    while True:
        np.linalg.svd(np.ones((900, 900)))


@TIME()
def picture(known):
    """OpenCV without end."""
    import cv2
    import numpy as np

    while True:
        cv2.fastNlMeansDenoising(np.zeros((700, 700), np.uint8))


@TIME()
def output_without_end(known):
    """Print without end."""
    while True:
        os.write(1, b"x" * 65536)


@TIME()
def sorting(known):
    """Sort with a comparison that never ends."""
    import functools

    def compare(one, other):
        while True:
            pass

    return len(sorted(range(9), key=functools.cmp_to_key(compare)))


@TIME()
def generations(known):
    """Make the collector of garbage work for ever."""
    import gc

    kept = [[] for _ in range(100_000)]
    while True:
        gc.collect()
        kept.append(kept)


@STAYS(hidden="outside a process that was forked stays, as in the family processes")
def child(known):
    """Fork, by fork, vfork, clone and clone3, and stay."""

    def by_clone(flags):
        if call("clone", flags | 17, 0, 0, 0, 0) == 0:
            linger()
        return 0

    return any_of([lambda _: forked(linger), by_clone], [0, 0x8000, 0x4100])


@STAYS(hidden="outside a process that was started stays, as in the family processes")
def program(known):
    """Start a program that stays: posix_spawn, system, subprocess."""
    import subprocess

    return (
        any_of(
            [
                lambda _: os.posix_spawn("/bin/sleep", ["sleep", "60"], {}),
                lambda _: libc.system(b"sleep 60 &") + 1,
                lambda _: subprocess.Popen(["sleep", "60"]).pid,
            ],
            [0],
        )
        * 0
    )


@STAYS(effect="claimed", hidden="outside threads are allowed")
def thread(known):
    """Start a thread, by Python, by the C library and by clone."""
    import _thread

    made = ctypes.c_ulong()
    work = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: None)

    def native(_):
        return libc.pthread_create(ctypes.byref(made), None, work, None) == 0

    return any_of([lambda _: _thread.start_new_thread(time.sleep, (60,)), native], [0])


@STAYS(effect="claimed", hidden="outside timers are allowed")
def timer(known):
    """Have the kernel call back later: timers, alarms, signals by descriptor, events."""
    return any_of(
        [
            lambda _: signal.setitimer(0, 60) and 1,
            lambda _: call("alarm", 60) + 1,
            lambda _: call("timer_create", 1, 0, bytes(8)) + 1,
            lambda _: libc.timerfd_create(1, 0) + 1,
            lambda _: libc.eventfd(0, 0) + 1,
            lambda _: libc.epoll_create1(0) + 1,
        ],
        [0],
    )


@STAYS(effect="claimed", hidden="outside one may leave one's group")
def leave_the_group(known):
    """Leave the group, the session, and the signal that ends us with the zygote."""
    return any_of(
        [
            lambda _: os.setsid() + 1,
            lambda _: os.setpgid(0, 0) or 1,
            lambda _: libc.prctl(1, 0, 0, 0, 0) == 0,
            lambda _: libc.prctl(36, 1, 0, 0, 0) == 0,
            lambda _: libc.prctl(4, 1, 0, 0, 0) == 0,
        ],
        [0],
    )


@STAYS(effect="claimed", hidden="outside one may raise one's own limits up to the hard one")
def limits_of_one_s_own(known):
    """Raise or lift limits, by name, by number and for the group."""
    import resource

    return any_of(
        [
            lambda kind: resource.setrlimit(kind, resource.getrlimit(kind)) or 1,
            lambda kind: call("prlimit64", 0, kind, bytes(b"\xff" * 16), 0) + 1,
        ],
        range(16),
    )
