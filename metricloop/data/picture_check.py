"""Read every picture of a data set once, and fit its labels to it; what fails costs that picture only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from metricloop.data import door
from metricloop.data.formats.problem import Problem, reasons
from metricloop.data.formats.repair import repair
from metricloop.data.formats.source import WITHOUT, Record
from metricloop.data.pictures import PictureError, PictureFacts, PixelBudget, picture_facts
from metricloop.data.remote import FETCHES
from metricloop.data.urls import is_url

COPY = "copy of a labelled picture"  # a kind of problem


class NothingReadableError(ValueError):
    """Not one picture can be used."""


def name_copies(problems: list[Problem], records: Sequence[Record], facts: Sequence[PictureFacts]) -> list[Problem]:
    """Return the problems. Where an unlabelled picture equals a labelled one, its problem now names that one.

    records, facts: of the labelled pictures. Pictures behind URLs, and those that cannot be read, stay as they are.
    """
    if all(one.problem != WITHOUT for one in problems):
        return problems
    known = {own.sha256: record.file for record, own in zip(records, facts, strict=True)}
    sizes = {_size(record.file) for record in records} - {None}  # so that few files are read
    return [_named(one, known, sizes) if one.problem == WITHOUT else one for one in problems]


def _named(one: Problem, known: Mapping[str, Path], sizes: Container[int | None]) -> Problem:
    """The problem of one unlabelled picture, as in `name_copies`.

    known: SHA-256 -> labelled picture. sizes: of the labelled pictures, in bytes; other sizes need no reading.
    """
    if _size(one.file) not in sizes:
        return one
    try:
        same = known.get(hashlib.sha256(door.read_bytes(one.file)).hexdigest())
    except door.DoorError:
        return one
    return one if same is None else Problem(one.file, COPY, f"left out (the same file as {same.name})")


def _size(file: Path | str) -> int | None:
    """The size of a file in bytes; None for a URL, and where there is no file."""
    return None if is_url(file) or not Path(file).is_file() else Path(file).stat().st_size


def check_pictures(
    records: Sequence[Record], jobs: int, progress: Callable[[int, int], None], problems: list[Problem]
) -> tuple[list[Record], list[PictureFacts]]:
    """The records whose pictures can be decoded, with labels in pixels of the picture as shown; and facts about each.

    Errors: NothingReadableError.
    """
    from joblib import Parallel, delayed

    budget = PixelBudget()
    if records and is_url(records[0].file):
        jobs = max(jobs, FETCHES)  # a core decodes one picture while others are on their way
    # threads: OpenCV and hashlib work outside Python's lock
    seen = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        delayed(_facts_or_reason)(record.file, budget) for record in records
    )
    usable: list[Record] = []
    facts: list[PictureFacts] = []
    for done, (record, found) in enumerate(zip(records, seen, strict=True), start=1):
        progress(done, len(records))
        if isinstance(found, str):
            action = f"left out with {len(record.boxes)} boxes ({found})"
            problems.append(Problem(str(record.file), "picture cannot be read", action))
            continue
        try:
            usable.append(_repaired(record, found, problems))
            facts.append(found)
        except (ValueError, ArithmeticError, IndexError, TypeError) as error:
            action = f"left out with {len(record.boxes)} boxes ({type(error).__name__})"
            problems.append(Problem(str(record.file), "labels cannot be fitted to the picture", action))
    if not usable:
        raise NothingReadableError(f"none of {len(records)} pictures can be used. {reasons(problems)}")
    return _objects_of_crowds(usable, problems), facts


def _facts_or_reason(file: Path, budget: PixelBudget) -> PictureFacts | str:
    try:
        return picture_facts(file, budget)
    except PictureError as error:
        return str(error)
    except (door.AwayError, door.MissingPackageError):  # nothing is wrong with the picture
        raise
    except MemoryError:
        return "no memory left to decode it"
    except Exception as error:  # a decoder may raise anything; the reason is listed with the picture
        return f"cannot be decoded ({type(error).__name__})"


def _repaired(record: Record, facts: PictureFacts, problems: list[Problem]) -> Record:
    fixed, notes = repair(record, facts.width, facts.height, facts.orientation)
    if facts.converted:
        kind = "picture with transparency" if facts.converted == "transparency" else f"{facts.converted} picture"
        notes.append((kind, "read as 8-bit RGB"))
    problems += [Problem(str(record.file), problem, action) for problem, action in notes]
    return fixed


def _objects_of_crowds(records: list[Record], problems: list[Problem]) -> list[Record]:
    """The records with their crowd regions; as objects, if there is nothing else: some exporters mark all masks so."""
    crowds = sum(int(record.crowd.sum()) for record in records)
    if not crowds or objects_of(records).any():
        return records
    first = next(record for record in records if len(record.boxes))
    action = f"{crowds} labels taken as objects (iscrowd in COCO, difficult in VOC)"
    problems.append(Problem(first.origin or str(first.file), "all labels are crowd regions", action))
    return [replace(record, crowd=np.zeros(len(record.boxes), bool)) for record in records]


def objects_of(records: Sequence[Record]) -> np.ndarray:
    """The number of labelled objects per image, (n,) int, crowd regions not counted."""
    return np.array([int((~record.crowd).sum()) for record in records], np.int64)
