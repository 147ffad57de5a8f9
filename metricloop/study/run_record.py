"""The run in progress: only one at a time in a workspace, and a file in scratch that says how far it is.

Whoever looks at the file needs no lock. A run that was killed leaves it behind, and so does one that failed.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.params import Params, load_params
from metricloop.study.graph import kind_of
from metricloop.study.kept_outputs import settle_killed
from metricloop.study.leftovers import clear_leftovers
from metricloop.study.speed import Speed
from metricloop.study.stage_work import WITH_DETECTOR, detector_of, trials_of, work_of
from metricloop.text.duration import duration
from metricloop.text.numbers import count
from metricloop.text.shell import run_line

GO_ON = ("run", "score", "deliver")  # what `metricloop run` finishes; another command has to be typed again


LAST_MINUTE = 60.0  # seconds


class BusyError(RuntimeError):
    """Another process works in this workspace; the message says since when, and how far it is."""


@dataclass(frozen=True)
class Running:
    """doing: the command, such as run. began, until: seconds since 1970; until: when it will probably end, or None.

    born: when the process began, in the kernel's ticks, so that a later process of the same number is not taken for it.
    stages, done: those of this run so far, and those that have ended. now: the stages that run now.
    failed: the first line of what ended it; "" while it runs, or when it was killed.
    trials: `trials_of` its settings; "" where they are not known.
    """

    pid: int
    born: str
    host: str
    doing: str
    began: float
    stages: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    now: tuple[str, ...] = ()
    until: float | None = None
    failed: str = ""
    trials: str = ""

    @property
    def alive(self) -> bool:
        """Whether the process still runs; on another machine that cannot be known, and counts as running."""
        if self.host != socket.gethostname():
            return not self.failed
        return not self.failed and _born(self.pid) == self.born


class Run:
    """The run of this process. `plan`, `begin` and `end` are called as it goes on, from any thread.

    params: its settings, so that later runs know whether theirs are the same.
    """

    def __init__(self, folder: Path, doing: str, params: Params | None = None) -> None:
        self.folder, self.params = folder, params
        pid, trials = os.getpid(), "" if params is None else trials_of(params)
        self.state = Running(pid, _born(pid), socket.gethostname(), doing, time.time(), trials=trials)
        self.left: Callable[[Run], float | None] = lambda run: None  # estimates the seconds that are left
        self.changed: Callable[[Running], None] = lambda state: None  # called after each change, by a display
        self.clocks: dict[str, float] = {}
        self.speed = Speed()
        self._lock = threading.RLock()
        self._write()

    def plan(self, stages: Iterable[str]) -> None:
        """Stages that are now known to be part of the run."""
        with self._lock:
            new = [name for name in stages if name not in self.state.stages or name in self.state.done]
            kept = tuple(name for name in self.state.stages if name not in new)
            done = tuple(name for name in self.state.done if name not in new)
            self._set(stages=(*kept, *new), done=done)

    def begin(self, stage: str) -> None:
        with self._lock:
            self.clocks[stage] = time.monotonic()
            known = self.state.stages if stage in self.state.stages else (*self.state.stages, stage)
            done = tuple(name for name in self.state.done if name != stage)
            self._set(stages=known, done=done, now=(*self.state.now, stage))

    def end(self, stage: str, ran: bool = True, whole: bool = True) -> None:
        """A stage has ended well. ran: False where it turned out to be up to date. whole: False where it went on with
        what a stopped run had done, so that its time says nothing.
        """
        with self._lock:
            began = self.clocks.pop(stage, None)
            if ran and whole and began is not None:
                remember_seconds(self.folder, stage, time.monotonic() - began, self.params)
            known = self.state.stages if stage in self.state.stages else (*self.state.stages, stage)
            now = tuple(name for name in self.state.now if name != stage)
            self._set(stages=known, done=tuple(dict.fromkeys((*self.state.done, stage))), now=now)

    def saw(self, label: str, done: int) -> None:
        """Note how many iterations a trial has done, so that the time left is known before a stage ends."""
        with self._lock:
            self.speed.saw(label, done, time.monotonic())
            self._set()

    def fail(self, error: BaseException) -> None:
        with self._lock:
            self._set(failed=str(error).strip().partition("\n")[0] or type(error).__name__)

    def _set(self, **changes) -> None:
        self.state = replace(self.state, **changes)
        left = None
        with suppress(OSError, ValueError, KeyError):  # a person edits arms.yaml meanwhile: a run needs no estimate
            left = self.left(self)
        self.state = replace(self.state, until=None if left is None else time.time() + left)
        self._write()
        self.changed(self.state)

    def _write(self) -> None:
        target = self.folder / layout.RUN
        with suppress(OSError):  # a full disk must not end a run; whoever looks sees an older state
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}")
            part.write_text(json.dumps(asdict(self.state)))
            part.replace(target)


_here: dict[Path, Run] = {}


def current(folder: Path) -> Run | None:
    """The run of this process in a workspace."""
    return _here.get(folder.resolve())


@contextmanager
def claimed(folder: Path, doing: str) -> Iterator[Run]:
    """Work in a workspace as its only run; within a run of this process, that one goes on.

    Errors: BusyError when another process works there; ParamsError where there is no workspace.
    """
    folder = folder.resolve()
    if folder in _here:
        yield _here[folder]
        return
    params = load_params(folder / layout.PARAMS)
    path = folder / layout.RUN_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(busy(folder)) from None
        settle_killed(folder)
        clear_leftovers(folder)
        run = _here[folder] = Run(folder, doing, params)
        try:
            yield run
        except KeyboardInterrupt:  # a person stopped it, which is no failure
            raise
        except BaseException as error:
            run.fail(error)
            raise
        else:
            (folder / layout.RUN).unlink(missing_ok=True)
        finally:
            del _here[folder]
    finally:
        os.close(lock)


def check_free(folder: Path) -> None:
    """Errors: BusyError when another process works in the workspace."""
    found = last_run(folder)
    if found and found.alive and found.pid != os.getpid():
        raise BusyError(busy(folder))


def last_run(folder: Path) -> Running | None:
    """The run in progress, or the last one where it did not finish; None when there is neither."""
    try:
        values: Any = json.loads((folder / layout.RUN).read_text())
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return Running(**fields)
    except (OSError, ValueError, TypeError):
        return None


def busy(folder: Path) -> str:
    """Why another command has to wait."""
    found = last_run(folder)
    told = describe(found) if found else "another command that is just beginning"
    return f"another command works in {folder}: {told}; wait for it, or stop it with Ctrl-C where it runs"


def describe(found: Running, now: float | None = None) -> str:
    """How far a run is, such as: `metricloop run`, running since 22:47 (process 123), stage 7 of 25, 12 min left."""
    now = time.time() if now is None else now
    place = "" if found.host == socket.gethostname() else f" on {found.host}"
    text = f"`metricloop {found.doing}`, running since {clock(found.began, now)} (process {found.pid}{place})"
    if found.stages:
        text += f", stage {min(len(found.done) + 1, len(found.stages))} of {len(found.stages)}"
    if found.now:
        text += f": {', '.join(found.now)}"
    left = left_text(found, now)
    return f"{text}, {left}" if left else text


def left_text(found: Running, now: float | None = None) -> str:
    """How long a run still takes, in words; "" while that is not known.

    The last minute is not counted down: it holds the report, MLflow and the commit, whose time varies.
    """
    if found.until is None:
        return ""
    seconds = found.until - (time.time() if now is None else now)
    if seconds < LAST_MINUTE or (found.stages and set(found.stages) <= set(found.done)):
        return "nearly done"
    return f"about {duration(seconds)} left"


def describe_stopped(found: Running, folder: Path, now: float | None = None) -> str:
    """What became of a run that did not finish, and how to go on."""
    now = time.time() if now is None else now
    what = f"failed: {found.failed}" if found.failed else "was stopped"
    reached = f" after {len(found.done)} of {len(found.stages)} stages" if found.stages else ""
    if reached and (kept := kept_trials(folder, found)):
        reached += f" and {count(kept, 'trial')} of the next"
    further = f"go on with: {run_line(folder)}" if found.doing in GO_ON else "to go on, type it again"
    return f"`metricloop {found.doing}` of {clock(found.began, now)} {what}{reached}; {further}"


def kept_trials(folder: Path, stopped: Running) -> int:
    """The number of trials that a stopped run finished in stages that it did not finish. They are not trained again."""
    finished = (folder / layout.CACHE / "resume").glob("*/final.pt")
    return sum(path.stat().st_mtime >= stopped.began for path in finished)


def clock(moment: float, now: float) -> str:
    """22:47 for today, and the date as well for another day."""
    today = time.localtime(moment)[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", time.localtime(moment))


def known_seconds(folder: Path, params: Params | None = None) -> dict[str, float]:
    """Stage -> seconds that it took when it last ran here.

    params: those of now; a stage that had fewer iterations counts in proportion, and one that trained or evaluated
    another detector, or pictures of another size, is left out.
    """
    found: dict[str, float] = {}
    for stage, value in _times(folder).items():
        if isinstance(value, float | int):  # its settings are not known
            found[stage] = value
        elif params is None:
            found[stage] = value["seconds"]
        elif value["detector"] == detector_of(params) or kind_of(stage) not in WITH_DETECTOR:
            found[stage] = value["seconds"] * work_of(stage, params) / value["work"]
    return found


def remember_seconds(folder: Path, stage: str, seconds: float, params: Params | None = None) -> None:
    """Keep what a stage took, with these settings; only the process that has claimed the workspace calls this."""
    target = folder / layout.SECONDS
    value: Any = round(seconds, 2)
    if params is not None:
        value = {"seconds": value, "work": work_of(stage, params), "detector": detector_of(params)}
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}")
        part.write_text(json.dumps(_times(folder) | {stage: value}))
        part.replace(target)


def _times(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / layout.SECONDS).read_text())
    except (OSError, ValueError):
        return {}


def _born(pid: int) -> str:
    """When a process began, which no later process with the same number shares; "" if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if stat[0] == "Z":
            return ""
        return f"{stat[19]} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    except OSError:
        return _born_elsewhere(pid)


def _born_elsewhere(pid: int) -> str:
    """Without /proc (macOS): whether the process is there at all."""
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "there"
