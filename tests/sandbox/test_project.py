"""A small foreign project runs as it would outside, within its limits, and hands over the files it made."""

import os
import re
import subprocess
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from metricloop.sandbox import project
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.proc import UnreadableError
from metricloop.sandbox.project import run

pytestmark = pytest.mark.usefixtures("walls")

LIMITS = Limits(memory_mb=128, batch_seconds=10, processes=8, scratch_mb=8, file_mb=4, scratch_entries=100)
BRIEF = LIMITS.model_copy(update={"batch_seconds": 0.5})


@pytest.fixture(scope="module", autouse=True)
def proven_once():
    """The self-test is for another file: 50 runs need not repeat it. Each still has a zygote of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("metricloop.sandbox.supervisor.prove", lambda sandbox: None)
        yield


@pytest.fixture(autouse=True)
def scratch_place(monkeypatch):
    """Where scratch folders are made; whatever happens in a test, nothing is left there."""
    place = tempfile.mkdtemp(prefix="metricloop-test-")
    os.chmod(place, 0o711)  # a user that nobody is must get through
    monkeypatch.setattr("tempfile.tempdir", place)
    yield Path(place)
    left = os.listdir(place)
    for folder, _, _ in os.walk(place):
        os.chmod(folder, 0o700)
    subprocess.run(["rm", "-rf", "--", place], check=True)
    assert left == []


@pytest.fixture
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def started(tmp_path):
    """Write files, by name, into a folder, and run one of them."""

    def start(files, *argv, limits=LIMITS, results=None):
        files = {"main.py": files} if isinstance(files, str) else files
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(text))
        return run(tmp_path, argv or ["main.py"], limits, results)

    return start


# As outside.


def test_arguments_output_and_a_clean_end(started):
    outcome = started(
        """
        import os, sys
        print(__name__, sys.argv, os.path.basename(__file__))
        print("a problem", file=sys.stderr)
        """,
        "main.py", "--epochs", "3", "wörds and spaces", "",
    )  # fmt: skip
    assert outcome.output == "__main__ ['main.py', '--epochs', '3', 'wörds and spaces', ''] main.py\n"
    assert outcome.errors == "a problem\n"
    assert (outcome.status, outcome.reason, outcome.made, outcome.left_out) == (0, "", (), 0)
    assert 0 < outcome.seconds < 10
    assert 0 <= outcome.peak_mb < 128


PACKAGE = {
    "lions/__init__.py": "NAME = 'lions'",
    "lions/__main__.py": "from . import NAME\nfrom .den import roar\nimport sys\nprint(NAME, roar(), sys.argv[1:])",
    "lions/den.py": "from lions import helpers\ndef roar(): return helpers.loud('roar')",
    "lions/helpers/__init__.py": "from ..volume import LEVEL\ndef loud(word): return word.upper() + '!' * LEVEL",
    "lions/volume.py": "LEVEL = 3",
    "top.py": "from lions.den import roar\nprint(roar())",
    "code/part.py": "print('part', __name__)",
}


@pytest.mark.parametrize(
    ("argv", "output"),
    [
        (["-m", "lions", "-m", "x"], "lions ROAR!!! ['-m', 'x']\n"),
        (["-m", "top"], "ROAR!!!\n"),
        (["top.py"], "ROAR!!!\n"),
        (["code/part.py"], "part __main__\n"),
    ],
)
def test_packages_modules_and_relative_imports(started, argv, output):
    outcome = started(PACKAGE, *argv)
    assert (outcome.output, outcome.errors, outcome.status) == (output, "", 0)


@pytest.mark.parametrize(
    ("code", "status", "errors"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit('no lions')", 1, "no lions\n"),
        ("import sys; sys.exit(256 + 5)", 5, ""),
        ("raise SystemExit(True)", 1, ""),
        ("import os; os._exit(4)", 4, ""),
        ("import os; print('lost'); os._exit(0)", 0, ""),
        ("import os; os.abort()", -6, None),
    ],
)
def test_the_status_is_that_of_the_program(started, code, status, errors):
    outcome = started(code)
    assert outcome.status == status
    assert errors is None or outcome.errors == errors
    assert bool(outcome.reason) == (status < 0)


def test_a_traceback_shows_the_programs_lines_and_none_of_ours(started):
    outcome = started({"main.py": "import deep\n\ndeep.fail(0)\n", "deep.py": "def fail(n):\n    return 1 / n\n"})
    assert outcome.status == 1
    assert re.findall(r'File "(.*)", line (\d+)', outcome.errors) == [("main.py", "3"), ("deep.py", "2")]
    assert "return 1 / n" in outcome.errors
    assert outcome.errors.startswith("Traceback (most recent call last):\n")
    assert outcome.errors.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"main.py": "def broken(:\n"}, ['File "main.py", line 1', "SyntaxError"]),
        ({"main.py": "import lion_that_is_not_there"}, ["No module named 'lion_that_is_not_there'", "line 1"]),
        ({"other.py": ""}, ["No such file", "main.py"]),
    ],
)
def test_a_program_that_cannot_be_loaded_says_why(started, files, said):
    outcome = started(files)
    assert outcome.status == 1
    assert all(words in outcome.errors for words in said)
    assert "inside_project" not in outcome.errors
    assert "runpy" not in outcome.errors


WORKS = {
    "asyncio": """
        import asyncio
        async def lion(n):
            await asyncio.sleep(0.01)
            return n * n
        async def main():
            return await asyncio.gather(*map(lion, range(5)), asyncio.to_thread(sum, [1, 2]))
        print(asyncio.run(main()))
        """,
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        import threading
        with ThreadPoolExecutor(4) as pool: print(list(pool.map(abs, [-1, 2])))
        threading.Thread(target=print, args=["last"]).start()
        """,
    "threads of the C library": """
        import ctypes, time
        libc = ctypes.CDLL(None)
        work = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: time.sleep(0.05) or print("worked"))
        thread = ctypes.c_ulong()
        print(libc.pthread_create(ctypes.byref(thread), None, work, None))
        print(libc.pthread_join(thread, None))  # waits on a word of the kernel, which may be shared
        """,
    "locks of a database": """
        import sqlite3
        one, other = sqlite3.connect("table.db", timeout=0), sqlite3.connect("table.db", timeout=0)
        one.execute("create table lions (name)")
        one.execute("begin exclusive")
        try:
            other.execute("insert into lions values ('a')")
        except sqlite3.OperationalError as error:
            print(error)
        one.commit()
        one.close()
        other.close()
        __import__("os").unlink("table.db")
        """,
    "fork and a pipe": """
        import multiprocessing as mp
        def work(end): end.send([1, {"a": 2}])
        context = mp.get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=[theirs]); process.start()
        print(ours.recv()); process.join(); print(process.exitcode)
        """,
    "fork and wait": """
        import os
        if (pid := os.fork()) == 0: os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    "temporary files": """
        import os, tempfile
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w+", dir=folder) as file:
            file.write("x"); file.flush(); print(os.path.getsize(file.name), os.path.dirname(folder) == os.getcwd())
        """,
    "copies": """
        import shutil, pathlib
        pathlib.Path("a").mkdir(); pathlib.Path("a/one").write_text("1")
        shutil.copy("a/one", "two"); shutil.copytree("a", "b"); shutil.copy2("a/one", "three"); shutil.move("two", "b")
        print(sorted(map(str, pathlib.Path().rglob("*")))); shutil.rmtree("a"); shutil.rmtree("b")
        pathlib.Path("three").unlink()
        """,
    "exit functions": """
        import atexit
        atexit.register(print, "at the end")
        print("first")
        """,
    "numpy and OpenCV": """
        import cv2, numpy as np
        np.save("a.npy", np.arange(6).reshape(2, 3)); cv2.imwrite("a.png", np.zeros((4, 5, 3), np.uint8))
        print(np.load("a.npy").sum(), cv2.imread("a.png").shape)
        import os; os.unlink("a.npy"); os.unlink("a.png")
        """,
    "standard input is empty": "import sys; print(repr(sys.stdin.read()))",
}
PRINTS = {
    "asyncio": "[0, 1, 4, 9, 16, 3]\n",
    "threads": "[1, 2]\nlast\n",
    "threads of the C library": "0\nworked\n0\n",
    "locks of a database": "database is locked\n",
    "fork and a pipe": "[1, {'a': 2}]\n0\n",
    "fork and wait": "7\n",
    "temporary files": "1 True\n",
    "copies": "['a', 'a/one', 'b', 'b/one', 'b/two', 'main.py', 'three']\n",
    "exit functions": "first\nat the end\n",
    "numpy and OpenCV": "15 (4, 5, 3)\n",
    "standard input is empty": "''\n",
}


@pytest.mark.parametrize("what", WORKS)
def test_what_programs_do_works(started, what):
    outcome = started(WORKS[what])
    assert (outcome.output, outcome.errors, outcome.status) == (PRINTS[what], "", 0)
    assert outcome.made == ()


def test_the_environment_holds_nothing_of_ours(started, monkeypatch):
    monkeypatch.setenv("METRICLOOP_TEST_SECRET", "of the parent")
    outcome = started("import os\nprint(*sorted(os.environ))\nprint(os.environ['HOME'] == os.getcwd())")
    assert "SECRET" not in outcome.output
    names, home = outcome.output.splitlines()
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    ours = {"HOME", "TMPDIR", "USER", "JOBLIB_MULTIPROCESSING"}
    python = {"PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "LC_CTYPE", "LD_LIBRARY_PATH"}  # OpenCV sets the last one
    assert set(names.split()) <= ours | threads | python
    assert home == "True"


def test_the_scratch_folder_is_not_named(started):
    outcome = started("import os, sys; print(os.getcwd()); print(os.path.abspath('x'), file=sys.stderr)")
    assert (outcome.output, outcome.errors) == (".\n", "x\n")


# Output.


def test_output_that_was_not_flushed_comes_in_order(started):
    outcome = started(
        "import os, sys\nfor n in range(3):\n    print(n)\n    sys.stdout.flush()\n    os.write(1, b'raw ')\n"
    )
    assert outcome.output == "0\nraw 1\nraw 2\nraw "


def test_the_middle_of_too_much_output_is_left_out(started):
    limits = LIMITS.model_copy(update={"output_kb": 1})
    outcome = started("print('a' * 5000 + 'b' * 5000, end='')", limits=limits)
    assert outcome.output == "a" * 512 + "\n... 8976 bytes left out ...\n" + "b" * 512
    assert outcome.status == 0


def test_megabytes_of_output_block_nobody(started):
    outcome = started(
        "import os\nfor _ in range(300):\n    os.write(1, b'x' * 65536)\n    os.write(2, b'y' * 65536)\nprint('end')"
    )
    assert outcome.status == 0
    assert outcome.output.endswith("end\n")
    assert len(outcome.output) < 70_000 > len(outcome.errors)


def test_output_that_a_forgotten_child_holds_open_is_not_waited_for(started):
    outcome = started(
        "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint('parent')",
        limits=LIMITS.model_copy(update={"batch_seconds": 8}),
    )
    assert (outcome.status, outcome.output) == (0, "parent\n")
    assert outcome.seconds < 5


def test_a_program_that_closes_its_output_still_ends_as_it_ends(started):
    outcome = started(
        "import os, time\nos.close(1); os.close(2)\nopen('late', 'w').close()\ntime.sleep(0.1)\nos._exit(9)"
    )
    assert (outcome.status, outcome.made) == (9, ("late",))


@pytest.mark.parametrize(
    ("said", "most", "kept"),
    [
        ([b""], 10, ""),
        ([b"0123456789"], 10, "0123456789"),
        ([b"0123456789a"], 10, "01234\n... 1 bytes left out ...\n6789a"),
        ([b"0", b"123", b"4567", b"89", b"ab"], 10, "01234\n... 2 bytes left out ...\n789ab"),
        ([b"x" * 1000, b"end"], 4, "xx\n... 999 bytes left out ...\nnd"),
        ([b"\xff"], 10, "�"),
    ],
)
def test_what_is_kept_of_a_stream(said, most, kept):
    stream = project._Kept(most)
    for data in said:
        stream.add(data)
    assert stream.text() == kept


# Limits.


def test_the_time_limit_holds(started):
    outcome = started("import time\nprint('began', flush=True)\ntime.sleep(60)", limits=BRIEF)
    assert (outcome.status, outcome.reason, outcome.output) == (None, "it took more than 0.5 s in all", "began\n")
    assert outcome.seconds < 5


def test_the_memory_limit_is_that_of_all_processes_together(started):
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                kept = bytearray(b"x" * (50 << 20))
                time.sleep(60)
        time.sleep(60)
        """
    outcome = started(code)
    assert outcome.reason == "all its processes together took more than 128 MB of memory"
    assert outcome.status is None
    assert outcome.peak_mb > 128


