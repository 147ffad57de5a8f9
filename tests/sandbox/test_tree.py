"""What a tree uses up, measured on little trees of real processes."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from metricloop.sandbox import proc, tree
from metricloop.sandbox.places import unused_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

MB = 1 << 20
LOOSE = 2 * MB  # what an interpreter takes for itself while it works
START = """
import mmap, os, signal, sys, threading
def ready(): os.write(1, b".")
def stay(): signal.pause()
def take(megabytes):
    memory = mmap.mmap(-1, megabytes << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(b"x" * (megabytes << 20))
    return memory
def threads(n):
    for _ in range(n): threading.Thread(target=threading.Event().wait, daemon=True).start()
def child(work=lambda: None):
    if (pid := os.fork()) == 0:
        kept = work()
        ready()
        stay()
    return pid
"""


@contextmanager
def running(code, parts=1, **options):
    """A group of processes of which `parts` say that they are ready; all of it ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", START + code], stdout=subprocess.PIPE, process_group=0, **options
    )
    try:
        for _ in range(parts):
            assert os.read(process.stdout.fileno(), 1) == b"."
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_a_group_is_its_leader_and_all_it_forked():
    with running("first = child(); second = child(lambda: child()); ready(); stay()", 4) as group:
        members = tree.members(group)
        assert len(members) == 4
        assert group in members
        assert os.getpid() not in members


def test_a_process_of_another_group_is_no_member():
    with running("ready(); stay()") as group, running("ready(); stay()") as other:
        assert tree.members(group) == [group]
        assert tree.members(other) == [other]


def test_the_dead_are_not_counted():
    """A zombie: ended, and not yet waited for."""
    code = """
pid = os.fork()
if pid == 0: os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
ready(); stay()
"""
    with running(code) as group:
        assert tree.members(group) == [group]


@pytest.mark.parametrize("name", [") S 1 1 1", "(", "a b", "ü) R 0 0"])
def test_a_process_cannot_hide_behind_its_name(name):
    """The name stands in /proc/PID/stat before the group, between brackets that it may hold itself."""
    with running(f"open('/proc/self/comm', 'w').write({name!r}); ready(); stay()") as group:
        assert tree.members(group) == [group]
        assert tree.use([group], 0).tasks == 1
        assert tree.anonymous(group) > 0


def test_a_group_that_is_not_there_is_empty():
    with running("ready(); stay()") as group:
        pass
    assert tree.members(group) == []
    assert tree.use([group], 0) == tree.Use(0, 0)
    assert tree.anonymous(group) == 0


def test_threads_and_processes_are_summed():
    with running("threads(3); child(lambda: threads(2)); child(); ready(); stay()", 3) as group:
        assert tree.use(tree.members(group), 0).tasks == 4 + 3 + 1


def test_anonymous_memory_is_summed():
    with running("ready(); stay()") as group:
        alone = tree.use([group], 0).memory
        assert tree.anonymous(group) == alone
    with running("kept = take(30); ready(); stay()") as group:
        assert abs(tree.use([group], 0).memory - alone - 30 * MB) < LOOSE
    with running("child(lambda: take(20)); child(lambda: take(10)); ready(); stay()", 3) as group:
        used = tree.use(tree.members(group), shared=alone).memory
        assert abs(used - 30 * MB) < 3 * LOOSE  # what they all have from the start is not counted


def test_what_is_shared_is_never_counted_below_nothing():
    with running("ready(); stay()") as group:
        assert tree.use([group], shared=1 << 40).memory == 0


def test_memory_that_processes_share_is_counted():
    code = "m = mmap.mmap(-1, 20 << 20); m.write(b'x' * (20 << 20)); ready(); stay()"
    with running(code) as group:
        assert tree.use([group], shared=1 << 40).memory >= 20 * MB


def test_tasks_of_a_user():
    if os.geteuid() == 0:
        user, become = unused_user(), "os.setresuid({0}, {0}, {0})"
        code = become.format(user)
    else:
        user, code = os.geteuid(), "pass"
    before = tree.tasks_of_user(user)
    with running(f"{code}; threads(4); child(); ready(); stay()", 2):
        if os.geteuid() == 0:
            assert (before, tree.tasks_of_user(user)) == (0, 6)
        else:  # others of this user come and go
            assert tree.tasks_of_user(user) >= 6


