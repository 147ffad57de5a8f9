"""The commands that a study starts: their environment, their output, and how they are ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from metricloop.llm.key import ANY_SERVER, HANDED, OPENAI_ONLY, hand_over, take_keys
from metricloop.sandbox.libc import prctl
from metricloop.text.shell import run_line

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


# What a stage, dvc and git may know of our environment. Everything else stays here: it may be a secret.
PASSED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TERM",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "SSH_AUTH_SOCK",
    "FAULT_TEST",
)


PASSED_PREFIXES = ("LC_", "XDG_", "GIT_AUTHOR_", "GIT_COMMITTER_", "OMP_", "MKL_", "CUDA_", "NVIDIA_", "TORCH_", "DVC_")


# The way to a server: told to the one step that asks a model, because the address of a proxy may hold a password.
WAY = (
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


PR_SET_DUMPABLE = 4  # prctl(2)
RUNNING = re.compile(r"Running stage '(.+)'")  # as DVC announces a stage


keys: dict[str, str] = {}  # of language models; taken out of the environment, so that nothing we start inherits them


typed: dict[str, str] = {}  # variables that an option of the command line stands for; never from the environment


_live: set[int] = set()  # process groups of running commands


class StageError(RuntimeError):
    """A stage failed; the message holds the end of what it printed and the command that runs it again."""


def hide_keys() -> None:
    """Take the keys of language models out of this process's environment, before anything is started.

    /proc/PID/environ shows the environment as it was at the start of a process, whatever was taken out since. So on
    Linux a flow that was given a key is marked "not dumpable": its environment and its memory are then closed to every
    other process of the same user, such as a stage or a git hook, and so are debuggers and core dumps. What it starts
    is not marked. It does not stop root, nor hide the key where it also is: in the shell or `make` that started us.
    """
    found = take_keys()
    keys.update(found)
    if sys.platform == "linux" and {ANY_SERVER, OPENAI_ONLY} & set(found):
        prctl(PR_SET_DUMPABLE, 0)


def environment() -> dict[str, str]:
    """What a stage gets: ours as far as it is needed, this interpreter first on PATH, this process as its owner."""
    kept = {n: value for n, value in os.environ.items() if n in PASSED or n.startswith(PASSED_PREFIXES)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    # A relative part, or an empty one, would put the workspace before the installed packages.
    parts = [part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(part)]
    kept = {name: value for name, value in kept.items() if name != "PYTHONPATH"}
    kept |= {"PYTHONPATH": os.pathsep.join(parts)} if parts else {}
    return kept | QUIET | typed | {"PATH": path, "METRICLOOP_OWNER": str(os.getpid())}


def say(text: str) -> None:
    """One line of progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def call(
    workspace: Path,
    command: Sequence[str],
    label: str,
    secret: str = "",
    told: Mapping[str, str] | None = None,
    each: bool = False,
) -> None:
    """Run a command in the workspace, passing on what it prints.

    secret: handed over on its standard input, where neither the environment nor the command line shows it.
    told: variables that it is given beyond `environment`.
    each: say which stage begins, for a command that runs several.

    The command gets its own process group, which is ended when this call is interrupted or cancelled.
    Errors: StageError when it fails.
    """
    process = subprocess.Popen(
        command,
        cwd=workspace,
        env=environment() | dict(told or {}) | ({HANDED: "stdin"} if secret else {}),
        stdin=subprocess.PIPE if secret else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: list[str] = []
    _live.add(process.pid)
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin as stream:
                stream.write(secret)
        assert process.stdout is not None
        for line in process.stdout:
            line = line.rstrip()
            lines.append(line)
            if each and (begun := RUNNING.match(line)):
                say(f"  {begun[1]}")
            elif _worth_showing(line):
                say(f"  {line}")
        code = process.wait()
    except BaseException:
        _end(process.pid)
        process.wait()
        raise
    finally:
        _live.discard(process.pid)
    if code:
        tail = "\n".join(f"    {line}" for line in lines[-25:] if _worth_showing(line))
        raise StageError(
            f"{label} failed (exit status {code}):\n{tail}\n  once mended, go on with: {run_line(workspace)}"
        )


def end_all() -> None:
    """End every command that `call` is waiting for, in whatever thread: an interrupt reaches the main one alone."""
    for group in list(_live):
        _end(group)


def _end(group: int) -> None:
    """Stages save their state as they go and need no time to say goodbye."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _worth_showing(line: str) -> bool:
    """DVC's own chatter is left out: what it runs is said before, and git hints do not apply."""
    noise = (
        "Running stage",
        "> python",
        "Updating lock file",
        "Generating lock file",
        "To track the changes",
        "git add",
        "To enable auto staging",
        "Use `dvc push`",
        "dvc config",
        "Verifying outputs",
        "ERROR: failed to reproduce",
        "WARNING:",
        "Stage '",
    )
    return bool(line.strip()) and not line.strip().startswith(noise)


def dvc(*arguments: str) -> list[str]:
    """A dvc command line run by this interpreter."""
    return [sys.executable, "-P", "-m", "dvc", *arguments]


def converse(workspace: Path, module: str, number: int) -> None:
    """Run a step of a round that talks with the language model; it alone is given the keys, and the way out."""
    way = {name: os.environ[name] for name in WAY if name in os.environ}
    call(workspace, [sys.executable, "-P", "-m", module, str(number)], f"{module} {number}", hand_over(keys), way)


def outdated(workspace: Path, names: Sequence[str]) -> list[str]:
    """Which of these stages DVC would run now, in the order given."""
    if not names:
        return []
    result = subprocess.run(
        dvc("status", "--json", *names), cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StageError(f"dvc status failed in {workspace}:\n{result.stderr.strip()}")
    changed = json.loads(result.stdout.strip().splitlines()[-1] if result.stdout.strip() else "{}")
    return [name for name in names if name in changed]
