"""Landlock, in processes of its own: what every version of it refuses, and what the rights allow."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys

import pytest

from metricloop.sandbox import landlock
from metricloop.sandbox.landlock import DEVICE, READ, SCRATCH, handled, open_places

pytestmark = pytest.mark.skipif(not landlock.abi(), reason="this kernel offers no Landlock")

VERSIONS = [version for version in range(1, 8) if version <= landlock.abi()]
PRELUDE = """
import errno, os, socket, sys
sys.path.insert(0, {root!r})
from metricloop.sandbox import landlock
os.chdir({folder!r})
rights = {rights!r}
places = {{landlock.open_places([path])[0]: right for path, right in rights.items()}}
outside = {outside!r}
listener = socket.socket(socket.AF_UNIX)
landlock.restrict(places, {version})
def refused(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""
"""
ROOT = os.path.dirname(os.path.dirname(landlock.__file__))


def within(folder, rights, code, version=None, outside=()):
    """Run lines in a process that has restricted itself; every `print` of theirs is one value."""
    prelude = PRELUDE.format(
        root=ROOT, folder=str(folder), rights=rights, outside=outside, version=version or min(landlock.abi(), 6)
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", prelude + code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def world(tmp_path):
    """A folder to read, one to write, one that is closed, and a file in each."""
    for name in ("read", "write", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path


@pytest.fixture
def rights(world):
    return {str(world / "read"): READ, str(world / "write"): SCRATCH}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_every_version_keeps(world, rights, version):
    said = within(
        world,
        rights,
        """
for place in ("read", "write", "closed"):
    print(refused(lambda: open(place + "/file").close()), refused(lambda: os.listdir(place)))
    print(refused(lambda: open(place + "/file", "a").close()), refused(lambda: open(place + "/new", "x").close()))
    print(refused(lambda: os.mkdir(place + "/folder")), refused(lambda: os.unlink(place + "/file")))
print(refused(lambda: os.listdir("/")), refused(lambda: open("/etc/passwd").close()))
print(refused(lambda: open("/proc/self/environ").close()), refused(lambda: open("closed/../closed/file").close()))
""",
        version,
    )
    no = "EACCES"
    assert said == [
        *[" ", f"{no} {no}", f"{no} {no}"],  # read only
        *[" ", " ", " "],
        *[f"{no} {no}"] * 3,
        *[f"{no} {no}"] * 2,
    ]
    assert (world / "read" / "file").read_text() == "read"
    assert (world / "closed" / "file").read_text() == "closed"
    assert not (world / "write" / "file").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_but_files_and_folders_can_be_made_in_the_scratch_folder(world, rights, version):
    said = within(
        world / "write",
        rights,
        """
print(refused(lambda: os.symlink("/etc/passwd", "link")))
print(refused(lambda: os.mkfifo("pipe")))
print(refused(lambda: listener.bind("socket")))
print(refused(lambda: os.mknod("device", 0o20666, os.makedev(1, 3))) in ("EACCES", "EPERM"))
print(refused(lambda: os.execv("file", ["file"])))
""",
        version,
    )
    assert said == ["EACCES", "EACCES", "EACCES", "True", "EACCES"]
    assert os.listdir(world / "write") == ["file"]


@pytest.mark.parametrize("version", VERSIONS)
def test_moving_across_folders(world, rights, version):
    """Within the scratch folder from version 2 on; never in or out of it."""
    said = within(
        world / "write",
        rights,
        """
os.mkdir("a"); os.mkdir("b"); open("a/moved", "x").close()
print(refused(lambda: os.rename("a/moved", "a/again")))
print(refused(lambda: os.rename("a/again", "b/moved")))
print(refused(lambda: os.link("file", "a/hard")))
print(refused(lambda: os.rename("file", "../read/planted")), refused(lambda: os.rename("../read/file", "stolen")))
print(refused(lambda: os.link("../closed/file", "linked")), refused(lambda: os.link("file", "../closed/planted")))
""",
        version,
    )
    across = "" if version >= 2 else "EXDEV"
    assert said[0] == ""
    assert said[1:3] == [across, across]  # the filter refuses hard links; Landlock does not, within one folder
    for refusals in said[3:]:
        assert set(refusals.split()) <= {"EACCES", "EXDEV"}
        assert len(refusals.split()) == 2
    assert os.listdir(world / "read") == os.listdir(world / "closed") == ["file"]


@pytest.mark.parametrize("version", VERSIONS)
def test_cutting_off_is_seen_from_version_3_on(world, rights, version):
    """Why the filter refuses O_TRUNC without write access, and truncate(2)."""
    said = within(world, rights, 'print(refused(lambda: os.truncate("read/file", 1)))', version)
    assert said == ["EACCES" if version >= 3 else ""]
    assert (world / "read" / "file").read_text() == ("read" if version >= 3 else "r")


@pytest.mark.parametrize("version", VERSIONS)
def test_tcp_is_seen_from_version_4_on(world, rights, version):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
print(refused(lambda: socket.socket().connect(("127.0.0.1", {server.getsockname()[1]}))))
print(refused(lambda: socket.socket().bind(("127.0.0.1", 0))))
"""
        assert within(world, rights, code, version) == ["EACCES" if version >= 4 else ""] * 2


@pytest.mark.skipif(landlock.abi() < landlock.SIGNALS_ABI, reason="this kernel's Landlock lets signals through")
@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= 5])
def test_signals_and_abstract_sockets_are_kept_from_version_6_on(world, rights, version):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("")  # an abstract name of the kernel's choice
        server.listen()
        code = f"""
print(refused(lambda: os.kill({os.getpid()}, 0)))
print(refused(lambda: socket.socket(socket.AF_UNIX).connect({server.getsockname()!r})))
child = os.fork()
if child == 0:
    import time  # which is no file
    time.sleep(60)
print(refused(lambda: os.kill(child, 9)))
"""
        assert within(world, rights, code, version) == [*["EPERM" if version >= 6 else ""] * 2, ""]


