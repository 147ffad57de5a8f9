"""`metricloop init`: read a data set, and ask what it leaves open: which labels count, and where the pictures are."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from metricloop.cli.confirm_prompt import asks_here, choose
from metricloop.cli.data_place import FIXED
from metricloop.data import door
from metricloop.data.first_look import Clash, Missing, clash, missing
from metricloop.data.formats import Source, SourceError, matching, read, recognise
from metricloop.data.formats.written import links_of
from metricloop.data.urls import path_of, stated
from metricloop.params import Data, check_params
from metricloop.study.commits import WorkspaceError
from metricloop.study.new_study import NewStudy, new_params, params_text
from metricloop.text.clean import clean
from metricloop.text.numbers import count
from metricloop.text.shell import command_line


class OpenQuestionError(WorkspaceError):
    """The data set leaves something open, and there is nobody to ask; the message says which options answer it."""


@dataclass(frozen=True)
class Looked:
    """A study whose data set leaves nothing open, and that data set as it was read."""

    study: NewStudy
    source: Source


def look(study: NewStudy, yes: bool, auto: bool = False) -> Looked:
    """Read the data set of a study, and settle which labels count and where the pictures are.

    yes: do not ask; join labellings of the same pictures, and leave out labels without a picture.
    auto: the format was recognised, not typed, so another one may be taken where it finds nothing.
    Errors: OpenQuestionError where nobody can be asked; SourceError.
    """
    settled = {"clash", "missing"} if yes else set[str]()
    study = _with_own_links(study)
    while True:
        data = check_params(yaml.safe_load(params_text(study))).data
        try:
            source = read(data.source, data.format, data.categories, root=data.folder, outside=data.outside)
        except SourceError as error:
            gone = missing(None, error.problems)
            if gone is None or study.format in FIXED:
                other = _other_format(data)
                if other is None:
                    raise
                if not auto:
                    raise SourceError(
                        f"{str(error).rstrip(chr(46))}. It is {other}, too: --format {other}", error.problems
                    ) from None
                told = str(error).partition(". ")[0]
                print(f"note: {told}; it is {other}, too, so it is read as that (--format {other})")
                study = replace(study, format=other)
                continue
            study = _where(study, gone, yes, nothing_left=str(error))
            continue
        if study.truth and (rest := _without_truth(study, source)):
            study = _with_labels(study, rest)
        elif "clash" not in settled and (found := clash(source)):
            settled.add("clash")
            study = _which(study, found)
        elif "missing" not in settled and (gone := missing(source, source.problems)):
            before, study = study, _where(study, gone, yes)
            settled |= {"missing"} if study == before else set()
        else:
            return Looked(study, source)


def _with_own_links(study: NewStudy) -> NewStudy:
    """The study with data.outside set, if its data set is a folder that we have written with links to pictures."""
    end = "" if study.copy else links_of(path_of(study.source))
    if not end or new_params(study).data.outside is not False:
        return study
    print(f"note: metricloop wrote this folder, so its links to pictures in {end} are followed (data.outside)")
    return replace(study, changes=(*study.changes, f"data.outside={json.dumps([end], ensure_ascii=False)}"))


def _other_format(data: Data) -> str | None:
    """The first other format in which the source holds pictures with labels; None if there is none."""
    for form in matching(data.source):
        with suppress(SourceError):
            if form != data.format and read(data.source, form, data.categories, root=data.folder, outside=data.outside):
                return form
    return None


def _with_labels(study: NewStudy, labels: Path) -> NewStudy:
    return replace(study, source=stated(labels), format=recognise(labels))


def _without_truth(study: NewStudy, source: Source) -> Path | None:
    """The label file that is left when the truth is not read as labels; None where it is not read as such anyway.

    Errors: WorkspaceError when no file or several are left.
    """
    truth = Path(study.truth)
    files = {Path(record.origin) for record in source.records if record.origin}
    rest = sorted(path for path in files if path != truth and truth not in path.parents)
    if len(rest) == len(files):
        return None
    if len(rest) == 1:
        return rest[0]
    told = "no other label file is there" if not rest else f"{count(len(rest), 'other label file')} lie beside it"
    raise WorkspaceError(
        f"--truth: {truth} lies among the labels of the study, and {told}; say which are the labels of the study: "
        "--labels FILE_OR_FOLDER"
    )


def _which(study: NewStudy, found: Clash) -> NewStudy:
    """Ask which of several labellings counts."""
    names = {own: _short(own.path, study) for own in found.labels}
    wide = max(map(len, names.values()))
    told = [f"{names[own]:<{wide}}  {count(own.pictures, 'picture')}, {count(own.boxes, 'box', 'boxes')}"
            for own in found.labels]  # fmt: skip
    said = (
        f"{count(len(found.labels), 'labelling')} of the same pictures: {found.shared:,} pictures are in two of them, "
        f"{found.differing:,} with other boxes"
    )
    if not asks_here():
        one, other = found.labels[0], found.labels[1]
        options = [
            (("--labels", names[one]), "these labels, the others are not read"),
            (("--labels", names[other], "--truth", names[one]), "measure with the others, if they are cleaner"),
            (("--yes",), "join them: every box of all, equal ones once"),
        ]
        raise OpenQuestionError("\n".join([f"{said}:", *(f"  {line}" for line in told), *_lines(options)]))
    print(f"{said}.")
    place = choose("Which one has the labels to train on?", [*told, "all of them, joined; equal boxes once"])
    if place == len(told):
        return study
    study = _with_labels(study, found.labels[place].path)
    rest = [own for own in found.labels if own is not found.labels[place]]
    place = choose(
        "Is another one cleaner, so that it can serve as the truth to measure with?",
        ["no", *(names[own] for own in rest)],
    )
    return replace(study, truth=str(rest[place - 1].path)) if place else study


def _where(study: NewStudy, gone: Missing, yes: bool, nothing_left: str = "") -> NewStudy:
    """Ask where the pictures are. nothing_left: why nothing can be used without them."""
    said = (
        f"{gone.pictures:,} of {gone.of:,} labelled pictures are not found"
        if not nothing_left
        else f"none of the {gone.of:,} labelled pictures is found"
    )
    file = clean(_below(gone.first.file, study.root), 200)
    named = f"{clean(gone.wanted, 200)}, which {file} names" if gone.wanted else file
    said += f" below {study.root},\nthe first is {named} ({clean(gone.why) or _not_there(study, gone)})"
    if yes or not asks_here():
        options: list[tuple[Sequence[str], str]] = []
        if gone.outside and gone.outside.link:
            value = json.dumps([gone.outside.folder], ensure_ascii=False)
            options.append((("--set", f"data.outside={value}"), "follow links there, if you trust this data set"))
        elif gone.outside and study.format not in FIXED:
            options.append((("--images", gone.outside.folder), "the folder to which their names lead"))
        elif study.format not in FIXED:
            options.append((("--images", "DIR"), "the folder that holds them, and no others of the same names"
                            if gone.why else "the folder that holds them"))  # fmt: skip
        if not nothing_left:
            options.append((("--yes",), "go on without them"))
        raise OpenQuestionError("\n".join([f"{said}:", *_lines(options)]))
    print(f"{said}.")
    tail = "" if nothing_left else "; nothing: go on without them"
    try:
        answer = input(f"In which folder are they{tail}? ").strip()
    except EOFError:
        raise RuntimeError("no answer was given, so nothing is done") from None
    if not answer and not nothing_left:
        return study
    folder = Path(os.path.abspath(path_of(os.path.expanduser(answer))))
    if not answer or not door.is_dir(folder):
        raise WorkspaceError(f"{answer or 'nothing'} is no folder; give it as --images DIR")
    return replace(study, root=stated(folder))


def _not_there(study: NewStudy, gone: Missing) -> str:
    """Why a picture is not found where nothing is in doubt."""
    if gone.outside is None:
        return "no picture of this name is there"
    if gone.outside.link:
        place = clean(_below(gone.outside.path, study.root), 200)
        return f"{place} is a link that leads out of the data set, to {gone.outside.folder}; it is not followed"
    return f"its name leads out of the data set, to {gone.outside.folder}"


def _lines(options: Sequence[tuple[Sequence[str], str]]) -> list[str]:
    words = [command_line(*given) for given, _ in options]
    wide = min(max(map(len, words)), 40)
    return ["Add one of these:", *(f"  {line:<{wide}}  {why}" for line, (_, why) in zip(words, options, strict=True))]


def _below(file: str, root: str) -> str:
    """The path of a file relative to the folder that was searched; the whole path if it lies elsewhere."""
    top = path_of(root)
    return Path(file).relative_to(top).as_posix() if Path(file).is_relative_to(top) else stated(file)


def _short(path: Path, study: NewStudy) -> str:
    """A label file as it can be typed: below the data set's folder where it lies there."""
    source = path_of(study.source)
    base = source if door.is_dir(source) else source.parent
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else stated(path)
