"""What /proc says is read as bytes, whatever names processes and files give themselves."""

import os
import sys

import pytest

from metricloop.sandbox import proc, tree
from metricloop.sandbox.proc import Stat, UnreadableError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

STATUS = b"Name:\t%s\nUmask:\t0022\nState:\tS (sleeping)\nVmSize:\t  9000 kB\nRssAnon:\t    2048 kB\nThreads:\t3\n"
MAPS = (
    b"55d0-55d1 r--p 00000000 fe:00 1234                       /usr/bin/python3.11\n"
    b"55d1-55d2 rw-p 00000000 00:00 0                          [heap]\n"
    b"7f00-7f01 rw-p 00000000 00:00 0 \n"
)


@pytest.mark.parametrize(
    "name", [b"python", b"\rRssAnon:\t0", b"\rThreads:\t0\r", b"\x0bRssAnon:\t0", b"\xff\x85", b"RssAnon:\t0", b""]
)
def test_a_name_is_no_number(name):
    assert proc.status_numbers(STATUS % name, "/proc/1") == {b"RssAnon": 2048, b"Threads": 3}


@pytest.mark.parametrize(
    "extra", [b"RssAnon:\t0 kB\n", b"Threads:\t1\n", b"VmSwap:\t-1 kB\n", b"VmSwap:\n", b"RssShmem:\tmany\n"]
)
def test_a_number_that_is_there_twice_or_is_none_is_refused(extra):
    with pytest.raises(UnreadableError, match="/proc/1/status"):
        proc.status_numbers(STATUS % b"x" + extra, "/proc/1")


@pytest.mark.parametrize(
    "path",
    [
        b"/tmp/a\rb (deleted)",
        b"/tmp/a\\012b (deleted)",
        b"/tmp/a\x0b\x0c\x1c\x85\xe2\x80\xa8b (deleted)",
        b"/tmp/ 7f00-7f01 r--p 00000000 fe:00 1234 /usr/bin/python3.11",
        b"/tmp/\xff (deleted)",
    ],
)
def test_a_mapped_file_is_known_by_device_and_inode(path):
    files = proc.maps_files(MAPS + b"7f02-7f03 r--s 00000000 08:1f 77    " + path + b"\n", "/proc/1/task/1")
    assert files == {(os.makedev(0xFE, 0), 1234): b"/usr/bin/python3.11", (os.makedev(8, 31), 77): path}


@pytest.mark.parametrize("line", [b"b (deleted)\n", b"7f00-7f01 r--p 0 fe:00 x /a\n", b"7f00-7f01 r--p 0 fe00 1 /a\n"])
def test_a_map_that_is_not_understood_is_refused(line):
    with pytest.raises(UnreadableError, match="/proc/1/task/1/maps"):
        proc.maps_files(MAPS + line, "/proc/1/task/1")


@pytest.mark.parametrize("name", [b"python", b") S 1 7 1", b"a\nb) Z 0 0 (", b"\r\xff)"])
def test_group_and_state_stand_after_the_name(monkeypatch, name):
    rest = b" Z 1 4711 1 " + b"0 " * 13 + b"2 0\n"  # field 20 is the number of threads
    monkeypatch.setattr(proc, "_read", lambda path: b"12 (" + name + b")" + rest)
    assert proc.stat(12) == Stat(4711, ended=False)
    monkeypatch.setattr(proc, "_read", lambda path: b"12 (" + name + b")" + rest.replace(b"2 0\n", b"1 0\n"))
    assert proc.stat(12) == Stat(4711, ended=True)


def test_a_state_that_is_not_understood_is_refused(monkeypatch):
    monkeypatch.setattr(proc, "_read", lambda path: b"12 (python) S 1\n")
    with pytest.raises(UnreadableError, match="/proc/12/stat"):
        proc.stat(12)


def test_a_process_that_is_gone_holds_nothing():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert (proc.status(pid), proc.mapped(pid), list(proc.tasks([pid]))) == ({}, {}, [])


def test_a_process_that_has_ended_holds_nothing_though_it_may_not_be_read():
    """Until its parent waits for it; what it held belongs to root then."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert proc.ended(f"/proc/{pid}/task/{pid}")
        assert proc.mapped(pid) == {}
        assert tree._deleted([pid], set()) == 0
    finally:
        os.waitpid(pid, 0)
    assert proc.ended(f"/proc/{pid}/task/{pid}")
    assert not proc.ended(f"/proc/{os.getpid()}/task/{os.getpid()}")


def test_what_may_not_be_read_is_not_taken_for_nothing(monkeypatch):
    read_it = proc._read

    def refuse(path):
        if path.endswith("/stat"):
            return read_it(path)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(proc, "_read", refuse)
    for read in (proc.status, proc.mapped):
        with pytest.raises(UnreadableError, match="cannot be read: Permission denied"):
            read(os.getpid())


def test_of_this_process():
    numbers = proc.status(os.getpid())
    assert numbers.keys() == proc.COUNTED
    assert numbers[b"RssAnon"] > 1000
    assert proc.stat(os.getpid()) == Stat(os.getpgrp(), ended=False)
    paths = proc.mapped(os.getpid()).items()
    there = [(file, path) for file, path in paths if path.startswith(b"/") and not path.endswith(b" (deleted)")]
    assert there
    assert all(os.stat(path).st_ino == inode for (_, inode), path in there)