def test_one_process_that_takes_too_much_gets_a_memory_error(started):
    outcome = started("x = bytearray(1 << 30)")
    assert outcome.status == 1
    assert outcome.errors.endswith("MemoryError\n")


def test_the_limit_of_processes_holds(started):
    """The kernel's (threads of the user) or the supervisor's (threads of the tree), whichever comes first."""
    code = """
        import os, threading
        started = 0
        try:
            for _ in range(100):
                threading.Thread(target=threading.Event().wait, daemon=True).start()
                started += 1
            threading.Event().wait(60)
        except RuntimeError:
            print(started, flush=True)
        os._exit(0)
        """
    outcome = started(code)
    if outcome.status is None:
        assert outcome.reason == "it had more than 8 processes and threads"
    else:
        assert 0 < int(outcome.output) <= 8


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import time\nfor n in range(5): open(str(n), 'wb').write(b'x' * (3 << 20))\ntime.sleep(60)",
            "it wrote more than 8 MB of files",
        ),
        (
            "import time\nfor n in range(200): open(str(n), 'w').close()\ntime.sleep(60)",
            "it made more than 100 files and folders",
        ),
    ],
)
def test_the_limits_of_the_disk_hold(started, code, reason):
    outcome = started(code)
    assert (outcome.status, outcome.reason) == (None, reason)


