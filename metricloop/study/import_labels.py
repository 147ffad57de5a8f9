"""import-labels: take repaired labels back as a new version, and say what changed and what is to be done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.formats.repaired import Repaired, read_repaired
from metricloop.data.label_changes import Labels, match, summary_of
from metricloop.data.label_versions import LabelsError, Row, Step, as_labels, read_steps, write_steps
from metricloop.data.loading import load
from metricloop.params import Params, load_params
from metricloop.study.add_arm import append_entries
from metricloop.study.commits import commit
from metricloop.study.data_files import check_there
from metricloop.study.edit_params import change_params
from metricloop.study.follow_labels import Effects, follow_labels, read_anew
from metricloop.study.plan import load_plan
from metricloop.study.refresh import refresh_code
from metricloop.study.staleness import Staleness, staleness
from metricloop.text.nearest import did_you_mean
from metricloop.text.shell import command_line

ARM = "before_repair"
Changed = tuple[str, str | None, str | None, float]
Rows = Sequence[tuple[Sequence[float], str, bool]]  # of an image: xyxy in pixels, name of the class, crowd


class Compared(NamedTuple):
    """Labels against those of before. images, unchanged: file -> labels, of the images whose labels differ and of those
    whose do not; changes: as `summary_of` takes them."""

    images: dict[str, list[Row]]
    unchanged: dict[str, list[Row]]
    changes: list[Changed]


@dataclass(frozen=True)
class Imported:
    """A new version of the labels. path: its file; images: how many were named, and the ids of those that changed;
    summary: as in summary_of; added: whether the arm ARM was added; effects: what differs because of it."""

    path: Path
    version: int
    named: int
    changed: Sequence[int]
    summary: dict[str, Any]
    effects: Effects
    added: bool
    notes: Sequence[str]


def import_labels(
    folder: Path, file: Path, form: str = "auto", *, held_out: bool = False, arm: bool = True
) -> Imported:
    """Make a new version of the labels from a file; images that it does not name keep theirs.

    held_out: take labels of the search and test split as well, which judge the arms. arm: add the control ARM, which
    trains on the baseline's images with the labels before any import.
    Errors: SourceError, LabelsError, MissingDataError; the workspace is then unchanged. StageError when `ingest` fails
    afterwards.
    """
    params = load_params(folder / layout.PARAMS)
    check_file(file)
    data, before = present_labels(folder, params)
    found = read_repaired(file, data, form)
    notes = [f"{count} x {kind}" for kind, count in Counter(one.problem for one in found.problems).most_common(6)]
    rows, left = _wanted(data, found, held_out)
    if left:
        notes.append(f"{left} images of the search and test split keep their labels; --held-out takes them as well")
    compared = compare(data, {row: found.images[row] for row in rows}, params, notes)
    if not compared.images:
        raise LabelsError(
            f"{file}: the labels of all {len(rows)} images are those of the study already; nothing to import"
        )
    return write_version(folder, params, data, before, compared, file.name, arm=arm, notes=notes)


def check_file(file: Path) -> None:
    """Check that the file or folder with repaired labels exists. Errors: LabelsError."""
    if not file.exists():
        raise LabelsError(f"{file.absolute()} does not exist; give the file or folder with the repaired labels")


def present_labels(folder: Path, params: Params) -> tuple[Dataset, Staleness]:
    """Today's labels of all splits, and what is up to date. Errors: MissingDataError; LabelsError when the tables are
    not those of today's source and settings, because changes would be told of other labels."""
    check_there(folder, params.data)
    found = staleness(folder)
    if not (folder / layout.IMAGES).is_file() or "ingest" in found.old:
        line = command_line("metricloop", "audit", "--no-training", "-C", folder)
        raise LabelsError(
            f"the tables in {folder / layout.DATA} are not up to date; make them first, for example with {line}"
        )
    return load(folder / layout.DATA, folder / params.data.folder), found


