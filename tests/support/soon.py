"""A fixture for tests that must end in seconds: what still runs then fails."""

import signal

import pytest

SECONDS = 60  # on a busy machine; a few otherwise


@pytest.fixture
def soon():
    def late(signum, frame):
        raise AssertionError(f"still running after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
