"""ingest: read a data set in any common format, split it, write its tables and a list of its problems."""

from __future__ import annotations

import os
from pathlib import Path

from metricloop import layout
from metricloop.data.formats import read
from metricloop.data.ingest import IngestError, ingest, write
from metricloop.data.summary import describe
from metricloop.params import load_params
from metricloop.runtime.progress import shown
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("ingest")
    params = load_params()
    data = params.data
    with shown("ingest", "pictures") as show:
        tables = ingest(
            read(data.source, data.format, data.categories),
            Path(os.path.abspath(data.folder)),
            corrupt=data.corrupt,
            search_share=data.search_share,
            test_share=data.test_share,
            seed=params.study.seed,
            jobs=-1,
            progress=show,
        )
    for name in ("search", "test"):  # checked now, before hours of training
        if not tables.summary["splits"].get(name, {}).get("boxes"):
            raise IngestError(
                f"the {name} split has no labelled object, so nothing can be evaluated on it; hold out more with "
                f"data.{name}_share, or use other splits in the source"
            )
    write(tables, Path(layout.DATA))
    print(describe(tables.summary))


if __name__ == "__main__":
    main()