def write_version(
    folder: Path,
    params: Params,
    data: Dataset,
    before: Staleness,
    compared: Compared,
    source: str,
    *,
    arm: bool = True,
    notes: Sequence[str] = (),
    quick: bool = False,
) -> Imported:
    """Write the next version of the labels, commit it, and bring up to date what needs no training.

    source: where the labels come from, for the record. before: what was up to date. arm: as in `import_labels`.
    quick: bring the tables of the data up to date alone, and leave scores and subsets to the next run.
    Errors: LabelsError; StageError when `ingest` fails afterwards.
    """
    steps = read_steps(folder / params.data.labels) if params.data.labels else []
    version = next_version(steps)
    summary = summary_of(compared.changes)
    path = Path(layout.LABELS) / f"{version}.json"
    write_steps(folder / path, [*steps, Step(version, source, compared.images, summary, compared.unchanged)])
    change_params(folder / layout.PARAMS, [f"data.labels={path.as_posix()}"])
    added = arm and _add_arm(folder, params)
    refresh_code(folder)
    commit(folder, f"labels {version}: {len(compared.images)} images from {source}")
    ids = {str(name): int(number) for name, number in zip(data.file, data.image_id, strict=True)}
    changed = sorted(ids[name] for name in compared.images)
    new = [f"select@{ARM}"] if added else []
    effects = read_anew(folder, before) if quick else follow_labels(folder, before, new)
    named = len(compared.images) + len(compared.unchanged)
    return Imported(path, version, named, changed, summary, effects, added, notes)


def next_version(steps: Sequence[Step]) -> int:
    """The number of the version after these; the first repair of a source is version 1."""
    return max((step.version for step in steps), default=0) + 1


def _wanted(data: Dataset, found: Repaired, held_out: bool) -> tuple[list[int], int]:
    """The rows whose labels are taken, and how many are left out because they are held out."""
    rows = sorted(row for row in found.images if held_out or data.split[row] == "pool")
    if not rows:
        raise LabelsError("all of its images belong to the search or test split; --held-out takes their labels too")
    return rows, len(found.images) - len(rows)


def compare(data: Dataset, found: Mapping[int, Rows], params: Params, notes: list[str]) -> Compared:
    """Hold new labels of some images against today's. found: image row -> its labels. Errors: LabelsError."""
    labels = {name: label for label, name in enumerate(data.class_names)}
    images: dict[str, list[Row]] = {}
    unchanged: dict[str, list[Row]] = {}
    changes: list[Changed] = []
    dropped: Counter[str] = Counter()
    for row in sorted(found):
        new: list[Row] = []
        for (x1, y1, x2, y2), name, crowd in found[row]:
            if name in labels:
                new.append((x1, y1, x2, y2, name, crowd))
            else:
                dropped[name] += 1
        own = data.slice(row)
        old = Labels(data.boxes[own], data.labels[own], data.crowd[own])
        arrays = as_labels(new, labels)
        listed = match(old, arrays).changes
        for change in listed:
            before = data.class_names[old.labels[change.old]] if change.old >= 0 else None
            after = data.class_names[arrays.labels[change.new]] if change.new >= 0 else None
            changes.append((change.kind, before, after, change.iou))
        (images if listed else unchanged)[str(data.file[row])] = new
    if dropped and not params.data.categories:
        raise LabelsError(_unknown(dropped, data.class_names))
    notes += [
        f"{count} boxes of the class {name} left out: data.categories does not keep it"
        for name, count in dropped.items()
    ]
    return Compared(images, unchanged, changes)


def _unknown(dropped: Counter[str], known: Sequence[str]) -> str:
    name, count = dropped.most_common(1)[0]
    hint = did_you_mean(name, known, f"the study has {', '.join(known[:20])}")
    return (
        f"{count} boxes have the class {name!r}, which the study does not have; {hint} Rename it in the file. "
        "A new class needs a new study, because every arm would have to be trained anew"
    )


def _add_arm(folder: Path, params: Params) -> bool:
    """Add the control to arms.yaml, unless it is there."""
    if ARM in load_plan(folder)["arms"]:
        return False
    entry = {"role": "control", "a": layout.BEFORE, "b": layout.BEFORE, "policy": {"name": "relabelled"}}
    block = {"arm": ARM, "seeds": f"0-{params.looks.arms[0] - 1}"}
    append_entries(folder / layout.ARMS, {"arms": {ARM: entry}, "blocks": {f"{ARM}.0": block}})
    return True