def test_a_single_file_gets_the_rights_of_a_file(world):
    rights = {str(world / "read" / "file"): READ, os.devnull: DEVICE}
    said = within(
        world,
        rights,
        """
print(refused(lambda: open("read/file").close()), refused(lambda: open("read/file", "a").close()))
print(refused(lambda: os.listdir("read")), refused(lambda: open("closed/file").close()))
print(refused(lambda: open("/dev/null", "r+").close()), refused(lambda: open("/dev/zero").close()))
""",
    )
    assert said == [" EACCES", "EACCES EACCES", " EACCES"]


def test_no_right_at_all_is_given_by_no_place(world):
    assert within(world, {}, 'print(refused(lambda: os.listdir(".")))') == ["EACCES"]


def test_what_was_open_before_stays_open(world, rights):
    """Landlock looks at opening; that is why descriptors are a wall of their own."""
    code = 'print(os.read(kept, 9).decode(), refused(lambda: open("closed/file").close()))'
    prelude = PRELUDE.replace("landlock.restrict", 'kept = os.open("closed/file", os.O_RDONLY)\nlandlock.restrict')
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c",
         prelude.format(root=ROOT, folder=str(world), rights=rights, outside=(), version=1) + code],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "closed EACCES\n"


def test_children_inherit_it(world, rights):
    code = """
if os.fork() == 0:
    landlock.restrict({landlock.open_places(["/"])[0]: landlock.SCRATCH}, 1)  # it may restrict itself further only
    print(refused(lambda: open("closed/file").close()), flush=True)
    os._exit(0)
os.wait()
"""
    assert within(world, rights, code) == ["EACCES"]


def test_only_this_process_is_restricted(world, rights):
    within(world, rights, "pass")
    assert (world / "closed" / "file").read_text() == "closed"


def test_rights_grow_with_the_version():
    assert handled(1) == 0x1FFF
    assert handled(2) == handled(1) | landlock.REFER
    assert handled(3) == handled(4) == handled(2) | landlock.TRUNCATE
    assert handled(5) == handled(99) == handled(3) | landlock.IOCTL_DEV
    assert SCRATCH & (landlock.MAKE_SYM | landlock.MAKE_SOCK | landlock.MAKE_FIFO | landlock.EXECUTE) == 0
    assert SCRATCH & (landlock.MAKE_CHAR | landlock.MAKE_BLOCK | landlock.IOCTL_DEV) == 0


def test_places_that_are_not_there_are_left_out(tmp_path):
    (tmp_path / "file").touch()
    opened = open_places([tmp_path, tmp_path / "no", tmp_path / "file" / "beneath", str(tmp_path / "file")])
    try:
        assert len(opened) == 2
        with pytest.raises(OSError) as raised:
            os.read(opened[1], 1)  # it names the place, and opens nothing
        assert raised.value.errno == errno.EBADF
        assert not any(map(os.get_inheritable, opened))
    finally:
        for place in opened:
            os.close(place)


def test_a_kernel_without_landlock_is_version_0(monkeypatch):
    for number in (errno.ENOSYS, errno.EOPNOTSUPP):  # not built in; switched off at boot

        def refuse(*arguments, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(landlock, "syscall", refuse)
        assert landlock.abi() == 0


def test_a_failure_to_restrict_is_raised_and_leaves_nothing_open(tmp_path):
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as raised:
        landlock.restrict({9999: READ}, 1)
    assert raised.value.errno == errno.EBADF
    assert sorted(os.listdir("/proc/self/fd")) == before
    (tmp_path / "still").write_text("works")  # nothing was restricted


def test_the_structs_are_those_of_the_kernel():
    assert ctypes.sizeof(landlock._Ruleset) == 24
    assert ctypes.sizeof(landlock._PathBeneath) == 12
    assert signal.SIGKILL == 9
