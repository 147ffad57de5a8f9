"""Hugging Face's data sets: Parquet files with the pictures in them, `metadata.jsonl` beside pictures (ImageFolder), or
tars with a `.json` for each picture (WebDataset).

An entry has `objects`, a list of objects or an object of lists, with `bbox` and `category`. Nothing says how a box is
meant: shares where nearly all numbers are at most 1, and x, y, width, height, unless many boxes would then reach beyond
their picture. Names of classes are those in the Parquet file's metadata.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metricloop.data import door
from metricloop.data.formats.classes import class_names_of
from metricloop.data.formats.huggingface_objects import class_label, objects_of, parsed
from metricloop.data.formats.huggingface_rows import label_columns, read_rows, schema_of
from metricloop.data.formats.picture_index import Wanted, match_pictures
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import left_out, reasons
from metricloop.data.formats.source import Format, Problem, Record, Source, SourceError, make_record, unlabelled
from metricloop.data.formats.split_names import splits_of_files
from metricloop.data.formats.values import id_of, name_of, size_of
from metricloop.data.packed import ARCHIVES, PARQUET, picture_column
from metricloop.data.picture_header import stored_size
from metricloop.data.pictures import SUFFIXES

METADATA = "metadata.jsonl"
SAMPLE = 200  # pictures whose sizes are looked up
BEYOND = 0.1  # of the boxes reach beyond their picture: then they are corners


class _Entry(NamedTuple):
    """One picture of a label file. name: as stated; objects: (box, class, crowd) as stated."""

    picture: Path
    objects: list[tuple[list[float] | None, Any, bool]]
    width: int | None
    height: int | None


def find_huggingface(place: Place) -> list[Path]:
    """The label files of a source: Parquet files, or metadata.jsonl, or tars."""
    alone = place.is_file(place.source)
    files = [place.source] if alone else place.walk(place.source, (PARQUET, ".jsonl"))
    for wanted in (_has_rows, _has_lines):
        if found := [path for path in files if wanted(place, path)]:
            return found
    tars = [] if alone else [own for own in place.folders(place.source) if own.suffix.lower() in ARCHIVES]
    return [own for own in tars if _has_samples(place, own)]


def _has_rows(place: Place, path: Path) -> bool:
    if path.suffix.lower() != PARQUET:
        return False
    try:
        schema = place.use_file(path, schema_of)
    except door.DoorError as error:
        place.refused[place.relative(path)] = str(error)
        return False
    return picture_column(schema) is not None and bool(label_columns(schema))


def _has_lines(place: Place, path: Path) -> bool:
    text = door.text_of(place.head(path))[0] if path.name == METADATA else ""
    return any(objects_of(parsed(line)) is not None for line in text.split("\n"))  # some may have no objects


def _has_samples(place: Place, tar: Path) -> bool:
    for folder in place.folders(tar):
        if pairs := list(islice(_pairs(place, folder), SAMPLE)):
            return any(objects_of(parsed(door.text_of(place.head(path))[0])) is not None for _, path in pairs)
    return False


def _pairs(place: Place, folder: Path) -> Iterator[tuple[Path, Path]]:
    """A picture and the .json of the same name up to the first dot; of several, those with the fewest dots, because
    `1.mask.png` beside `1.jpg` is no picture to learn from.
    """
    labels, pictures = _by_key(place.files(folder, (".json",))), _by_key(place.files(folder, SUFFIXES))
    for key in pictures:
        if key in labels:
            yield pictures[key], labels[key]


def _by_key(files: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (path.name.count("."), path.name)):
        found.setdefault(path.name.partition(".")[0], path)
    return dict(sorted(found.items()))


def read_huggingface(place: Place) -> Source:
    """Read the data set. Errors: SourceError when no picture can be used."""
    problems: list[Problem] = []
    files = find_huggingface(place)
    declared = {path: _declared(place, path) for path in files}
    entries = {path: list(_entries(place, path, problems)) for path in files}
    stated = {path: [*declared[path], *_undeclared(entries[path], declared[path])] for path in files}
    names, labels = class_names_of(stated.items(), problems)
    relative, corners = _meaning(place, entries, problems)
    splits = splits_of_files(files, place.base)
    records: list[Record] = []
    for path, own in entries.items():
        by_name = {name: labels[path][key] for key, name in stated[path] if key in labels[path]}
        for entry in own:
            rows = _rows(path, entry, labels[path], by_name, corners, problems)
            records.append(
                make_record(entry.picture, rows, split=splits[path], width=entry.width, height=entry.height,
                            relative=relative, origin=str(path))
            )  # fmt: skip
    if not records:
        raise SourceError(f"{place.source}: no picture can be used. {reasons(problems)}", problems)
    folders = {record.file.parent for record in records if not _in_rows(record.file)}
    problems += unlabelled(place, folders, [record.file for record in records])
    return Source("huggingface", names, tuple(records), tuple(problems))


def _in_rows(picture: Path) -> bool:
    return picture.parent.suffix.lower() == PARQUET


def _entries(place: Place, path: Path, problems: list[Problem]) -> Iterator[_Entry]:
    if path.suffix.lower() == PARQUET:
        pictures = [path / name for name in place.entries(path)]
        try:
            contents = place.use_file(path, read_rows)
            if len(contents) != len(pictures):
                raise door.DoorError(f"{len(pictures)} rows by its end, {len(contents)} in it: damaged")
        except (door.DoorError, ValueError) as error:  # such as two columns of one name in an object
            problems.append(Problem(str(path), "label file cannot be read", f"left out ({error})"))
            return
        for picture, content in zip(pictures, contents, strict=True):
            yield _entry(picture, content)
    elif path.suffix.lower() in ARCHIVES:
        yield from _samples(place, path, problems)
    else:
        yield from _lines(place, path, problems)


def _samples(place: Place, tar: Path, problems: list[Problem]) -> Iterator[_Entry]:
    for folder in place.folders(tar):
        for picture, path in _pairs(place, folder):
            try:
                content = parsed(place.read_text(path))
            except door.DoorError as error:
                problems.append(Problem(str(path), "label file cannot be read", f"left out ({error})"))
                continue
            if objects_of(content) is None:
                problems.append(Problem(str(path), "label file cannot be read", "left out (no boxes in it)"))
            else:
                yield _entry(picture, content)


def _lines(place: Place, path: Path, problems: list[Problem]) -> Iterator[_Entry]:
    contents = []
    for line, text in enumerate(place.read_text(path, door.TABLE).split("\n"), start=1):
        content = parsed(text)
        if isinstance(content, dict) and isinstance(content.get("file_name"), str):
            contents.append(content)
        elif text.strip():
            told = f"left out (line {line}: no file_name, or no JSON)"
            problems.append(Problem(str(path), "line cannot be read", told))
    wanted: dict[Hashable, Wanted] = {
        row: Wanted(content["file_name"], path, (path.parent,)) for row, content in enumerate(contents)
    }
    pictures = match_pictures(place, wanted, problems)
    for row, content in enumerate(contents):
        if row in pictures:
            yield _entry(pictures[row], content)
        else:
            missing = str(path.parent / content["file_name"][:1000].replace("\0", "?"))
            problems.append(Problem(missing, "labels without picture", left_out(len(objects_of(content) or ()))))


def _entry(picture: Path, content: dict[str, Any]) -> _Entry:
    return _Entry(picture, objects_of(content) or [], size_of(content.get("width")), size_of(content.get("height")))


def _declared(place: Place, path: Path) -> list[tuple[str, str]]:
    """(id, name) of the classes that a Parquet file declares, as `datasets` writes them."""
    if path.suffix.lower() != PARQUET:
        return []
    schema = place.use_file(path, schema_of)
    stated = parsed((schema.metadata or {}).get(b"huggingface", b"").decode(errors="replace"))
    try:
        features = stated["info"]["features"]
        names = class_label({column: features[column] for column in label_columns(schema) if column in features})
    except (KeyError, TypeError):
        return []
    return [(str(number), name_of(name)) for number, name in enumerate(names or ())]


def _undeclared(entries: list[_Entry], declared: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(id, name) of the classes that objects name and the file does not declare; numbers by their order. A number below
    0 is none.
    """
    known = {key for pair in declared for key in pair}
    found = {key for entry in entries for _, own, _ in entry.objects if (key := id_of(own)) and key not in known}
    found = {key for key in found if not (key.startswith("-") and key[1:].isdecimal())}
    ordered = sorted(found, key=lambda key: (not key.isdecimal(), int(key) if key.isdecimal() else 0, key))
    return [(key, f"category_{key}" if key.isdecimal() else key) for key in ordered]


