"""The zygote and its children through their lives: orders, deaths on either side, and what is left afterwards."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metricloop.sandbox.child import how_it_ended
from metricloop.sandbox.errors import ChildEndedError, SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.payload import pack
from metricloop.sandbox.supervisor import Sandbox

pytestmark = pytest.mark.usefixtures("walls")

STAY = ("score", "metricloop.sandbox.selftest_inside:outstay")
SUPERVISOR = """
import json, os, signal, sys
sys.path.insert(0, {root!r})
from metricloop.sandbox.supervisor import Sandbox
signal.signal(signal.SIGINT, lambda *_: None)
sandbox = Sandbox()
sandbox.start()
first = sandbox.child("score", "metricloop.sandbox.selftest_inside:outstay", {{"seconds": 60}})
print(json.dumps([sandbox._process.pid, first.pid]), flush=True)
sys.stdin.readline()
first.end()
with sandbox.child("score", "metricloop.sandbox.selftest_inside:outstay", {{"seconds": 0}}) as second:
    print(json.dumps([sandbox._process.pid, second.receive(5, "it").decode()]), flush=True)
sandbox.close()
"""


@pytest.fixture(scope="module")
def started():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(started):
    """One sandbox for all tests, restarted where a test before has killed it."""
    started.start()
    return started


@pytest.fixture
def supervisor():
    """A supervisor in a process, and a group, of its own, with a child that stays; (process, zygote, child)."""
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR.format(root=root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        process_group=0,
    )  # fmt: skip
    try:
        zygote, child = json.loads(process.stdout.readline())
        yield process, zygote, child
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def lasting(sandbox, seconds=60.0):
    return sandbox.child(*STAY, {"seconds": seconds})


def works(sandbox):
    """A job is done from its start to its end."""
    with lasting(sandbox, 0) as child:
        assert child.receive(5, "it") == b"ran over its time"
        assert child.receive(5, "it") == b""
        assert child.end() == ""
    assert child.status == 0
    return child.pid


def gone(*pids):
    """Wait until these have ended; `pids` must not be ours to wait for."""
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([pidfd], [], [], 10)[0]:
                return False
        finally:
            os.close(pidfd)
    return True


# Deaths.


def test_when_the_supervisor_is_killed_everything_ends(supervisor):
    process, zygote, child = supervisor
    process.kill()
    assert gone(zygote, child)


def test_ctrl_c_is_the_supervisors_to_handle(supervisor):
    process, zygote, _ = supervisor
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    process.stdin.write("\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == [zygote, "ran over its time"]
    assert process.wait(20) == 0


def test_when_the_zygote_is_killed_its_child_ends_and_the_next_job_works(sandbox):
    zygote, child = sandbox._process.pid, lasting(sandbox)
    os.kill(zygote, signal.SIGKILL)
    # It may still be raising its walls, and then notices by itself.
    assert child.receive(10, "it") in (b"", b"WRuntimeError: the zygote ended while its child started")
    assert child.end() == "the zygote died; the next call starts a new one"
    assert child.status is None
    assert gone(zygote, child.pid)
    works(sandbox)
    assert sandbox._process.pid != zygote


def test_when_the_zygote_is_killed_between_jobs_the_next_one_works(sandbox):
    sandbox._process.kill()
    sandbox._process.wait()
    works(sandbox)


def test_when_the_child_is_killed_its_end_is_said(sandbox):
    child = lasting(sandbox)
    signal.pidfd_send_signal(child._pidfd, signal.SIGKILL)
    assert child.receive(10, "it") == b""
    assert child.end() == "killed; its CPU time or the machine's memory was used up"
    assert child.status == -signal.SIGKILL
    works(sandbox)


def test_a_limit_ends_the_child_at_once(sandbox):
    child, began = lasting(sandbox), time.monotonic()
    with pytest.raises(ChildEndedError, match=r"^one frame took more than 0.05 s$") as raised:
        child.receive(0.05, "one frame")
    assert time.monotonic() - began < 5
    assert raised.value.reason == str(raised.value)
    assert gone(child.pid)
    assert child.end() == raised.value.reason  # and so it stays
    works(sandbox)


def test_all_jobs_have_a_limit():
    with Sandbox(limits=Limits(batch_seconds=0.3)) as sandbox:
        child = lasting(sandbox)
        with pytest.raises(ChildEndedError, match=r"^it took more than 0.3 s in all$"):
            child.receive(50, "one frame")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGXCPU, signal.SIGTERM])
def test_the_end_by_a_signal_is_put_into_words(number):
    words = how_it_ended(-number)
    assert words
    assert words == words.strip()
    assert "\n" not in words


def test_the_end_by_a_status_is_put_into_words():
    assert how_it_ended(0) == ""
    assert how_it_ended(3) == "ended with status 3"


@pytest.mark.parametrize("number", [32, 40, 64])
def test_the_end_by_a_signal_without_a_name_is_put_into_words(number):
    assert str(number) in how_it_ended(-number)


# Jobs.


def test_jobs_follow_each_other_in_processes_of_their_own(sandbox):
    zygote = sandbox._process.pid
    pids = [works(sandbox) for _ in range(5)]
    assert len(set(pids)) == 5
    assert sandbox._process.pid == zygote
    assert gone(*pids)


def test_a_job_left_early_is_ended(sandbox):
    with lasting(sandbox) as child:
        pass
    assert gone(child.pid)
    assert child.status == -signal.SIGKILL
    works(sandbox)


def test_nothing_stays_open(sandbox):
    works(sandbox)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        works(sandbox)
        with pytest.raises(ChildEndedError):
            lasting(sandbox).receive(0.01, "it")
    os.kill(sandbox._process.pid, signal.SIGKILL)
    assert gone(sandbox._process.pid)
    works(sandbox)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_closing_ends_everything_and_may_be_done_twice():
    before = len(os.listdir("/proc/self/fd"))
    sandbox = Sandbox()
    sandbox.close()  # nothing to close yet
    sandbox.start()
    zygote, child = sandbox._process.pid, lasting(sandbox)
    sandbox.close()
    sandbox.close()
    assert gone(zygote, child.pid)
    os.close(child._pidfd)  # the child was not ended by its holder
    child._report.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_starting_twice_is_starting_once(sandbox):
    zygote = sandbox._process.pid
    sandbox.start()
    assert sandbox._process.pid == zygote


@pytest.mark.parametrize("first_lasts", [60, 0])
def test_a_second_job_while_one_runs_is_refused(first_lasts):
    with Sandbox() as sandbox:
        first = lasting(sandbox, first_lasts)
        if not first_lasts:
            assert first.receive(5, "it")  # over, but not ended
        with pytest.raises(SandboxError, match="a child is running"):
            lasting(sandbox)
        first.end()
        assert gone(first.pid)
        works(sandbox)


# Orders that fail are told from code that fails.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"filter": "not hexadecimal"}, "ValueError: non-hexadecimal number"),
        ({"filter": "00" * 8}, "OSError: .*seccomp filter"),  # the kernel does not take it
        ({"scratch": "/no/such/folder"}, "FileNotFoundError: .*/no/such/folder"),
        ({"open_files": -5}, "ValueError|OverflowError"),
    ],
)
def test_a_wall_that_cannot_be_raised_stops_everything(changes, reason):
    class Broken(Sandbox):
        def order(self, *arguments, **more):
            return replace(super().order(*arguments, **more), **changes)

    with pytest.raises(SandboxError, match=rf"cannot raise its walls \(.*({reason})"):
        Broken().start()


def test_a_wall_that_cannot_be_raised_ends_the_child_before_it_does_anything(sandbox):
    with sandbox.child(*STAY, {"seconds": 0}, scratch=Path("/no/such/folder")) as child:
        assert child.receive(5, "it").startswith(b"WFileNotFoundError")
        assert child.receive(5, "it") == b""
        assert child.end() == "ended with status 70"


def test_an_entry_that_does_not_exist_is_a_failure_of_ours(sandbox):
    with sandbox.child("score", "metricloop.sandbox.selftest_inside:nothing", {}) as child:
        assert child.receive(5, "it") == b""
        assert child.end() == "ended with status 71"
    works(sandbox)


@pytest.mark.parametrize("entry", ["no_such_module_anywhere", "sandbox.no_such_module"])
def test_a_zygote_that_cannot_start_says_why_and_leaves_nothing(entry):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SandboxError, match=f"the zygote did not start: ModuleNotFoundError: .*'{entry}'"):
        Sandbox([entry]).start()
    assert len(os.listdir("/proc/self/fd")) == before


# What the zygote is, seen from outside.


def test_the_zygote_has_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("METRICLOOP_TEST_SECRET", "of the parent")
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        with Sandbox() as sandbox:
            about = Path(f"/proc/{sandbox._process.pid}")
            try:
                assert b"SECRET" not in (about / "environ").read_bytes()
                assert (about / "cwd").readlink() == Path("/")
                opened = [path.readlink().name for path in (about / "fd").iterdir()]
                assert sum(name.startswith("socket:") for name in opened) == 1  # the control socket
            except PermissionError:
                pass  # it has another user, or cannot be looked into: so much the better
            status = dict(line.split(":\t", 1) for line in (about / "status").read_text().splitlines())
            assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapInh"], 16) == 0
            user = sandbox.user if os.geteuid() == 0 else os.geteuid()
            assert status["Uid"].split() == [str(user)] * 4
            assert status["Threads"].strip() == "1"
            if os.geteuid() == 0:
                assert user not in (None, 0)
                assert status["Gid"].split() == [str(user)] * 4
                assert status["Groups"].strip() == ""
    finally:
        os.close(inherited)


def test_payloads_reach_the_child_and_stay_the_supervisors(sandbox):
    """The self-test's own attacks, on a payload of ours: nothing gets through, and the array is what it was."""
    image = np.ones(4096, np.uint8)
    payload = pack(None, {"image": image})
    order = sandbox.order("score", "", {})
    arguments = {"mode": "score", "canary": "/etc/passwd", "supervisor": os.getpid(), "memory": order.memory,
                 "cpu": order.cpu_seconds, "processes": 0, "file_bytes": 0, "open_files": order.open_files}  # fmt: skip
    with sandbox.child("score", "metricloop.sandbox.selftest_inside:main", arguments, [payload]) as child:
        assert json.loads(child.receive(5, "it")) == {}
    assert os.pread(payload, 4096, os.fstat(payload).st_size - 4096) == image.tobytes()
    os.close(payload)


@pytest.mark.parametrize("first", [99, 100, 105, 115, 116])
def test_however_many_files_the_supervisor_has_open_a_child_has_none_of_the_zygote(first):
    """Numbers from 100 on may name library folders in a child; the control socket must never be one of them."""
    held = [os.open(os.devnull, os.O_RDONLY)]
    while held[-1] < first - 1:
        held.append(os.open(os.devnull, os.O_RDONLY))
    try:
        with Sandbox() as sandbox, sandbox.child(*STAY, {"seconds": 20}) as child:  # the self-test looks, too
            until = time.monotonic() + 10
            while sockets_of(child.pid) not in ([], [3]) and time.monotonic() < until:  # its walls go up meanwhile
                time.sleep(0.01)
            assert sockets_of(child.pid) in ([], [3])
    finally:
        for number in held:
            os.close(number)


def sockets_of(pid):
    """The numbers of a process's sockets; none where not even its own user may look."""
    try:
        return [
            int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir() if path.readlink().name.startswith("socket:")
        ]
    except PermissionError:
        return []
