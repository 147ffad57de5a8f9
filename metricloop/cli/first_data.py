"""`metricloop init`: make the tables of the data set in the new workspace, and show what was understood."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from metricloop import layout
from metricloop.data.formats import Source, read
from metricloop.data.loading import load
from metricloop.data.tables import replacing
from metricloop.figures.labelled_pictures import labelled_pictures
from metricloop.params import Params, load_params
from metricloop.study.add_arm import append_entries
from metricloop.study.commits import run_command
from metricloop.study.data_overview import overview
from metricloop.study.dvc_commands import dvc
from metricloop.study.new_arm import control_arm
from metricloop.study.plan import load_plan
from metricloop.tasks.ingest import make_tables
from metricloop.tasks.second_labels import compare_labels, describe
from metricloop.text.numbers import count


def make_data(folder: Path, source: Source | None) -> str:
    """Make the tables of a workspace that nothing has run in yet, and a picture with boxes; returns the overview.

    source: the data set, where it has been read from the place that params.yaml names. Errors: those of the stages
    `ingest` and `second_labels`.
    """
    params, second = load_params(folder / layout.PARAMS), ""
    data = params.data
    with chdir(folder):
        source = source or read(data.source, data.format, data.categories, root=data.folder, outside=data.outside)
        summary = make_tables(params, source)
        if data.second_labels:
            found, images = compare_labels(data)
            second = describe(found, images)
            if found.judged == images:
                _add_oracle(params)
        run_command(folder, dvc("commit", "--force", "ingest", *["second_labels"] * bool(second)))
        title = f"{params.study.name}: {count(summary['images'], 'picture')}, {count(summary['boxes'], 'box', 'boxes')}"
        sheet = labelled_pictures(load(layout.DATA, data.folder), title)
        if sheet is not None:
            with replacing(Path(layout.EXAMPLE)) as temporary:
                temporary.write_bytes(sheet.jpeg)
        return overview(Path(), data, source, second)


def _add_oracle(params: Params) -> None:
    """A second labelling of the whole pool says which images are right, so there is an upper limit to measure."""
    plan = load_plan()
    if "oracle" not in plan["arms"]:
        append_entries(Path(layout.ARMS), control_arm(params, plan, "oracle")[1])