def _meaning(place: Place, entries: dict[Path, list[_Entry]], problems: list[Problem]) -> tuple[bool, bool]:
    """Whether boxes are shares of their picture, and whether they are corners."""
    sample = [entry for own in entries.values() for entry in own if any(box for box, _, _ in entry.objects)][:SAMPLE]
    boxes = np.array([box for entry in sample for box, _, _ in entry.objects if box]).reshape(-1, 4)
    if not len(boxes):
        return False, False
    shares = (np.abs(boxes) <= 1).all(axis=1)  # a few boxes reach beyond their picture, or are no numbers
    relative = bool(shares.mean() > 1 - BEYOND and (boxes[shares] % 1).any())
    sizes = []
    for entry in sample:
        height, width = (1, 1) if relative else _size(place, entry.picture)
        sizes += [(width or entry.width or np.inf, height or entry.height or np.inf)] * sum(
            box is not None for box, _, _ in entry.objects
        )
    beyond = (boxes[:, :2] + boxes[:, 2:] > np.array(sizes) * 1.01 + 1e-6).any(axis=1)
    corners = bool(beyond.mean() > BEYOND)
    if corners:
        told = f"{int(beyond.sum())} of {len(boxes)} reach beyond their picture if read as x, y, width, height"
        problems.append(Problem(str(next(iter(entries))), "boxes read as corners (x1, y1, x2, y2)", told))
    return relative, corners


def _size(place: Place, picture: Path) -> tuple[int, int]:
    """Height and width of a picture; (0, 0) if it cannot be read, which `ingest` reports later."""
    try:
        return stored_size(place.read_bytes(picture, door.PICTURE)) or (0, 0)
    except door.DoorError:
        return 0, 0


def _rows(
    path: Path, entry: _Entry, by_id: dict[str, int], by_name: dict[str, int], corners: bool, problems: list[Problem]
) -> list[tuple[list[float], int, bool]]:
    rows = []
    for box, stated, crowd in entry.objects:
        key = id_of(stated)
        label = None if key is None else by_id.get(key, by_name.get(key))
        if box is None:
            problems.append(Problem(str(path), "box is not four numbers", f"dropped ({entry.picture.name})"))
        elif label is None:
            problems.append(Problem(str(path), "unknown class", f"dropped ({entry.picture.name})"))
        else:
            x, y, right, bottom = box
            rows.append(([x, y, right, bottom] if corners else [x, y, x + right, y + bottom], label, crowd))
    return rows


FORMAT = Format(
    sign="Hugging Face's Parquet files, metadata.jsonl, or tars with a .json for each picture",
    find=find_huggingface,
    read=lambda place, categories: read_huggingface(place),
    place=45,  # behind the others, beside whose label files it often lies
)
