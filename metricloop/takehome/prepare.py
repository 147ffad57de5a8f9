"""Make the folder of a take-home: the assignment, its data, the truth that is kept apart, and the settings."""

from __future__ import annotations

import csv
import importlib
import os
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
    had = (folder / FILE).is_file()
    if not had:
        if not assignment:
            raise AssignmentError(f"{folder} holds no {FILE}; name an assignment: {', '.join(worked_assignments())}")
        _fill(folder, assignment, data, truth)
    elif assignment:
        _same(folder, assignment)
    if had and (data or truth):
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
    file = _file(assignment)
    if data is None:
        raise AssignmentError(f"--data is missing: the folder with the data that {assignment} speaks of")
    front, _ = read_front(file)
    _apart({"--data": data, "--truth": truth, "-C": folder})
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
    shutil.copyfile(file, folder / FILE)


def _file(assignment: str) -> Path:
    """The file of an assignment of one's own or of a worked one."""
    if assignment in worked_assignments():
        return Path(assignments.__file__ or "").with_name(f"{assignment}.md")
    if not Path(assignment).is_file():
        raise AssignmentError(
            f"{assignment} is neither a file nor a worked assignment ({', '.join(worked_assignments())})"
        )
    return Path(assignment)


def _same(folder: Path, assignment: str) -> None:
    """Refuse to go on in a folder that holds another assignment than the one that is named."""
    (wanted, text), (front, has) = read_front(_file(assignment)), read_front(folder / FILE)
    if (wanted, text) != (front, has):
        other = front.name != wanted.name
        differs = f"holds {front.name}, not {wanted.name}" if other else f"differs from {assignment} ({front.name})"
        raise AssignmentError(
            f"{folder / FILE} {differs}; leave the assignment out to go on with what is there, or give another folder "
            "with -C"
        )


def _apart(places: dict[str, Path | None]) -> None:
    """Refuse folders of which one lies in another: the truth would be copied with the data, or a folder into itself."""
    found = [(name, path, path.resolve()) for name, path in places.items() if path is not None]
    for inner, path, place in found:
        for outer, other, around in found:
            if inner != outer and place.is_relative_to(around):
                raise AssignmentError(
                    f"{inner} {path} lies in {outer} {other}; give folders of which none lies in another"
                )


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
    keys = [_key(text, item) for text, _ in rows]
    distinct = list(dict.fromkeys(keys))
    if len(distinct) < 2:
        raise AssignmentError(f"{train} has one item alone; give at least two different ones, or --truth")
    held = set(random.Random(SEED).sample(distinct, max(1, round(HELD_SHARE * len(distinct)))))
    if item == "file":
        _move_pictures([key for key in distinct if key in held], train, folder / TRUTH / HELD_OUT_FOLDER)
    marked = list(zip(keys, rows, strict=True))
    _write_rows(folder / TRUTH / HELD_OUT, item, [row for key, row in marked if key in held])
    _write_rows(train, item, [row for key, row in marked if key not in held])


def _key(item: str, kind: str) -> str:
    """The same for rows of one item: a text without regard to case and spaces, the path of a picture."""
    return " ".join(item.split()).casefold() if kind == "text" else os.path.normpath(item)


def _move_pictures(files: list[str], train: Path, target: Path) -> None:
    """Move pictures to the truth, after a look that all are there; those that were moved before a kill stay."""
    source = train.with_suffix("")
    for file in files:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise AssignmentError(f"{train} names {file}, which is not in {source}; put the picture there")
        if not (source / file).is_file() and not (target / file).is_file():
            raise AssignmentError(f"{train} names {file}, and {source / file} does not exist; put the picture there")
    for file in files:
        if (source / file).is_file():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source / file, target / file)


def _write_rows(path: Path, item: str, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([item, "label"])
        writer.writerows(rows)


def _module(name: str) -> Any:
    return importlib.import_module(f"{assignments.__name__}.{name}")
