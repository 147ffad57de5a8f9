"""A stage ends when the process that started it ends, and two copies of it cannot run at the same time."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from metricloop.runtime.code_digest import HOME
from metricloop.runtime.stage_start import is_shell_of_dvc

WORKER = textwrap.dedent("""
    import sys, time, pathlib
    from metricloop.runtime.stage_start import die_with_ancestors
    die_with_ancestors()
    print("up", flush=True)
    time.sleep(60)
""")
HOLDER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from metricloop.runtime.stage_start import hold_lock
    hold_lock(Path(sys.argv[1]), patience=0.3)
    print("held", flush=True)
    time.sleep(60)
""")


def start(code, *arguments, shell_parent=False, owner=None):
    environment = os.environ | {"PYTHONPATH": str(HOME)} | ({"METRICLOOP_OWNER": str(owner)} if owner else {})
    environment.pop("METRICLOOP_OWNER", None) if owner is None else None
    command = [sys.executable, "-P", "-c", code, *arguments]
    if shell_parent:  # a shell that stays the parent and prints the child's pid, as dvc's does
        command = ["sh", "-c", '"$@" & echo $!; wait', "sh", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def gone(pid, patience=10.0):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="pidfd and /proc are Linux's")


@linux
def test_a_stage_ends_when_its_shell_is_killed():
    shell = start(WORKER, shell_parent=True)
    lines = {shell.stdout.readline().strip(), shell.stdout.readline().strip()}
    (pid,) = (int(line) for line in lines - {"up"})
    assert "up" in lines
    shell.send_signal(signal.SIGKILL)
    assert gone(pid)


@linux
def test_a_stage_ends_when_dvc_is_killed(tmp_path):
    """Between them is a shell whose command names .dvc/explain.sh, and which is not DVC."""
    stage = tmp_path / "stage.py"
    stage.write_text(WORKER.replace('"up"', "__import__('os').getpid()"))
    code = "import subprocess, sys; subprocess.run(['sh', '-c', sys.argv[2]])"
    command = [sys.executable, "-P", "-c", code, "dvc", f"'{sys.executable}' -P '{stage}' || sh .dvc/explain.sh"]
    environment = {name: value for name, value in os.environ.items() if name != "METRICLOOP_OWNER"}
    dvc = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONPATH": str(HOME)})
    pid = int(dvc.stdout.readline())
    dvc.kill()
    dvc.wait()
    assert gone(pid)


@linux
def test_a_stage_ends_when_the_flow_that_owns_it_is_killed():
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stage = start(WORKER, owner=owner.pid)
    assert stage.stdout.readline() == "up\n"
    owner.kill()
    owner.wait()
    assert stage.wait(10) == -signal.SIGKILL


@linux
def test_a_stage_does_not_start_when_its_flow_has_ended():
    owner = subprocess.Popen(["true"])
    owner.wait()
    stage = start(WORKER, owner=owner.pid)
    assert stage.wait(10) == -signal.SIGKILL


def test_a_second_copy_is_refused_and_the_error_names_the_first(tmp_path):
    lock = tmp_path / "train@random.0.lock"
    first = start(HOLDER, str(lock))
    assert first.stdout.readline() == "held\n"
    second = start(HOLDER, str(lock))
    assert second.wait(10) == 1
    assert f"train@random.0 is already running here (process {first.pid})" in second.stderr.read()
    first.kill()
    first.wait()
    third = start(HOLDER, str(lock))
    assert third.stdout.readline() == "held\n"
    third.kill()
    third.wait()


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("/bin/sh -c python", True),
        ("/bin/bash --noprofile --norc -c python", True),  # as DVC starts it
        ("/usr/bin/zsh --no-rcs -c python", True),
        ("-bash", False),  # a person's, whose end must not end the study
        ("/bin/bash", False),
        ("/usr/bin/python -c pass", False),
    ],
)
def test_the_shell_that_dvc_starts_is_told_from_a_persons(command, found):
    assert is_shell_of_dvc(command.replace(" ", "\0").encode() + b"\0") is found
