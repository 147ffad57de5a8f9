"""A group of processes is held still while it is counted, and goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from metricloop.sandbox import proc, tree
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.project import run
from metricloop.sandbox.standstill import standstill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

COUNTS = """
import os, threading
def count():
    for n in range(10**9):
        os.write(1, b".")
threading.Thread(target=count).start()
if os.fork() == 0:
    count()
count()
"""
STATES = frozenset(b"TtZX")


@pytest.fixture
def group():
    """Two processes, one of them with two threads, that write to the pipe all the time."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", COUNTS], stdout=subprocess.PIPE, process_group=0)
    os.read(process.stdout.fileno(), 1)
    while len(tree.members(process.pid)) < 2:
        os.read(process.stdout.fileno(), 4096)
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_nobody_of_the_group_moves(group):
    with standstill(group.pid):
        members = tree.members(group.pid)
        assert len(members) == 2
        assert all(proc.states(pid) <= STATES for pid in members)
        os.set_blocking(group.stdout.fileno(), False)
        while os.read(group.stdout.fileno(), 1 << 16):
            if not _waiting(group):
                break
        time.sleep(0.05)
        assert not _waiting(group)
    os.set_blocking(group.stdout.fileno(), True)
    assert os.read(group.stdout.fileno(), 1) == b"."  # it goes on


def _waiting(group):
    import select

    return bool(select.select([group.stdout], [], [], 0)[0])


def test_what_the_program_has_stopped_stays_stopped(group):
    (child,) = set(tree.members(group.pid)) - {group.pid}
    os.kill(child, signal.SIGSTOP)
    while not proc.states(child) <= STATES:
        os.read(group.stdout.fileno(), 4096)
    with standstill(group.pid):
        pass
    for _ in range(20):
        assert os.read(group.stdout.fileno(), 4096)
    assert proc.states(child) == frozenset(b"T")


def test_it_goes_on_after_an_error(group):
    with pytest.raises(ZeroDivisionError), standstill(group.pid):
        raise ZeroDivisionError
    for _ in range(20):
        assert os.read(group.stdout.fileno(), 4096)


def test_a_group_that_is_not_there_is_still():
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""], process_group=0)
    process.wait()
    with standstill(process.pid):
        assert tree.members(process.pid) == []


@pytest.mark.usefixtures("walls")
def test_a_program_does_not_notice(tmp_path, monkeypatch):
    """Not in its sleeps, its event loop, its children, its pipes, nor in a handler of signals."""
    monkeypatch.setattr("metricloop.sandbox.child.STANDSTILL_SECONDS", 0.0)  # every time
    code = """
        import asyncio, os, select, signal, threading, time
        began = time.monotonic()
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append("alarm"))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        time.sleep(0.3)
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            time.sleep(0.2); os.write(writer, b"x"); os._exit(3)
        print(select.select([reader], [], [], 5)[0] == [reader], os.read(reader, 1), os.waitpid(child, 0)[1] >> 8)
        async def main(): return await asyncio.gather(asyncio.sleep(0.2, 1), asyncio.to_thread(time.sleep, 0.2))
        print(asyncio.run(main()), seen)
        event = threading.Event(); threading.Timer(0.1, event.set).start(); print(event.wait(5))
        print(0.7 < time.monotonic() - began < 5)
        """
    (tmp_path / "main.py").write_text(textwrap.dedent(code))
    outcome = run(tmp_path, ["main.py"], Limits(memory_mb=128, batch_seconds=20))
    assert (outcome.errors, outcome.status) == ("", 0)
    assert outcome.output == "True b'x' 3\n[1, None] ['alarm']\nTrue\nTrue\n"
