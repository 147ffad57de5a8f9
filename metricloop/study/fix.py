"""fix: apply the marks of an audit as repaired labels, or write the repaired labels for other tools."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.formats import SourceError, read, recognise
from metricloop.data.formats.coco_patch import patch_coco
from metricloop.data.formats.export import export_dataset, format_of, writer_of
from metricloop.data.formats.picture_folder import original, own_names, place_file, place_picture
from metricloop.data.formats.voc_patch import patch_voc
from metricloop.data.formats.writer import Notes, Placing, check_free
from metricloop.data.formats.written import remember_links
from metricloop.data.label_changes import summary_of
from metricloop.data.label_versions import read_steps
from metricloop.data.loading import load
from metricloop.data.urls import is_url, path_of, stated
from metricloop.params import Data, Params, load_params
from metricloop.study.apply_marks import counts, repaired, rows_of
from metricloop.study.commits import commit
from metricloop.study.data_files import check_there
from metricloop.study.export import refuse_placing, written
from metricloop.study.import_labels import Compared, Imported, compare, next_version, present_labels, write_version
from metricloop.study.judged import read_judged, write_judged
from metricloop.study.marks import Mark, MarksFile, on_labels, read_marks
from metricloop.study.staleness import Staleness
from metricloop.text.shell import command_line

LABEL_FILE = "labels"  # the name of a label file in a folder
PATCHES = {"coco": patch_coco, "voc": patch_voc}  # formats of a source that is written anew with few changes
OWN = ("coco", "fiftyone", "voc", "yolo")  # formats of a source that a folder is written in without being asked


@dataclass(frozen=True)
class Fixed:
    """What marks say and change.

    findings: how many the page listed; by_kind: kind -> marks of each of WORDS; before: marks that were applied earlier
    and are left out; held_out: marks that change labels of the search and test split: left out in the workspace, and
    applied in what is written for other tools; right: findings judged right, remembered for the next audit; changes:
    as in `summary_of`; images: how many have other labels; version: the new one, None where nothing changes; made:
    what was written, None in a dry run.
    """

    findings: int
    by_kind: Mapping[str, Mapping[str, int]]
    before: int
    held_out: int
    right: int
    changes: Mapping[str, Any]
    images: int
    version: int | None
    made: Imported | None = None


def fix(folder: Path, file: Path, *, held_out: bool = False, arm: bool = True, dry_run: bool = False) -> Fixed:
    """Apply marks to the labels of a workspace, as a new version; remember what was judged, for the next audit.

    held_out: change labels of the search and test split as well, which judge the arms. arm: as in `import_labels`.
    dry_run: write nothing. Errors: MarksError, LabelsError, MissingDataError; the workspace is then unchanged.
    StageError when `ingest` fails afterwards.
    """
    params = load_params(folder / layout.PARAMS)
    marks = read_marks(file)
    data, fresh = present_labels(folder, params)
    known = read_judged(folder)
    found = on_labels(marks, data, known, _again(folder))
    taken = [mark for mark in found if held_out or data.split[mark.row] == "pool" or not _changes(mark)]
    new, touched = repaired(data, taken)
    compared = compare(data, {row: rows_of(new, row) for row in touched}, params, [])
    steps = read_steps(folder / params.data.labels) if params.data.labels else []
    version = next_version(steps) if compared.images else None
    told = _told(marks, found, taken, compared, version)
    if dry_run:
        return told
    decided = [mark.entry for mark in taken if mark.entry.mark != "unsure"]
    path = folder / layout.JUDGED
    old = path.read_bytes() if path.is_file() else None
    if decided:
        write_judged(folder, known, decided)
    try:
        made = _write(folder, params, data, fresh, compared, file.name, arm)
    except ValueError:  # nothing was written; StageError comes after the labels
        path.unlink(missing_ok=True) if old is None else path.write_bytes(old)
        raise
    return replace(told, made=made)


def _write(
    folder: Path, params: Params, data: Dataset, fresh: Staleness, compared: Compared, source: str, arm: bool
) -> Imported | None:
    if compared.images:
        return write_version(folder, params, data, fresh, compared, source, arm=arm, quick=True)
    commit(folder, f"labels judged in {source}")
    return None


def _told(
    marks: MarksFile, found: Sequence[Mark], taken: Sequence[Mark], compared: Compared, version: int | None
) -> Fixed:
    return Fixed(
        findings=marks.findings,
        by_kind=counts(found),
        before=len(marks.marks) - len(found),
        held_out=len(found) - len(taken),
        right=sum(mark.entry.mark == "keep" for mark in taken),
        changes=summary_of(compared.changes),
        images=len(compared.images),
        version=version,
    )


def export_fixed(
    folder: Path, file: Path, target: Path, form: str | None = None, *, copy: bool = False
) -> tuple[Fixed, list[str]]:
    """Write the labels of all splits with the marks applied, for other tools; the workspace stays as it is.

    A COCO or VOC source is written anew with only the repaired labels changed; other formats keep the pictures' names.
    target: a folder, or the file of a format that is one. form: one of writers.NAMES; by default what the target's name
    says, and for a folder the format of the source, if it is one of OWN. copy: as in `export`. Returns what the marks
    change, and sentences for the terminal. Errors: MarksError, LabelsError, ExportError, MissingDataError.
    """
    params = load_params(folder / layout.PARAMS)
    source = folder / params.data.place
    kind = _format_of_source(source, params)
    name = form or (kind if kind in OWN and not target.suffix else format_of(target))
    patched = PATCHES.get(name) if name == kind else None
    if name == "coco" and not patched:
        name = format_of(target, name)
    suffix = writer_of(name).suffix
    named = target / f"{LABEL_FILE}{suffix}" if suffix and not target.suffix else target
    format_of(named, name)
    with_pictures = not suffix or bool(patched and not target.suffix)
    if not with_pictures:
        refuse_placing(named, copy=copy)
    marks = read_marks(file)
    check_there(folder, params.data, pictures=with_pictures)
    data = load(folder / layout.DATA, folder / params.data.folder)
    found = on_labels(marks, data, read_judged(folder), _again(folder))
    new, touched = repaired(data, found)
    compared = compare(data, {row: rows_of(new, row) for row in touched}, params, [])
    held_out = sum(_changes(mark) and data.split[mark.row] != "pool" for mark in found)
    told = replace(_told(marks, found, found, compared, None), right=0, held_out=held_out)  # nothing is remembered
    said = ["the labels have the mistakes that data.corrupt makes on purpose"] * bool(params.data.corrupt.mistakes)
    if patched:
        rows = {*touched, *_changed_before(folder, params, data)}
        said += patched(source, folder / params.data.folder, data, new, rows, target)
        if with_pictures:
            _place_pictures(folder, params.data, kind, data, target, Placing.COPY if copy else Placing.LINK)
        return told, said
    if suffix:
        check_free(named)
    said += export_dataset(new, named, name, Notes(names=own_names(new)), copy=copy)
    if suffix and not is_url(data.root):
        again = command_line("metricloop", "init", "NEW", "--data", named, "--images", data.root)
        said.append(f"pictures stay where they are; metricloop reads it with: {again}")
    return told, [written(named, new, writer_of(name).title), *said]


def _place_pictures(folder: Path, own: Data, form: str, data: Dataset, target: Path, placing: Placing) -> None:
    """Put every picture that the source's labels name into a folder, also those that `ingest` left out of the study.

    Pictures keep their places below the folder of the pictures; those outside of it are left out. form: of the source.
    """
    for row, name in enumerate(data.file):
        if not name.startswith("../"):
            place_picture(data, row, target / name, placing)
    known = {original(data, row) for row in range(len(data))}
    root = Path(os.path.abspath(data.root))
    outside = own.outside if isinstance(own.outside, bool) else [str(folder / path_of(name)) for name in own.outside]
    source = read(folder / own.place, form, root=root, outside=outside)
    for picture in sorted({record.file for record in source.records}):
        if stated(picture) not in known and picture.is_relative_to(root):
            place_file(stated(picture), target / picture.relative_to(root), placing)
    if placing != Placing.COPY and not is_url(data.root):
        remember_links(target, data.root)


def _format_of_source(source: Path, params: Params) -> str:
    """The format of the data set's labels; "" where it is recognised no more, since they are gone or empty."""
    if params.data.format != "auto":
        return params.data.format
    try:
        return recognise(source, outside=True)
    except SourceError:
        return ""


def _changed_before(folder: Path, params: Params, data: Dataset) -> set[int]:
    """Rows of the images whose labels may differ from the source's already: repaired, or damaged on purpose."""
    steps = read_steps(folder / params.data.labels) if params.data.labels else []
    renewed = {name for step in steps for name in step.images}
    damaged = bool(params.data.corrupt.mistakes)
    return {row for row, name in enumerate(data.file) if name in renewed or (damaged and data.split[row] == "pool")}


def _changes(mark: Mark) -> bool:
    return mark.entry.mark in ("fix", "delete")


def _again(folder: Path) -> str:
    return command_line("metricloop", "audit", "-C", folder)