def test_one_file_too_large_is_an_error_of_the_program(started):
    outcome = started("f = open('big', 'wb')\nfor _ in range(100): f.write(b'x' * (1 << 20))")
    assert outcome.status != 0
    assert "File too large" in outcome.errors or "too large" in outcome.reason


# What it made.


def listing(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_new_and_changed_files_are_handed_over_and_the_folder_stays_as_it_was(started, tmp_path, results):
    files = {
        "main.py": """
            import os
            open("changed.txt", "a").write("more")
            open("same.txt", "w").write("same")
            os.makedirs("out/deep/empty")
            open("out/deep/räsult 1.txt", "w").write("new")
            open("data/in.txt", "w").write("other")
            os.unlink("deleted.txt")
            """,
        "changed.txt": "some ",
        "same.txt": "same",
        "deleted.txt": "still here",
        "data/in.txt": "in",
        "data/kept.txt": "kept",
    }
    started({**files, "main.py": ""})
    before = listing(tmp_path)
    outcome = started(files, results=results)
    assert (outcome.errors, outcome.status) == ("", 0)
    assert outcome.made == ("changed.txt", "data/in.txt", "out/deep/räsult 1.txt")
    assert outcome.left_out == 0
    assert listing(results) == {"changed.txt": "some more", "data/in.txt": "other", "out/deep/räsult 1.txt": "new"}
    assert all(path.stat().st_uid == os.geteuid() for path in results.rglob("*"))
    assert listing(tmp_path) == before | {"main.py": (tmp_path / "main.py").read_text()}
    assert not list(tmp_path.rglob("__pycache__"))


def test_results_nobody_asked_for_are_named_only(started, tmp_path):
    assert started("open('made', 'w').write('x')").made == ("made",)
    assert os.listdir(tmp_path) == ["main.py"]


def test_what_was_written_is_handed_over_when_a_limit_ends_it(started, results):
    outcome = started("import time\nopen('early', 'w').write('x')\ntime.sleep(60)", limits=BRIEF, results=results)
    assert outcome.made == ("early",)
    assert listing(results) == {"early": "x"}


def test_a_file_where_a_folder_was_and_the_other_way_round(started, tmp_path, results):
    files = {
        "main.py": """
            import os, shutil
            shutil.rmtree("folder"); open("folder", "w").write("now a file")
            os.unlink("file"); os.mkdir("file"); open("file/inside", "w").write("x")
            """,
        "folder/kept": "kept",
        "file": "kept too",
    }
    outcome = started(files, results=results)
    assert (outcome.status, outcome.errors, outcome.left_out) == (0, "", 0)
    assert listing(results) == {"folder": "now a file", "file/inside": "x"}
    assert (tmp_path / "folder/kept").read_text() == "kept"
    assert (tmp_path / "file").read_text() == "kept too"


def test_odd_names_are_handed_over_as_they_are(started, results):
    names = ["with space", "ünï", "-rf", "'quoted\"", "*", "a..b"]
    outcome = started(f"for name in {names!r}: open(name, 'w').write('x')", results=results)
    assert outcome.made == tuple(sorted(names))
    assert listing(results) == dict.fromkeys(names, "x")


@pytest.mark.parametrize(
    "name", [".git/config", ".hidden", "sub/.env", "line\nbreak", "\x1b[2J", "rtl\u202etxt", "\udcff"]
)
def test_names_that_are_hidden_or_unprintable_are_left_out(started, results, name):
    """A .git/config would run code at the next `git status`; a terminal would obey an escape."""
    code = (
        f"import os\nname = {name!r}\nos.makedirs(os.path.dirname(name) or '.', exist_ok=True)\nopen(name, 'w').close()"
    )
    outcome = started(code, results=results)
    assert (outcome.status, outcome.errors) == (0, "")
    assert (outcome.made, outcome.left_out) == ((), 1)
    assert listing(results) == {}


def test_a_path_too_long_for_the_results_is_left_out_and_the_rest_is_handed_over(started, results):
    deep = "/".join(["d" * 200] * 18)  # 3,617 letters, and 4,095 are a path's most
    code = f"""
        import os
        os.makedirs({deep!r})
        for name in ({deep!r} + "/file", "short"):
            open(name, "w").close()
        """
    target = results / ("r" * 200) / ("s" * 200) / ("t" * 200)
    outcome = started(code, results=target)
    assert (outcome.status, outcome.made, outcome.left_out) == (0, ("short",), 1)
    assert os.listdir(target) == ["short"]


def test_one_process_is_enough_for_a_program_that_starts_none(started):
    assert started("print(1)", limits=LIMITS.model_copy(update={"processes": 1})).output == "1\n"


def test_results_go_to_a_folder_of_their_own(started, tmp_path, results):
    (results / "mine").touch()
    with pytest.raises(ValueError, match="is not empty; give a new or empty folder for the results"):
        started("print('never')", results=results)
    with pytest.raises(ValueError, match="is not empty"):
        started("print('never')", results=tmp_path)
    new = results / "new" / "one"
    assert started("open('made', 'w').write('x')", results=new).made == ("made",)
    assert listing(new) == {"made": "x"}


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.close(os.open('closed', os.O_CREAT | os.O_WRONLY, 0))",
        "import os\nos.mkdir('hidden', 0o300)\nopen('hidden/x', 'w').close()",
        "import os\nos.umask(0o777)\nopen('closed', 'w').close()\nos.mkdir('hidden')",
    ],
)
def test_what_cannot_be_read_is_no_failure_and_does_not_stay(started, code):
    started(code)


