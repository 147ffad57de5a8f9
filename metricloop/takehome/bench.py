"""A bench for one version of an application: runs its programs in the sandbox, each time in a fresh copy."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from metricloop.sandbox import project
from metricloop.sandbox.limits import Limits
from metricloop.takehome.answer import Files
from metricloop.takehome.assignment import Assignment
from metricloop.takehome.contract import DATA, MODEL, TRAIN
from metricloop.takehome.said import same_everywhere
from metricloop.takehome.settings import TakeHome
from metricloop.text.clean import clean

Extra = Mapping[str, str | bytes | Path]  # files, or folders as Path, by their path in the run
MOST_READ = 4_000_000  # bytes of a file that a program made
MOST_MODEL = 64  # MB of the model folder


@dataclass(frozen=True)
class Ran:
    """A program that ended. fault: why it did not end well, for the model; "" when it did.

    made: the folder with the files that it made or changed. Trust them as little as the program.
    """

    fault: str
    printed: str
    made: Path
    seconds: float

    def text(self, name: str) -> str | None:
        """A file that it made, as text; None when there is none. Errors: ValueError when it is too large."""
        path = self.made / name
        if not path.is_file():
            return None
        if path.stat().st_size > MOST_READ:
            raise ValueError(f"{name} is larger than {MOST_READ // 1_000_000} MB")
        return path.read_bytes().decode("utf-8-sig", errors="replace")


@dataclass
class Bench:
    """One version of an application with the assignment's data. Use as a context manager: it holds temporary folders.

    settings: limits of a run.
    """

    files: Files
    assignment: Assignment
    settings: TakeHome
    found: dict[str, Any] = field(default_factory=dict, repr=False)  # what checks share
    _home: Path | None = field(default=None, repr=False)

    def __enter__(self) -> Bench:
        self._home = Path(tempfile.mkdtemp(prefix="metricloop-takehome-"))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    @cached_property
    def training(self) -> Ran:
        """`python train.py`, run once for this version of the application."""
        return self.run([TRAIN, "--data", DATA, "--model", MODEL], seconds=60 * self.assignment.front.minutes)

    @property
    def model(self) -> Path | None:
        """The folder of the trained model; None when there is none."""
        folder = self.training.made / MODEL
        return folder if not self.training.fault and folder.is_dir() else None

    def changed(self, files: Mapping[str, str]) -> Bench:
        """A bench with these files changed, and the model that was trained before; for use within this one."""
        other = Bench({**self.files, **files}, self.assignment, self.settings, _home=self._home)
        other.__dict__["training"] = self.training
        return other

    def run(
        self, argv: Sequence[str], extra: Extra | None = None, seconds: float | None = None,
        base: Path | None = None,
    ) -> Ran:  # fmt: skip
        """Run `python ARGV` in a copy of the application, with data/, and model/ once it is trained.

        extra: further files by path, or folders as Path. seconds: the limit, else that of the settings. base: a folder
        with files of earlier runs, copied over the application's own.
        """
        assert self._home is not None, "use the bench as a context manager"
        work, made = (Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._home)) for kind in ("work", "made"))
        command = clean(" ".join(["python", *argv]))
        trains = seconds is not None and argv[0] == TRAIN
        try:
            self.lay_out(work, None if trains else self.model, extra or {}, base)
        except OSError:  # an earlier program made a file where a folder is needed, or the other way round
            return Ran(f"`{command}`: files that were made before it are in the way of others", "", made, 0.0)
        limits = Limits(
            memory_mb=self.settings.memory_mb, batch_seconds=seconds or self.settings.seconds, processes=64,
            open_files=256, file_mb=MOST_MODEL, scratch_mb=512, scratch_entries=20_000, output_kb=64,
        )  # fmt: skip
        try:
            outcome = project.run(work, argv, limits, made)
        except (ValueError, OSError) as error:  # too large to be run, or with files that cannot be copied
            return Ran(f"its files cannot be used: {type(error).__name__}", "", made, 0.0)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return Ran(fault_of(command, outcome), outcome.output, made, outcome.seconds)

    def lay_out(self, work: Path, model: Path | None, extra: Extra, base: Path | None = None) -> None:
        """Write the application, the data, the model and further files into a folder."""
        write_files(self.files, work)
        _copy(self.assignment.data, work / DATA)
        if model is not None:
            _copy(model, work / MODEL)
        if base is not None:
            _copy(base, work)
        for name, content in extra.items():
            target = work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                _copy(content, target)
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)


def write_files(files: Files, folder: Path) -> None:
    """Write the files of an application into a folder."""
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")


def fault_of(command: str, outcome: project.Outcome) -> str:
    """Why a run did not end well, with the end of what it printed; "" when it did."""
    if outcome.status == 0:
        return ""
    ended = outcome.reason or f"ended with status {outcome.status}"
    said = same_everywhere(outcome.errors) or same_everywhere(outcome.output)
    return f"`{command}`: {ended}" + (f"\n{said}" if said else "")


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; its files are links to the same content where that is possible, since nobody changes them."""
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