# The scratch folder.


def file(path, megabytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * (megabytes * MB))
    return path


def used(folder, pids=(), most=1000):
    return tree.scratch_use(str(folder), pids, most)


def roughly(megabytes):
    return pytest.approx(megabytes * MB, abs=64 * 1024)  # folders take a block too


def test_files_and_folders_are_summed(tmp_path):
    assert used(tmp_path) == (0, 0)
    file(tmp_path / "one", 2)
    file(tmp_path / "a" / "b" / "two", 3)
    (tmp_path / "a" / "empty").touch()
    size, entries = used(tmp_path)
    assert size == roughly(5)
    assert entries == 5


def test_a_file_with_holes_is_counted_by_its_length(tmp_path):
    """A copy of it would be whole."""
    with open(tmp_path / "sparse", "wb") as sparse:
        sparse.truncate(1 << 40)
    assert used(tmp_path) == (1 << 40, 1)


def test_links_are_not_followed(tmp_path):
    file(tmp_path / "outside" / "big", 5)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "outside")
    (inside / "file").symlink_to(tmp_path / "outside" / "big")
    (inside / "self").symlink_to(".")
    assert used(inside) == (roughly(0), 3)


def test_it_counts_no_further_than_too_many(tmp_path):
    for n in range(30):
        (tmp_path / f"{n}").touch()
    assert used(tmp_path, most=30)[1] == 30
    assert used(tmp_path, most=29)[1] == 30
    assert used(tmp_path, most=10)[1] == 11


def test_a_folder_that_is_never_where_it_was_listed_counts_as_too_many(tmp_path):
    """As when it is renamed faster than it can be walked."""
    assert used(tmp_path / "gone", most=7) == (0, 8)


def test_a_folder_that_goes_away_once_is_walked_again(tmp_path, monkeypatch):
    file(tmp_path / "stays", 1)
    file(tmp_path / "goes" / "big", 2)
    scandir, moved = os.scandir, []

    def move(folder):
        if folder.endswith("goes") and not moved:
            moved.append(os.rename(folder, tmp_path / "moved"))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", move)
    assert used(tmp_path) == (roughly(3), 3)
    assert moved


def test_a_leader_that_has_ended_does_not_hide_its_threads():
    """It is a zombie as long as they go on."""
    code = """
def work():
    while open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z": pass
    global kept
    kept = take(20)
    ready(); stay()
import ctypes
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit(2): of this thread alone
"""
    with running(code) as group:
        assert tree.members(group) == [group]
        used = tree.use([group], 0)
        assert used.tasks == 2
        assert used.memory > 20 * MB


def test_a_leader_that_has_ended_does_not_forge_what_its_threads_use():
    """It has no memory any more, so its status lacks the line that its name claims."""
    code = """
def work():
    while open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z": pass
    global kept
    kept = take(20)
    ready(); stay()
import ctypes
ctypes.CDLL(None).prctl(15, b"\\rRssAnon:\\t0", 0, 0, 0)  # PR_SET_NAME
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit(2): of this thread alone
"""
    with running(code) as group:
        with open(f"/proc/{group}/comm", "rb") as name:
            assert name.read() == b"\rRssAnon:\t0\n"
        used = tree.use([group], 0)
        assert used.tasks == 2
        assert used.memory > 20 * MB