# What is refused before anything runs.


def test_a_folder_with_a_link_is_refused_by_name(started, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "secret").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="sub/secret is a link or a device; a project may hold files"):
        started("print('never')")


def test_a_folder_with_a_pipe_is_refused_and_not_waited_for(started, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is a link or a device"):
        started("print('never')")


def test_a_folder_that_is_too_large_is_refused_with_both_sizes(started, tmp_path):
    with open(tmp_path / "big", "wb") as big:
        big.truncate(9 << 20)
    with pytest.raises(ValueError, match=r"holds 9 MB; scratch_mb allows 8"):
        started("print('never')")


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no_such is not a folder"):
        run(tmp_path / "no_such", ["main.py"])
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="file is not a folder"):
        run(tmp_path / "file", ["main.py"])


def test_an_empty_command_is_refused_with_what_to_give(tmp_path):
    with pytest.raises(ValueError, match="argv is empty; give the file to run, or -m and a module"):
        run(tmp_path, [])


@pytest.mark.parametrize("argv", [["-m"], ["-c", "print(1)"], ["../outside.py"], ["/etc/passwd"], ["."]])
def test_a_command_that_leads_nowhere_runs_nothing(started, tmp_path, argv):
    (tmp_path.parent / "outside.py").write_text("print('escaped')")
    outcome = started({"main.py": "print('main')"}, *argv)
    assert outcome.status == 1
    assert outcome.output == ""


