"""Make the folder of a take-home: the assignment, its data, the truth that is kept apart, and the settings."""

from __future__ import annotations

import csv
import importlib
import random
import shutil
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.llm.cassette import BUILT_IN
from metricloop.takehome import assignments
from metricloop.takehome.assignment import (
    DATA,
    FILE,
    HELD_OUT,
    TRUTH,
    UNSEEN,
    Assignment,
    AssignmentError,
    read_assignment,
    read_front,
    read_labelled,
)
from metricloop.takehome.settings import save_settings
from metricloop.takehome.truth import HELD_OUT_FOLDER

SEED = 0
RECORDED = "takehome_"  # before the assignment's name, the recording that comes with metricloop
HELD_SHARE = 0.2  # of the labelled items, kept from the model where no truth is given


def worked_assignments() -> tuple[str, ...]:
    """The names of the assignments that come with metricloop."""
    return tuple(sorted(path.stem for path in Path(assignments.__file__ or "").parent.glob("*.md")))


def prepare(
    folder: Path, assignment: str, data: Path | None, truth: Path | None, changes: dict[str, dict[str, Any]]
) -> Assignment:
    """Make the folder, or use it as it is when it holds an assignment. changes: of params.yaml, by section.

    assignment: a file, or the name of a worked assignment; "" for the one that is there.
    Errors: AssignmentError, SettingsError.
    """
    if not (folder / FILE).is_file():
        if not assignment:
            raise AssignmentError(f"{folder} holds no {FILE}; name an assignment: {', '.join(worked_assignments())}")
        _fill(folder, assignment, data, truth)
    elif data or truth:
        raise AssignmentError(f"{folder} has its data already; leave out --data and --truth, or give another -C")
    if not (folder / layout.PARAMS).is_file():
        save_settings(folder, recorded(assignment))
    if changes:
        save_settings(folder, changes)
    return read_assignment(folder)


def recorded(assignment: str) -> dict[str, dict[str, Any]]:
    """The settings that replay the recording of a worked assignment; {} where there is none."""
    name = f"{RECORDED}{assignment}"
    return {"llm": {"provider": "replay", "cassette": name}} if name in BUILT_IN else {}


def _fill(folder: Path, assignment: str, data: Path | None, truth: Path | None) -> None:
    """Write the assignment into a folder; FILE is written last, so that a cut copy is made anew."""
    if folder.exists() and any(folder.iterdir()) and not (folder / DATA).is_dir():
        raise AssignmentError(f"{folder} is not empty; give a new folder with -C")
    if assignment in worked_assignments():
        if data or truth:
            raise AssignmentError(f"{assignment} comes with its data; leave out --data and --truth")
        _write_worked(folder, assignment)
        return
    if not Path(assignment).is_file():
        raise AssignmentError(
            f"{assignment} is neither a file nor a worked assignment ({', '.join(worked_assignments())})"
        )
    if data is None:
        raise AssignmentError(f"--data is missing: the folder with the data that {assignment} speaks of")
    front, _ = read_front(Path(assignment))
    for source, name in ((data, DATA), (truth, TRUTH)):
        if source is None:
            continue
        if not source.is_dir():
            raise AssignmentError(f"{source} is not a folder")
        if links := [path for path in source.rglob("*") if path.is_symlink()]:
            raise AssignmentError(f"{links[0]} is a link; put the file itself there")
        shutil.copytree(source, folder / name, dirs_exist_ok=True)
    item = "text" if front.kind == "text" else "file"
    if truth is None:
        hold_out(folder, folder / DATA / front.train, item, front.labels)
    elif not any((folder / TRUTH / name).is_file() for name in (HELD_OUT, UNSEEN)):
        raise AssignmentError(f"{truth} holds neither {HELD_OUT} nor {UNSEEN}")
    shutil.copyfile(assignment, folder / FILE)


def _write_worked(folder: Path, name: str) -> None:
    """Write a worked assignment beside its place first, so that a kill leaves no half of it there."""
    making = folder / ".making"
    shutil.rmtree(making, ignore_errors=True)
    _module(name).write(making, SEED)
    for part in (DATA, TRUTH, FILE):
        if (folder / part).is_dir():
            shutil.rmtree(folder / part)
        shutil.move(making / part, folder / part)
    making.rmdir()


def hold_out(folder: Path, train: Path, item: str, labels: tuple[str, ...]) -> None:
    """Move a share of the labelled items from the data of the model to the truth, so that the score is ours."""
    rows = read_labelled(train, item, labels)
    held = set(random.Random(SEED).sample(range(len(rows)), max(1, round(HELD_SHARE * len(rows)))))
    kept = [row for number, row in enumerate(rows) if number not in held]
    if item == "file":
        for number in held:
            file = rows[number][0]
            source, target = train.with_suffix("") / file, folder / TRUTH / HELD_OUT_FOLDER / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
    _write_rows(folder / TRUTH / HELD_OUT, item, [rows[number] for number in sorted(held)])
    _write_rows(train, item, kept)


def _write_rows(path: Path, item: str, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([item, "label"])
        writer.writerows(rows)


def _module(name: str) -> Any:
    return importlib.import_module(f"{assignments.__name__}.{name}")