def test_a_folder_too_deep_to_be_named_counts_as_too_many(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # 20 names of 250 letters: more than the 4,096 that a path may have
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert used(tmp_path, most=1000)[1] == 1001
    subprocess.run(["rm", "-rf", "--", str(tmp_path)], check=True)  # pytest cannot


def test_a_deleted_file_counts_while_somebody_holds_it_open(tmp_path):
    """Once, though two processes do; and the file that is still there is not counted twice."""
    held = file(tmp_path / "held", 4)
    file(tmp_path / "open", 2)
    code = f"""
kept = [open({str(held)!r}), open({str(tmp_path / "open")!r}), open({str(held)!r})]
os.unlink({str(held)!r})
child(); ready(); stay()
"""
    with running(code, 2) as group:
        size, entries = used(tmp_path, tree.members(group))
        assert size == roughly(6)
        assert entries == 1
        assert used(tmp_path)[0] == roughly(2)
    assert used(tmp_path, [group])[0] == roughly(2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_hides_nothing(tmp_path):
    hidden = tmp_path / "hidden"
    file(hidden / "big", 5)
    hidden.chmod(0o300)
    try:
        size, entries = used(tmp_path, most=100)
        assert size >= 5 * MB or entries > 100
    finally:
        hidden.chmod(0o700)


@pytest.mark.parametrize("name", ["held", "a\rb", "a\nb", "a\x0bb\x1c\u2028", "a (deleted)", "a\\012b", " ", "ü"])
def test_a_deleted_file_that_only_a_mapping_holds_counts_as_the_largest_there_may_be(tmp_path, name):
    """Its size cannot be seen any more. Another file now has its name, and one more the name that maps shows for it."""
    held = file(tmp_path / name, 4)
    code = f"""
f = open({str(held)!r}, "r+b"); m = mmap.mmap(f.fileno(), 0); os.closerange(3, 64); os.unlink({str(held)!r})
for name in ({str(held)!r}, {str(held) + " (deleted)"!r}): open(name, "w").close()
child(); ready(); stay()
"""
    with running(code, 2) as group:
        size, entries = tree.scratch_use(str(tmp_path), tree.members(group), 1000, 7 * MB)
        assert size == roughly(7)
        assert entries == 2


def test_a_mapped_file_that_has_a_name_is_counted_once(tmp_path):
    """And packages, which are mapped too, not at all."""
    held = file(tmp_path / "held", 4)
    code = f"""
f = open({str(held)!r}, "r+b"); m = mmap.mmap(f.fileno(), 0); os.closerange(3, 64)
import _ctypes; child(); ready(); stay()
"""
    with running(code, 2) as group:
        assert tree.scratch_use(str(tmp_path), tree.members(group), 1000, 7 * MB) == (roughly(4), 1)


def test_a_mapped_file_of_the_zygote_is_not_the_trees(tmp_path):
    """A package may be replaced on disk while it runs; then its file is deleted and mapped."""
    held = file(tmp_path / "held", 4)
    code = f"""
f = open({str(held)!r}, "r+b"); m = mmap.mmap(f.fileno(), 0); os.closerange(3, 64); os.unlink({str(held)!r})
ready(); stay()
"""
    with running(code) as group:
        base = tree.base(group)
        assert base.memory == tree.anonymous(group)
        assert tree.scratch_use(str(tmp_path), [group], 1000, 7 * MB) == (roughly(7), 0)
        assert tree.scratch_use(str(tmp_path), [group], 1000, 7 * MB, base.files) == (0, 0)


def test_what_a_tree_wrote_never_falls(monkeypatch):
    """A sum falls when a process ends that nobody waits for; then only what comes after that counts anew."""
    sums = iter([100, 250, 40, 60, 60])
    monkeypatch.setattr("metricloop.sandbox.proc.written", lambda pid: next(sums))
    written = tree.Written()
    assert [written.look([1]) for _ in range(5)] == [100, 250, 250, 270, 270]


def test_what_ended_children_wrote_counts_for_whoever_waited(tmp_path):
    """As the kernel counts it: 1 MB of one's own and 2 MB of a child, both out to the disk."""
    code = f"""
import os, sys
def write(name, size):
    with open({str(tmp_path)!r} + name, "wb") as file:
        file.write(bytes(size << 20))
        file.flush()
        os.fsync(file.fileno())
write("/own", 1)
if os.fork() == 0:
    write("/child", 2)
    os._exit(0)
os.wait()
print(flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        wrote = proc.written(process.pid)
        process.stdin.close()
    if not wrote:
        pytest.skip("this kernel, or the temporary folder's file system, counts no bytes")
    assert 3 << 20 <= wrote < 4 << 20
    assert proc.written(process.pid) == 0  # it has ended