def test_a_folder_with_spaces_and_as_text(tmp_path):
    folder = tmp_path / "my pröject"
    folder.mkdir()
    (folder / "the main.py").write_text("print('ran'); open('out', 'w').close()")
    outcome = run(str(folder), ["the main.py"], LIMITS)
    assert (outcome.output, outcome.made) == ("ran\n", ("out",))


def test_nothing_stays_open_or_running(started):
    started("print(1)")
    before, children = sorted(os.listdir("/proc/self/fd")), children_of_this_process()
    started("import os\nfor _ in range(3):\n    if os.fork() == 0:\n        import time; time.sleep(60)")
    started("import time; time.sleep(60)", limits=LIMITS.model_copy(update={"batch_seconds": 0.1}))
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert children_of_this_process() == children  # other tests keep a sandbox for as long as pytest runs


def children_of_this_process() -> set[str]:
    return {
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and f"\nPPid:\t{os.getpid()}\n" in status_of(entry)
    }


def status_of(entry: Path) -> str:
    try:
        return (entry / "status").read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def test_the_scratch_folder_is_gone_after_a_failure_of_ours(started, monkeypatch):
    """The fixture above looks after it."""

    def fail(*arguments):
        raise RuntimeError("ours")

    monkeypatch.setattr(project, "_execute", fail)
    with pytest.raises(RuntimeError, match="ours"):
        started("print(1)")


def test_a_tree_too_deep_to_be_named_is_ended_and_cleaned_up(started):
    began = time.monotonic()
    code = "import os\nfor _ in range(80):\n    os.mkdir('d' * 200)\n    os.chdir('d' * 200)\nopen('x', 'w').close()\n"
    outcome = started(code + "import time; time.sleep(60)")
    assert outcome.reason == "it made more than 100 files and folders"
    assert time.monotonic() - began < 8


def test_what_cannot_be_counted_is_taken_for_too_much(started, monkeypatch):
    def unreadable(pid):
        raise UnreadableError(f"/proc/{pid}/status has RssAnon twice or without a number")

    monkeypatch.setattr("metricloop.sandbox.proc.status", unreadable)
    outcome = started("import time\ntime.sleep(60)")
    assert outcome.status is None
    assert re.fullmatch(
        r"what it uses cannot be counted, which is taken for too much: /proc/\d+/status .*", outcome.reason
    )
    assert outcome.seconds < 5
