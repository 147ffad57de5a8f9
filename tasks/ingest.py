"""ingest: read a data set in any common format, split it, write its tables and a list of its problems."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.formats import Source, SourceError, read
from metricloop.data.ingest import IngestError, ingest, write
from metricloop.data.label_versions import read_steps, with_labels
from metricloop.data.problem_list import write_problems
from metricloop.data.splits import SplitError
from metricloop.data.summary import describe
from metricloop.data.tables import TRUTH, write_table
from metricloop.params import Params, load_params
from metricloop.runtime.progress import shown
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("ingest")
    print(describe(make_tables(load_params())))


def make_tables(params: Params, source: Source | None = None) -> dict[str, Any]:
    """Write the tables of the data set into data/ of the current folder; returns the summary.

    source: the data set, where it has been read already. Errors: SourceError, IngestError, SplitError, LabelsError.
    """
    data = params.data
    listed = Path(layout.PROBLEMS)
    try:
        if source is None:
            source = read(data.source, data.format, data.categories, root=data.folder, outside=data.outside)
        with shown("ingest", "pictures") as show:
            tables = ingest(
                source,
                Path(os.path.abspath(data.folder)),
                corrupt=data.corrupt,
                search_share=data.search_share,
                test_share=data.test_share,
                seed=params.study.seed,
                group=data.group,
                near=data.near,
                jobs=-1,
                progress=show,
            )
    except (SourceError, IngestError, SplitError) as error:
        if error.problems:  # also when nothing can be used: they are the reason
            write_problems(listed, error.problems)
            told = f"{error}. All {len(error.problems)} problems are listed in {listed}"
            raise type(error)(told, error.problems) from None
        raise
    if data.labels:
        tables, before = with_labels(tables, read_steps(data.labels))
        write_table(layout.BEFORE, TRUTH, before)
    write(tables, Path(layout.DATA))
    return tables.summary


if __name__ == "__main__":
    main()
