"""`metricloop relocate`: tell a study where its data set lies now."""

from __future__ import annotations

import os
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace

if TYPE_CHECKING:
    from metricloop.params import Params

commands = Commands("Study")


@commands.add("metricloop relocate /mnt/new-disk/lions -C ~/lions", "metricloop relocate ../pictures")
def relocate(
    place: Annotated[
        str, typer.Argument(metavar="PATH", help="Where the data set lies now: the folder or file, or its URL.")
    ],
    folder: Workspace = HERE,
) -> int:
    """Say where a data set that has moved lies now."""
    from metricloop.cli.status_lines import few
    from metricloop.data import door
    from metricloop.data.urls import path_of, stated
    from metricloop.params import load_params
    from metricloop.study.data_files import MissingDataError, is_inside
    from metricloop.study.edit_params import change_params
    from metricloop.study.relocated import new_places
    from metricloop.study.run_record import claimed
    from metricloop.text.numbers import count
    from metricloop.text.shell import command_line, run_line

    folder, where = folder.resolve(), Path(os.path.abspath(path_of(place)))
    place = stated(where)
    params = load_params(folder / layout.PARAMS)
    if is_inside(folder, params.data):
        raise MissingDataError(f"the data set of {folder} lies inside it; bring it back with: dvc checkout")
    if not door.exists(where):
        raise MissingDataError(f"{place} does not exist; give the place where the data set lies now")
    found = new_places(folder, params.data, where)
    assignments = [f"data.{key}={_yaml(getattr(found.data, key))}" for key in found.changed]
    if not (folder / layout.IMAGES).is_file():
        lines = change_params(folder / layout.PARAMS, assignments)
        print("\n".join([*lines, f"nothing was read from it yet; go on with: {run_line(folder)}"]))
        return 0
    if found.lost:
        print(_not_the_same(place, f"{count(len(found.lost), 'picture')} of the study not there: {few(found.lost)}"))
        return 1
    print(f"reading {place} to compare it with the study's tables ...", flush=True)
    with claimed(folder, "relocate"):
        if differing := _differing(folder, params.model_copy(update={"data": found.data})):
            print(_not_the_same(place, f"it makes other tables than the study has: {few(differing)}"))
            other = command_line("metricloop", "run", "-C", folder, "--set", *assignments)
            print(f"to go on with these data all the same, which makes stages out of date: {other}")
            return 1
        print("\n".join(change_params(folder / layout.PARAMS, assignments)))
        _record(folder, second=bool(found.data.second_labels))
    print("the same pictures and labels: what was computed from them stays up to date")
    return 0


def _differing(folder: Path, params: Params) -> list[str]:
    """The tables of the study that come out different from the data at the new place; made in a folder of their own."""
    from metricloop.tasks.ingest import make_tables

    data, own = params.data, folder / layout.DATA
    if data.labels:
        params = params.model_copy(update={"data": data.model_copy(update={"labels": str(folder / data.labels)})})
    with TemporaryDirectory() as scratch, chdir(scratch):
        make_tables(params)
        made = {path.relative_to(Path(layout.DATA)): path for path in Path(layout.DATA).rglob("*") if path.is_file()}
        return [str(Path(layout.DATA) / name) for name, path in sorted(made.items()) if not _equal(path, own / name)]


def _record(folder: Path, second: bool) -> None:
    """Note in dvc.lock that the tables are those of the data at the new place: they were just made from them."""
    from metricloop.study.commits import run_command
    from metricloop.study.dvc_commands import dvc, run_stages
    from metricloop.study.refresh import refresh_code

    refresh_code(folder)
    run_command(folder, dvc("commit", "--force", "ingest"))
    if second:
        run_stages(folder, ["second_labels"], "second_labels")


def _equal(made: Path, own: Path) -> bool:
    return own.is_file() and made.read_bytes() == own.read_bytes()


def _yaml(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else str(list(value))


def _not_the_same(place: str, why: str) -> str:
    return f"{place} is not the data set of this study, and params.yaml stays as it is: {why}"
