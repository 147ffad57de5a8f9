"""Run a study of which one process is struck at a chosen event (see struck/sitecustomize.py), and look what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from damaging import digests

STRUCK = Path(__file__).parent / "struck"
WRITES = r"^(?!read )(?!\S+ \.metricloop/locks/)"  # every event that changes a file, but for locks
FINAL = (
    "data", "scores", "subsets", "models", "results", "numbers", "plots", "comparison.json", "finalists.json",
    "metrics.json", "confirmation.json",
)  # fmt: skip


def mark(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a study whose processes are to be found, and struck."""
    return os.environ | {"FAULT_TEST": str(folder), "PYTHONPATH": str(STRUCK)} | variables


@dataclass(frozen=True)
class Victim:
    """pattern: of its command line. events: pattern of its events, which are counted."""

    pattern: str
    events: str = WRITES


def aim(folder: Path, victims: Mapping[str, Victim], struck: str = "", at: int = 0, how: str = "kill") -> None:
    """Count the events of these processes, and strike the one of this name at the event of this number."""
    for name in victims:
        Path(f"{folder}.{name}.events").unlink(missing_ok=True)
    found = {name: vars(victim) | {"at": at if name == struck else 0, "how": how} for name, victim in victims.items()}
    Path(f"{folder}.blow").write_text(json.dumps(found))


def spare(folder: Path) -> None:
    """Strike nobody from now on."""
    Path(f"{folder}.blow").unlink(missing_ok=True)


def events_of(folder: Path, name: str) -> list[str]:
    """The events of a victim so far."""
    record = Path(f"{folder}.{name}.events")
    return record.read_text().splitlines() if record.is_file() else []


def run(folder: Path, *words: str, patience: float = 400, **variables: str) -> subprocess.CompletedProcess:
    """A command of metricloop about this study, as `mark` says."""
    command = [sys.executable, "-P", "-m", "metricloop.cli", *words, "-C", str(folder)]
    return subprocess.run(
        command, env=mark(folder, **variables), capture_output=True, text=True, timeout=patience, check=False
    )


def processes(folder: Path) -> dict[int, str]:
    """Process id -> command line, of the processes that belong to a marked study."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if command and f"FAULT_TEST={folder}\0".encode() in environment + b"\0":
            found[int(entry.name)] = command
    return found


def wait_for(condition: Callable[[], Any], patience: float, what: object) -> Any:
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value


def end_all(folder: Path) -> None:
    """Kill what is left of a marked study, so that a test that failed leaves nothing."""
    for pid in processes(folder):
        os.kill(pid, signal.SIGKILL)


def no_process_left(folder: Path, patience: float = 20) -> dict[int, str]:
    """What still runs of a study after so many seconds; {} where all has ended."""
    deadline = time.monotonic() + patience
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def temporary_files(folder: Path) -> list[str]:
    """Temporary files of ours and of git that lie in a study; those in DVC's cache go when they are ten minutes old."""
    ours = [path for path in folder.rglob(".*.????????") if ".git" not in path.parts]
    theirs = [*folder.rglob("*.part"), *folder.glob(".git/**/*.lock")]
    return sorted(str(path.relative_to(folder)) for path in (*ours, *theirs))


def finals(folder: Path, names: Sequence[str] = FINAL) -> Mapping[str, str]:
    return digests(folder, *names)
