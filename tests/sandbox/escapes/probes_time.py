"""Taking more time than is given."""

from __future__ import annotations

from prelude import forked, libc, os, signal, time
from probe import RUN, Family

TIME = Family("time", "endless", limits={"frame_seconds": 0.5, "batch_seconds": 0.6, "memory_mb": 512})


@TIME()
def loop(known):
    """Loop."""
    while True:
        pass


@TIME()
def sleep(known):
    """Sleep."""
    time.sleep(30)


@TIME()
def power(known):
    """Raise a number to a huge power: one call in C."""
    return (3 ** (10**8)) % 2


@TIME()
def digits_of_a_number(known):
    """Write a huge integer out, quadratic, in C."""
    import sys

    sys.set_int_max_str_digits(0)
    return len(str(1 << (10**7 * 3)))


@TIME()
def regular_expression(known):
    """Backtrack for ever in a regular expression."""
    import re

    re.match(r"(a+)+$", "a" * 40 + "!")


@TIME()
def linear_algebra(known):
    """Decompose a large matrix in LAPACK."""
    import numpy as np

    while True:
        np.linalg.svd(np.ones((900, 900)))


@TIME()
def select(known):
    """Wait in C for what never comes."""
    import select

    select.select([], [], [])


@TIME()
def lock(known):
    """Wait for a lock that one holds."""
    import threading

    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@TIME()
def deaf(known):
    """Ignore every signal that can be ignored, block the others, and loop."""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 65))
    while True:
        pass


@TIME()
def deaf_in_c(known):
    """Sleep in the C library with all signals blocked."""
    signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 65))
    libc.poll(None, 0, -1)


@TIME(modes=RUN)
def many_loops(known):
    """Loop in four processes; CPU time is counted for each alone."""
    for _ in range(2):
        os.fork()
    while True:
        pass


@TIME(modes=RUN)
def thread_that_stays(known):
    """Come to the end with a thread that does not."""
    import threading

    threading.Thread(target=time.sleep, args=[30]).start()
    return 0


@TIME(modes=RUN)
def exit_function(known):
    """Hang in an exit function."""
    import atexit

    atexit.register(time.sleep, 30)
    return 0


@TIME(modes=RUN)
def output_without_end(known):
    """Print for ever."""
    while True:
        print("x" * 80)


@TIME(modes=RUN)
def stopped(known):
    """Stop oneself: who is stopped uses no time."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(30)


@TIME(modes=RUN)
def stopped_with_output_open(known):
    """Leave a stopped child that holds standard output open, and wait for it."""
    os.waitpid(forked(lambda: os.kill(os.getpid(), signal.SIGSTOP)), 0)


@TIME()
def exception_that_hangs(known):
    """Raise an exception whose text never comes."""

    class SilentError(Exception):
        def __str__(self):
            while self:
                pass
            return ""

    raise SilentError
